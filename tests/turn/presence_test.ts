import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import {
  initialPresence,
  presence,
  type PresenceEvent,
  type PresenceOptions,
} from "../../src/turn/presence.ts";

const defaults: PresenceOptions = {
  afterMs: 15_000,
  prompts: 0,
  closeAfterMs: 60_000,
  endsAtMs: Infinity,
  isSpent: false,
};

/** What happens at a time: both fall silent, somebody speaks, or the user says words. */
type Step = readonly [nowMs: number, what: "quiet" | "sound" | "words"];

/** Plays `steps`, asking again whenever it is due; what was done and when, until 200 s. */
function play(steps: readonly Step[], options: PresenceOptions): string[] {
  let state = initialPresence;
  let quiet = false;
  let wakeAtMs: number | undefined;
  const done: string[] = [];
  const take = (event: PresenceEvent) => {
    const result = presence(state, event, options);
    ({ state, wakeAtMs } = result);
    for (const { type, ...details } of result.actions) {
      done.push([event.nowMs, type, ...Object.values(details)].join(" "));
    }
  };
  const wakeUntil = (untilMs: number) => {
    while (wakeAtMs !== undefined && wakeAtMs < untilMs) take({ nowMs: wakeAtMs, quiet, returned: false });
  };
  for (const [nowMs, what] of [...steps, [200_000, "end"] as const]) {
    wakeUntil(nowMs);
    if (what === "end") break;
    quiet = what === "quiet";
    take({ nowMs, quiet, returned: what === "words" });
  }
  return done;
}

const cases: Record<string, { options?: Partial<PresenceOptions>; steps: Step[]; expected: string[] }> = {
  "silence of both sides: away, and in the end over": {
    steps: [[0, "quiet"]],
    expected: ["15000 report-user-away 15000", "75000 end-call user-away"],
  },
  "somebody speaks now and then: nobody is away": {
    steps: [[0, "quiet"], [14_000, "sound"], [16_000, "quiet"], [30_000, "words"], [31_000, "sound"]],
    expected: [],
  },
  "prompts: the first at once, each next after as much silence again, then the end": {
    options: { prompts: 2, closeAfterMs: 20_000 },
    steps: [
      [0, "quiet"],
      [15_500, "sound"],
      [17_000, "quiet"],
      [32_500, "sound"],
      [34_000, "quiet"],
    ],
    expected: [
      "15000 report-user-away 15000",
      "15000 prompt-user 0",
      "32000 prompt-user 1",
      "54000 end-call user-away",
    ],
  },
  "words bring the user back, a voice alone only takes time": {
    steps: [[0, "quiet"], [20_000, "sound"], [22_000, "quiet"], [70_000, "words"], [72_000, "quiet"], [
      80_000,
      "sound",
    ]],
    expected: ["15000 report-user-away 15000", "70000 report-user-returned 55000"],
  },
  "words in the last line bring the user back, too": {
    options: { closeAfterMs: 5_000 },
    steps: [[0, "quiet"], [20_500, "words"], [22_000, "sound"]],
    expected: [
      "15000 report-user-away 15000",
      "20000 end-call user-away",
      "20500 report-user-returned 5500",
    ],
  },
  "the call has lasted long enough, whoever speaks, and nothing brings it back": {
    options: { endsAtMs: 10_000 },
    steps: [[0, "sound"], [11_000, "words"], [12_000, "quiet"]],
    expected: ["10000 end-call max-duration"],
  },
  "the call has cost enough, whoever speaks, and nothing brings it back": {
    options: { isSpent: true, endsAtMs: 10_000 },
    steps: [[1_000, "sound"], [11_000, "words"], [12_000, "quiet"]],
    expected: ["1000 end-call cost-cap"],
  },
  "never away, never over": {
    options: { afterMs: Infinity },
    steps: [[0, "quiet"]],
    expected: [],
  },
};

describe("presence()", () => {
  for (const [name, { options, steps, expected }] of Object.entries(cases)) {
    it(name, () => assertEquals(play(steps, { ...defaults, ...options }), expected));
  }
});
