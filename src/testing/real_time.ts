/** What is not scripted takes real time: while it is at work, a virtual clock goes no faster. */
import { systemClock } from "../clock.ts";
import type { LanguageModel } from "../llm/llm.ts";

export interface RealWork {
  /** Returns `work`, which takes real time. */
  track<T>(work: Promise<T>): Promise<T>;
  /** Waits while something is at work, for `ms` at the most; returns whether it has waited. */
  pace(ms: number): Promise<boolean>;
}

export function realWork(): RealWork {
  let running = 0;
  let ended = Promise.withResolvers<void>();
  const end = () => {
    running--;
    ended.resolve();
    ended = Promise.withResolvers();
  };
  return {
    track(work) {
      running++;
      void work.then(end, end);
      return work;
    },
    async pace(ms) {
      if (running === 0) return false;
      const late = Promise.withResolvers<void>();
      using _ = systemClock.after(ms, late.resolve);
      await Promise.race([ended.promise, late.promise]);
      return true;
    },
  };
}

/** A model whose answers take real time. */
export function inRealTime(model: LanguageModel, { track }: RealWork): LanguageModel {
  return {
    ...model,
    generate(request, options) {
      const reader = model.generate(request, options).getReader();
      return new ReadableStream({
        async pull(controller) {
          const { done, value } = await track(reader.read());
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: (reason) => reader.cancel(reason),
      }, { highWaterMark: 0 });
    },
  };
}
