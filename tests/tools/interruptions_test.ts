/** Whenever an answer is cut off: histories are well formed, and what is to be done once is done once. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import { z } from "zod";
import { wireMessages } from "../../src/llm/openai.ts";
import { tool, type ToolEffect } from "../../src/tool.ts";
import { refusalOfMessages } from "../emulators/openai_requests.ts";
import { always, call, scripted, type Step, world } from "./world.ts";

interface Called {
  readonly effect: ToolEffect;
  readonly fate: "well" | "throws" | "deaf" | "hangs";
  readonly ms: number;
  /** Calls with the same are the same call. */
  readonly n: number;
  readonly confirm: boolean;
}

interface Moment {
  readonly atMs: number;
  /** How many of the promises that settle then do so first. */
  readonly microtasks: number;
}

interface Script {
  readonly steps: readonly (readonly Called[])[];
  readonly cut: Moment | undefined;
  /** When the turn is sure to be over; undefined: from the beginning. */
  readonly commit: Moment | undefined;
  readonly end: Moment | undefined;
  /** The model is asked a second time for the same turn, that much later. */
  readonly again: Moment | undefined;
}

const moment = fc.record({ atMs: fc.constantFrom(0, 10, 20, 50, 400), microtasks: fc.nat(60) });
const called: fc.Arbitrary<Called> = fc.record({
  effect: fc.constantFrom("none", "idempotent", "once"),
  fate: fc.constantFrom("well", "well", "throws", "deaf", "hangs"),
  ms: fc.constantFrom(0, 10, 400, 20_000),
  n: fc.nat(2),
  confirm: fc.boolean(),
});
const scripts: fc.Arbitrary<Script> = fc.record({
  steps: fc.array(fc.array(called, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 }),
  cut: fc.option(moment, { nil: undefined }),
  commit: fc.option(moment, { nil: undefined }),
  end: fc.option(moment, { nil: undefined, freq: 3 }),
  again: fc.option(moment, { nil: undefined }),
});

const parameters = z.object({ n: z.number(), fate: z.string(), ms: z.number() });
const nameOf = ({ effect, confirm }: Called) => `${effect}${confirm ? "-asks" : ""}`;

