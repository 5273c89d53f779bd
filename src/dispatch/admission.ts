/**
 * Whether another session is taken: by how many there are, how late the event loop is, and how much memory they take.
 * Those that are there go on whatever is found; time on the processor alone says little, and is not looked at.
 */
import type { Strain } from "./strain.ts";

/** What there is no more of. */
export type Limit = "sessions" | "lag" | "memory";

export interface Full {
  readonly limit: Limit;
  /** In words, for clients and operators. */
  readonly reason: string;
}

/** What is judged. */
export interface Measured extends Strain {
  readonly sessions: number;
  readonly maxSessions: number;
}

/** What is remembered from one judgement to the next, so that a value about its limit is not now too much and now not. */
export interface AdmissionState {
  readonly late: boolean;
  /** The most sessions, while memory is short: as many as there were when it became short. */
  readonly holds?: number;
}

export interface Admission {
  /** Undefined: another session is taken. */
  readonly full: Full | undefined;
  /** 0–1: below 0.7 while another session is taken, else 1. LiveKit sends a worker no jobs from 0.7 on. */
  readonly load: number;
}

/** The event loop is late until its lag is below so much of the limit; and memory is short. */
const until = { lag: 0.5, memory: 0.95 };
/** The load of a server that takes one session more. */
const mostWhileTaking = 0.69;

/**
 * Judges by what was measured. While memory is short a session that ends makes place for another: what it had is used
 * again long before the process gives it back. The first session is always taken: there is none that it could harm.
 */
export function judge(
  before: AdmissionState,
  measured: Measured,
): Admission & { readonly state: AdmissionState } {
  const { sessions, maxSessions, lagMs, maxLagMs, rssBytes, maxRssBytes } = measured;
  const late = lagMs > maxLagMs * (before.late ? until.lag : 1);
  const short = rssBytes > maxRssBytes * (before.holds === undefined ? 1 : until.memory);
  const holds = short ? before.holds ?? Math.max(1, sessions) : undefined;
  const full = (): Full | undefined => {
    if (sessions >= maxSessions) {
      return { limit: "sessions", reason: `All ${maxSessions} places are taken` };
    }
    if (late && sessions > 0) {
      const ms = Math.round(lagMs);
      return { limit: "lag", reason: `The event loop is late by ${ms} ms (at most ${maxLagMs})` };
    }
    if (holds !== undefined && sessions >= holds) {
      const [mb, most] = [rssBytes, maxRssBytes].map((bytes) => Math.round(bytes / 2 ** 20));
      return { limit: "memory", reason: `The process takes ${mb} MB of memory (at most ${most})` };
    }
    return undefined;
  };
  const found = full();
  const share = Math.max(sessions / maxSessions, lagMs / maxLagMs, rssBytes / maxRssBytes);
  return {
    state: { late, ...(holds !== undefined && { holds }) },
    full: found,
    load: found ? 1 : mostWhileTaking * Math.min(1, share),
  };
}

/** Judges anew whenever it is asked; `most`: sessions. Without `strain` their number counts alone. */
export function createAdmission(
  { maxSessions, strain = noStrain }: { readonly maxSessions: number; readonly strain?: Strain | undefined },
): (sessions: number, most?: number) => Admission {
  let state: AdmissionState = { late: false };
  return (sessions, most = maxSessions) => {
    const { lagMs, maxLagMs, rssBytes, maxRssBytes } = strain;
    const measured = { sessions, maxSessions: most, lagMs, maxLagMs, rssBytes, maxRssBytes };
    const { state: next, ...admission } = judge(state, measured);
    state = next;
    return admission;
  };
}

const noStrain: Strain = { lagMs: 0, maxLagMs: Infinity, rssBytes: 0, maxRssBytes: Infinity };
