/** Models that stand in for each other: when one fails, is late or gets stuck, the next goes on where it stopped. */
import { generated, untilAborted } from "../abort.ts";
import type { Clock } from "../clock.ts";
import { asStageError, StageError } from "../errors.ts";
import { createHealth, type Health } from "../health.ts";
import { continuing, type TextFilter, wholeWords, withoutRepeats } from "./continuation.ts";
import type { LanguageEvent, LanguageModel, LanguageRequest } from "./llm.ts";

/** Within an answer, so long without a token is too long; milliseconds. */
const stuckMs = 2_000;

export interface FallbackOptions {
  readonly clock: Clock;
  /** How long the first token may take, in milliseconds (default: learned from each model; 3 s at first). */
  readonly firstResultMs?: number | undefined;
  /** Told of each failure that another model made good. */
  readonly onFallback?: ((error: StageError) => void) | undefined;
  /** How the models are doing, when more than this wrapper is to know. */
  readonly health?: Health | undefined;
}

/**
 * One model made of several: asked in this order, those that failed lately last. When one fails, does not begin in time,
 * or stops for 2 s, the next one is told what was said so far and goes on; what it repeats is left out. Tools are called
 * when the answer that calls them is complete. Fails, with the last error, when all do.
 */
export function fallbackLanguageModel(
  models: readonly [LanguageModel, ...LanguageModel[]],
  options: FallbackOptions,
): LanguageModel {
  const { clock, firstResultMs, onFallback } = options;
  const health = options.health ?? createHealth({ members: models.length, clock, firstResultMs });
  const [{ provider, model }] = models;

  async function* answer(request: LanguageRequest, signal: AbortSignal): AsyncGenerator<LanguageEvent> {
    let said = "";
    let failure: StageError | undefined;
    for (const place of health.order()) {
      const member = models[place];
      if (!member) continue;
      if (failure) onFallback?.(failure);
      const asked = said ? continuing(request, said) : request;
      try {
        const filters = said ? [withoutRepeats(said), wholeWords()] : [wholeWords()];
        for await (const event of whole(member, place, asked, filters, signal)) {
          if (event.type === "text") said += event.text;
          yield event;
        }
        return;
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        health.failed(place);
        failure = asStageError("llm", error);
      }
    }
    throw failure;
  }

  /** One model's answer, text as it comes and calls at its end; fails when it is late. */
  async function* whole(
    member: LanguageModel,
    place: number,
    request: LanguageRequest,
    filters: readonly TextFilter[],
    signal: AbortSignal,
  ): AsyncGenerator<LanguageEvent> {
    const cut = new AbortController();
    const both = AbortSignal.any([signal, cut.signal]);
    const reader = untilAborted(member.generate(request, { signal: both }), both).getReader();
    const beganMs = clock.now();
    const held: LanguageEvent[] = [];
    let waitMs = health.patienceMs(place);
    const late = () => {
      const what = waitMs === stuckMs ? "stopped in its answer" : "did not begin to answer";
      const message = `${member.provider}/${member.model} ${what} within ${Math.round(waitMs)} ms`;
      cut.abort(new StageError("llm", message, { retryable: true }));
    };
    try {
      for (let isFirst = true;; isFirst = false) {
        const timer = clock.after(waitMs, late);
        const { done, value } = await reader.read().finally(() => timer[Symbol.dispose]());
        if (isFirst && !done) health.answered(place, clock.now() - beganMs);
        waitMs = stuckMs;
        if (!done && value.type === "text") {
          const text = filters.reduce((text, filter) => filter.take(text), value.text);
          if (text) yield { type: "text", text };
        } else if (!done) held.push(value);
        if (!done && value.type !== "finish") continue;
        const rest = filters.reduce((text, filter) => filter.take(text) + filter.end(), "");
        if (rest) yield { type: "text", text: rest };
        yield* held;
        return;
      }
    } finally {
      cut.abort();
    }
  }

  return {
    provider,
    model,
    generate: (request, { signal }) => generated(signal, (signal) => answer(request, signal)),
    connect: (session) => models.forEach((member) => member.connect?.(session)),
    each: (wrap, onFallback = options.onFallback) =>
      fallbackLanguageModel(models.map(wrap) as [LanguageModel], { ...options, health, onFallback }),
  };
}
