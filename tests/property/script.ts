/** Calls at random: what happens, when, and what goes wrong. */
import * as fc from "fast-check";
import type { SessionEvent } from "../../src/events.ts";
import type { ToolEffect } from "../../src/tool.ts";
import type { SpeechPriority } from "../../src/voice_session.ts";

/** How a model or a voice makes one answer. `deaf`: it hangs, and does not even end when it is told to. */
export type Fate = "well" | "fail" | "throw" | "die" | "hang" | "deaf";

/** A call of a tool: what it does to the world, how it goes, and how long it takes. `deaf`: it does not end when it is told to. */
export interface Called {
  readonly effect: ToolEffect;
  readonly asks: boolean;
  readonly fate: "well" | "fail" | "deaf" | "hang";
  readonly ms: number;
  /** Calls with the same are the same call. */
  readonly n: number;
  /** What it comes to: a result, another agent, or a task that is done first. */
  readonly leads: "result" | "agent" | "task";
}

/** What can be done from outside, at any moment. */
export type Act =
  | {
    readonly type: "say";
    readonly words: number;
    readonly interruptible: boolean;
    readonly priority: SpeechPriority;
  }
  | { readonly type: "stream"; readonly words: number; readonly fate: "well" | "fail" | "die" | "hang" }
  | { readonly type: "generate" }
  /** Cuts off, or takes out of the line, what was asked to be said, counted from the last. */
  | { readonly type: "cut"; readonly back: number }
  | { readonly type: "interrupt" | "press" | "typed" | "key-down" | "key-up" }
  | { readonly type: "voice-start" | "voice-pause" | "voice-resume" | "voice-end" | "hearing-lost" }
  /** A final may come twice, without a voice, and without words. */
  | { readonly type: "interim" | "final" | "final-twice"; readonly words: number }
  /** In writing. */
  | { readonly type: "yes" | "no" }
  /** The agent's code takes everything out of the history but the newest items. */
  | { readonly type: "forget"; readonly keep: number };

/** An act at a time, or so many microtasks after the `nth` event of a type. */
export type When =
  | { readonly atMs: number }
  | { readonly after: SessionEvent["type"]; readonly nth: number; readonly microtasks: number };

export interface Script {
  readonly acts: readonly { readonly when: When; readonly act: Act }[];
  readonly models: readonly {
    readonly fate: Fate;
    readonly words: number;
    readonly ttftMs: number;
    readonly tokenMs: number;
    /** What it calls behind its words. */
    readonly calls: readonly Called[];
  }[];
  readonly voices: readonly { readonly fate: Fate; readonly firstMs: number; readonly marks: boolean }[];
  readonly speculate: boolean;
  readonly allowed: boolean;
  readonly manual: boolean;
  readonly minWords: number;
  readonly away: boolean;
  /** How much of the history the model is told; all that usually is when undefined. */
  readonly maxItems: number | undefined;
  /** Whether it is told a summary of the rest. */
  readonly summarize: boolean;
  readonly maxCallMs: number | undefined;
  /** When the session is closed; after everything has come to rest when undefined. */
  readonly closeMs: number | undefined;
}

const busyMs = 12_000;
const words = fc.integer({ min: 1, max: 8 });

