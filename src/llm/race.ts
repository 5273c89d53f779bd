/** Models that race each other: a late one costs money, not time. */
import { generated, untilAborted } from "../abort.ts";
import type { Clock } from "../clock.ts";
import { asStageError, type StageError } from "../errors.ts";
import { createHealth, type Health } from "../health.ts";
import { clauses } from "../text/clauses.ts";
import type { LanguageEvent, LanguageModel, LanguageRequest } from "./llm.ts";

export interface RaceOptions {
  readonly clock: Clock;
  /** The next model is asked too when there is no speakable clause after so long (default: learned; 3 s at first). */
  readonly afterMs?: number | undefined;
  /** Told of each request that was made in vain: the extra that the race has cost. */
  readonly onLost?: ((lost: { readonly provider: string; readonly model: string }) => void) | undefined;
  /** Told of a model that failed while others went on. */
  readonly onFallback?: ((error: StageError) => void) | undefined;
  /** How the models are doing, when more than this wrapper is to know. */
  readonly health?: Health | undefined;
}

/**
 * One model made of several: the first is asked; when it is late, the next is asked too, and so on. Whoever has a clause
 * that can be spoken, calls tools, or is at its end first, gives the answer; the others are cut off. Fails, with the last
 * error, when all do; not once an answer has begun to be passed on (that is what `fallback()` is for).
 */
export function raceLanguageModels(
  models: readonly [LanguageModel, ...LanguageModel[]],
  options: RaceOptions,
): LanguageModel {
  const { clock, afterMs, onLost, onFallback } = options;
  const health = options.health ?? createHealth({ members: models.length, clock, firstResultMs: afterMs });
  const [{ provider, model }] = models;

  async function* answer(request: LanguageRequest, signal: AbortSignal): AsyncGenerator<LanguageEvent> {
    const waiting = health.order();
    const runners = new Set<Runner>();
    let failure: StageError | undefined;
    let winner: Runner | undefined;
    const over = new AbortController();
    const all = AbortSignal.any([signal, over.signal]);
    try {
      while (!winner) {
        const place = waiting.shift();
        const runner = place === undefined ? undefined : enter(models[place]!, place, request, all, clock);
        if (runner) runners.add(runner);
        if (runners.size === 0) throw failure;
        // As long as others may still be asked, nobody is waited for too long.
        const patience = new AbortController();
        const late = waiting.length > 0 && runner
          ? clock.sleep(health.patienceMs(runner.place), { signal: patience.signal }).then(
            () => undefined,
            () => undefined,
          )
          : new Promise<undefined>(() => {});
        const first = await Promise.race([...[...runners].map(({ ready }) => ready), late]);
        patience.abort();
        if (signal.aborted) throw signal.reason;
        if (first === undefined) {
          if (runner) health.failed(runner.place);
        } else if (first.failed === undefined) winner = first.runner;
        else {
          runners.delete(first.runner);
          health.failed(first.runner.place);
          failure = asStageError("llm", first.failed);
          if (runners.size > 0 || waiting.length > 0) onFallback?.(failure);
        }
      }
      health.answered(winner.place, clock.now() - winner.beganMs);
      for (const runner of runners) {
        if (runner === winner) continue;
        runner.cut.abort();
        onLost?.({ provider: runner.model.provider, model: runner.model.model });
      }
      yield* winner.events();
    } finally {
      over.abort();
    }
  }

  return {
    provider,
    model,
    generate: (request, { signal }) => generated(signal, (signal) => answer(request, signal)),
    connect: (session) => models.forEach((member) => member.connect?.(session)),
    each: (wrap, onFallback = options.onFallback) =>
      raceLanguageModels(models.map(wrap) as [LanguageModel], { ...options, health, onFallback }),
  };
}

/** One model in the race. */
interface Runner {
  readonly model: LanguageModel;
  readonly place: number;
  readonly beganMs: number;
  readonly cut: AbortController;
  /** Settles when it has something to be spoken or done, or has failed. */
  readonly ready: Promise<{ readonly runner: Runner; readonly failed?: unknown }>;
  /** All it says, from the beginning. */
  events(): AsyncGenerator<LanguageEvent>;
}

function enter(
  model: LanguageModel,
  place: number,
  request: LanguageRequest,
  signal: AbortSignal,
  clock: Clock,
): Runner {
  const cut = new AbortController();
  const both = AbortSignal.any([signal, cut.signal]);
  const reader = untilAborted(model.generate(request, { signal: both }), both).getReader();
  const held: LanguageEvent[] = [];
  const run = async () => {
    const text = clauses();
    const writer = text.writable.getWriter();
    const first = text.readable.getReader().read().then(({ done }) => !done, () => false);
    let spoken = false;
    void first.then((is) => spoken = is);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      held.push(value);
      if (value.type !== "text") return;
      await writer.write(value.text);
      if (spoken) return;
    }
  };
  const runner: Runner = {
    model,
    place,
    beganMs: clock.now(),
    cut,
    ready: run().then(() => ({ runner }), (failed: unknown) => ({ runner, failed })),
    async *events() {
      yield* held;
      for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
    },
  };
  return runner;
}