/** Plays `script` and says what should not have happened. */
async function violations({ steps, cut, commit, end, again }: Script): Promise<string[]> {
  const wrong: string[] = [];
  const w = world({ answers: () => w.clock.sleep(5).then(() => true) });
  /** What is to be done "once", and how often it was begun. */
  const begun = new Map<string, number>();
  /** The calls that were begun and must come to their end. */
  const finishing = new Set<string>();
  let early = 0;
  let committed = commit === undefined;
  const made = (effect: ToolEffect, confirm: boolean) =>
    tool({
      description: "Does it",
      effect,
      parameters,
      confirm,
      execute: async ({ fate, ms }, { callId, idempotencyKey, signal }) => {
        if (effect !== "none" && !committed) early++;
        if (effect === "once") begun.set(idempotencyKey, (begun.get(idempotencyKey) ?? 0) + 1);
        if (effect === "once" && fate !== "hangs") finishing.add(callId);
        if (fate === "hangs") return new Promise(() => {});
        await w.clock.sleep(ms, fate === "deaf" ? {} : { signal });
        if (fate === "throws") throw new Error("it failed");
        return ms;
      },
    });
  const effects: readonly ToolEffect[] = ["none", "idempotent", "once"];
  const tools = Object.fromEntries(effects.flatMap((effect) => [
    [effect, made(effect, false)],
    [`${effect}-asks`, made(effect, true)],
  ]));
  const model = (prefix: string) =>
    scripted(steps.map((calls, step): Step => [
      "Well. ",
      ...calls.map((one, i) =>
        call(`${prefix}${step}-${i}`, nameOf(one), { n: one.n, fate: one.fate, ms: one.ms })
      ),
    ]));
  const check = (when: string) => {
    const refusal = refusalOfMessages(wireMessages(w.prompt("And?")) as never);
    if (refusal) wrong.push(`${when}: ${refusal.message}`);
  };

  const interruption = new AbortController();
  const commitment = Promise.withResolvers<void>();
  const at = ({ atMs, microtasks }: Moment, act: () => void) => {
    const soon = async () => {
      for (let i = 0; i < microtasks; i++) await Promise.resolve();
      check("before");
      act();
      check("right after");
    };
    if (atMs === 0) void soon();
    else w.clock.after(atMs, () => void soon());
  };
  const answers: Promise<unknown>[] = [];
  const answer = (prefix: string) => {
    const options = { signal: interruption.signal, ...(commit && { committed: commitment.promise }) };
    const { ended } = w.answer(tools, model(prefix).generate, options);
    answers.push(ended.then((error) => {
      if (error !== undefined && error !== "cut") wrong.push(`the answer failed: ${error}`);
    }));
  };
  if (cut) at(cut, () => interruption.abort("cut"));
  if (commit) {
    at(commit, () => {
      committed = true;
      commitment.resolve();
    });
  }
  if (end) at(end, () => (w.ended.abort("ended"), interruption.abort("cut")));
  if (again) at(again, () => answer("again"));
  answer("first");
  // Another turn while the first may still be at work.
  w.clock.after(500, () => {
    check("next turn");
    const { ended } = w.answer({}, scripted([]).generate, {
      messages: always(w.prompt("And?")),
      turnId: "turn-2",
    });
    answers.push(ended.then((error) => void (error !== undefined && wrong.push(`the next turn: ${error}`))));
  });
  await w.clock.advance(300_000);
  await Promise.all(answers);
  check("afterwards");

  // What hangs is not given up before the session ends.
  w.ended.abort("ended");
  await w.clock.advance(2_000);
  await w.runner.idle();
  if (w.clock.pending > 0) wrong.push(`${w.clock.pending} timers are left`);

  const ids = w.items.flatMap((item) => item.type === "tool-call" ? [item.call.id] : []);
  const results = w.items.flatMap((item) => item.type === "tool-result" ? [item.callId] : []);
  if (ids.toSorted().join() !== results.toSorted().join()) wrong.push(`calls ${ids}, results ${results}`);
  if (early > 0) wrong.push(`${early} tools had an effect before the turn was over`);
  for (const [key, count] of begun) if (count > 1) wrong.push(`${key} was done ${count} times`);
  const whole = !cut && !end;
  const wanted = new Set(
    steps.flat().filter(({ effect }) => effect === "once").map((one) =>
      JSON.stringify([nameOf(one), one.n, one.fate, one.ms])
    ),
  );
  if (whole && begun.size !== wanted.size) wrong.push(`${begun.size} of ${wanted.size} were done once`);
  for (const { callId, outcome } of w.results) {
    // Begun, it comes to its own end; only what hangs is given up.
    if (finishing.has(callId) && !end && outcome === "cancelled") {
      wrong.push(`${callId} was begun, and cancelled`);
    }
  }
  return wrong;
}

const one = { effect: "once", fate: "well", ms: 10, n: 1, confirm: false } as const;

describe("an answer with tools, cut off anywhere", () => {
  it("holds what is promised at every single await of one answer", async () => {
    const steps: Script["steps"] = [
      [one, { ...one, effect: "none" }, { ...one, effect: "idempotent" }, one],
      [{ ...one, n: 2, confirm: true }, { ...one, effect: "none", fate: "throws" }],
      [one],
    ];
    for (const atMs of [0, 5, 10, 15, 25, 30, 35]) {
      for (let microtasks = 0; microtasks < 100; microtasks++) {
        const cut = { atMs, microtasks };
        for (const commit of [undefined, { atMs: 5, microtasks: 3 }]) {
          const found = await violations({ steps, cut, commit, end: undefined, again: undefined });
          assertEquals(found, [], `cut at ${atMs} ms, after ${microtasks} microtasks`);
        }
      }
    }
  });

  it("holds what is promised whatever is called, and whatever happens meanwhile", async () => {
    await fc.assert(
      fc.asyncProperty(scripts, async (script) => assertEquals(await violations(script), [])),
      { numRuns: 500 },
    );
  });
});