const fate = fc.oneof(
  { weight: 10, arbitrary: fc.constant<Fate>("well") },
  { weight: 6, arbitrary: fc.constantFrom<Fate>("fail", "throw", "die", "hang", "deaf") },
);

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("say" as const),
      words,
      interruptible: fc.boolean(),
      priority: fc.constantFrom<SpeechPriority>("normal", "high", "immediate"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("stream" as const),
      words,
      fate: fc.constantFrom("well" as const, "fail" as const, "die" as const, "hang" as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Act>({ type: "generate" }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("forget" as const), keep: fc.integer({ min: 0, max: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("cut" as const), back: fc.integer({ min: 0, max: 2 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constantFrom(
        "interrupt" as const,
        "press" as const,
        "typed" as const,
        "yes" as const,
        "no" as const,
        "key-down" as const,
        "key-up" as const,
      ),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constantFrom(
        "voice-start" as const,
        "voice-pause" as const,
        "voice-resume" as const,
        "voice-end" as const,
        "hearing-lost" as const,
      ),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constantFrom("interim" as const, "final" as const, "final" as const, "final-twice" as const),
      words: fc.integer({ min: 0, max: 8 }),
    }),
  },
);

const called: fc.Arbitrary<Called> = fc.record({
  effect: fc.constantFrom<ToolEffect>("none", "idempotent", "once"),
  asks: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  fate: fc.constantFrom(
    "well" as const,
    "well" as const,
    "well" as const,
    "fail" as const,
    "deaf" as const,
    "hang" as const,
  ),
  ms: fc.constantFrom(0, 10, 400, 2_500, 12_000),
  n: fc.nat(1),
  leads: fc.constantFrom("result" as const, "agent" as const, "task" as const),
});

const events: readonly SessionEvent["type"][] = [
  "state-changed",
  "user-started-speaking",
  "user-stopped-speaking",
  "user-speech-committed",
  "agent-started-speaking",
  "agent-stopped-speaking",
  "false-interruption",
  "turn-ended",
  "tools-called",
  "tools-finished",
  "handoff",
  "error",
];

const when: fc.Arbitrary<When> = fc.oneof(
  // Times of a coarse grid fall together, and on what the session does by itself.
  { weight: 3, arbitrary: fc.integer({ min: 0, max: busyMs / 50 }).map((at) => ({ atMs: at * 50 })) },
  {
    weight: 2,
    arbitrary: fc.record({
      after: fc.constantFrom(...events),
      nth: fc.integer({ min: 1, max: 4 }),
      microtasks: fc.integer({ min: 0, max: 6 }),
    }),
  },
);

/** What a user says: voice, words and silence as they belong together, so that many scripts have real turns. */
const utterance = fc.record({
  fromMs: fc.integer({ min: 0, max: busyMs / 50 }).map((at) => at * 50),
  ms: fc.integer({ min: 2, max: 30 }).map((at) => at * 50),
  words,
  finalMs: fc.constantFrom(0, 100, 300, 900, 4_000),
  finals: fc.constantFrom(0, 1, 1, 1, 2),
}).map(({ fromMs, ms, words, finalMs, finals }): Script["acts"] => {
  const endMs = fromMs + ms;
  const at = (atMs: number, act: Act) => ({ when: { atMs }, act });
  const final: Act = { type: finals === 2 ? "final-twice" : "final", words };
  return [
    at(fromMs + 50, { type: "voice-start" }),
    at(fromMs + ms / 2, { type: "interim", words: Math.ceil(words / 2) }),
    at(endMs + 40, { type: "voice-pause" }),
    at(endMs + 400, { type: "voice-end" }),
    ...(finals > 0 ? [at(endMs + finalMs, final)] : []),
  ];
});

export const script: fc.Arbitrary<Script> = fc.record({
  acts: fc.tuple(
    fc.array(utterance, { maxLength: 4 }).map((all) => all.flat()),
    fc.array(fc.record({ when, act }), { maxLength: 12 }),
  ).map(([spoken, random]) => [...spoken, ...random]),
  models: fc.array(
    fc.record({
      fate,
      words,
      ttftMs: fc.constantFrom(0, 50, 400, 2_500, 7_900),
      tokenMs: fc.constantFrom(0, 20, 300, 4_000),
      calls: fc.oneof(
        { weight: 2, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: fc.array(called, { minLength: 1, maxLength: 3 }) },
      ),
    }),
    { minLength: 1, maxLength: 5 },
  ),
  voices: fc.array(
    fc.record({ fate, firstMs: fc.constantFrom(0, 80, 600, 4_900), marks: fc.boolean() }),
    { minLength: 1, maxLength: 5 },
  ),
  speculate: fc.boolean(),
  allowed: fc.boolean(),
  manual: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
  minWords: fc.constantFrom(0, 0, 2),
  away: fc.boolean(),
  maxItems: fc.constantFrom(undefined, undefined, 1, 2, 5),
  summarize: fc.boolean(),
  maxCallMs: fc.constantFrom(undefined, undefined, undefined, 6_000),
  closeMs: fc.constantFrom(undefined, undefined, 3_000, 7_350),
});
