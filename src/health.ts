/** How those that stand in for each other are doing: whom to ask next, and how long to wait for it. */
import type { Clock } from "./clock.ts";

/** One that failed is passed over for `first`, twice as long each time it fails again, up to `most`; milliseconds. */
const restMs = { first: 10_000, most: 300_000 };
/** How long a first result may take, as long as little is known of the member; and the bounds of what is learned. */
const waitMs = { unknown: 3_000, least: 500, most: 5_000 };
/** So many first results are remembered of each member, and so many are needed to learn from them. */
const remembered = { most: 50, least: 8 };
/** A first result that takes so many times as long as 95 in 100 did is late. */
const patience = 1.5;

export interface HealthOptions {
  readonly members: number;
  readonly clock: Clock;
  /** How long a first result may take, in milliseconds (default: what 95 in 100 of the member's own took, and half as much again). */
  readonly firstResultMs?: number | undefined;
}

/** Members are told by their place in the list that they were given in. */
export interface Health {
  /** All of them, in the order in which they are to be tried: as given, those that have failed lately last. */
  order(): number[];
  /** Whether one that stands before `member` may be tried again. */
  isBetterThan(member: number): boolean;
  /** How long to wait for the first result of one, in milliseconds. */
  patienceMs(member: number): number;
  /** Its first result came after so many milliseconds. */
  answered(member: number, afterMs: number): void;
  /** It failed, or was late. */
  failed(member: number): void;
}

interface Member {
  failures: number;
  restsUntilMs: number;
  readonly firstMs: number[];
}

/** Everybody healthy, and nothing known. To be shared by all calls, so that one learns from another's failure. */
export function createHealth({ members: count, clock, firstResultMs }: HealthOptions): Health {
  const members: Member[] = Array.from({ length: count }, () => ({
    failures: 0,
    restsUntilMs: -Infinity,
    firstMs: [],
  }));
  const rests = ({ restsUntilMs }: Member) => restsUntilMs > clock.now();
  return {
    order() {
      const all = members.map((member, place) => ({ place, until: rests(member) ? member.restsUntilMs : 0 }));
      return all.toSorted((a, b) => a.until - b.until || a.place - b.place).map(({ place }) => place);
    },
    isBetterThan: (place) => members.slice(0, place).some((member) => !rests(member)),
    patienceMs(place) {
      if (firstResultMs !== undefined) return firstResultMs;
      const firstMs = members[place]?.firstMs ?? [];
      if (firstMs.length < remembered.least) return waitMs.unknown;
      const sorted = firstMs.toSorted((a, b) => a - b);
      const usual = sorted[Math.ceil(sorted.length * 0.95) - 1] ?? waitMs.unknown;
      return Math.min(waitMs.most, Math.max(waitMs.least, usual * patience));
    },
    answered(place, afterMs) {
      const member = members[place];
      if (!member) return;
      member.failures = 0;
      member.restsUntilMs = -Infinity;
      member.firstMs.push(afterMs);
      if (member.firstMs.length > remembered.most) member.firstMs.shift();
    },
    failed(place) {
      const member = members[place];
      if (!member) return;
      const ms = Math.min(restMs.first * 2 ** member.failures++, restMs.most);
      member.restsUntilMs = clock.now() + ms;
    },
  };
}
