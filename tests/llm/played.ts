/** A model that does as it is told, step by step, and somebody who asks it. */
import type { Clock } from "../../src/clock.ts";
import { StageError } from "../../src/errors.ts";
import type { LanguageEvent, LanguageModel, LanguageRequest } from "../../src/llm/llm.ts";
import type { FakeClock } from "../fakes/clock.ts";

/** What a model does: an event after so many milliseconds, a failure, or silence for ever. */
export type Step =
  & { readonly afterMs?: number }
  & ({ readonly event: LanguageEvent } | { readonly fail: true } | { readonly hang: true });

export const text = (text: string, afterMs = 10): Step => ({ afterMs, event: { type: "text", text } });
export const words = (line: string): Step[] => (line.match(/\S+\s*/g) ?? []).map((word) => text(word));
export const finish: Step = {
  event: { type: "finish", reason: "stop", usage: { inputTokens: 5, outputTokens: 7 } },
};
export const fails: Step = { fail: true };
export const hangs: Step = { hang: true };
export const call: Step = { event: { type: "tool-call", id: "call-1", name: "look", arguments: {} } };

export interface Played extends LanguageModel {
  readonly requests: LanguageRequest[];
  /** Requests that were neither answered whole nor let go. */
  open: number;
}

/** A model that does as `turns` say, request after request; the last again when there are no more. */
export function played(model: string, clock: Clock, ...turns: readonly (readonly Step[])[]): Played {
  const requests: LanguageRequest[] = [];
  const self: Played = {
    provider: "played",
    model,
    requests,
    open: 0,
    generate(request, { signal }) {
      const steps = turns[Math.min(requests.length, turns.length - 1)] ?? [];
      requests.push(request);
      return ReadableStream.from(play(steps, signal));
    },
  };
  async function* play(steps: readonly Step[], signal: AbortSignal): AsyncGenerator<LanguageEvent> {
    self.open++;
    try {
      for (const step of steps) {
        await clock.sleep("hang" in step ? 1e9 : step.afterMs ?? 0, { signal });
        if ("fail" in step) throw new StageError("llm", `${model} failed`, { retryable: true });
        if ("event" in step) yield step.event;
      }
    } finally {
      self.open--;
    }
  }
  return self;
}

export const request: LanguageRequest = { messages: [{ role: "user", content: "Where is my order?" }] };

/** Asks, and tells what came and when it was over. */
export async function ask(model: LanguageModel, clock: FakeClock) {
  const events: LanguageEvent[] = [];
  let failure: unknown;
  let over = false;
  const beganMs = clock.now();
  const { signal } = new AbortController();
  const read = (async () => {
    try {
      for await (const event of model.generate(request, { signal })) events.push(event);
    } catch (error) {
      failure = error;
    }
    over = true;
  })();
  while (!over) await clock.advance(10);
  await read;
  const said = events.filter((event) => event.type === "text").map(({ text }) => text).join("");
  return { said, events, failure, ms: clock.now() - beganMs };
}
