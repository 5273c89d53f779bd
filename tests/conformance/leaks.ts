/** What a call leaves behind of what was begun for it: timers, providers' streams, listeners of their abort signals. */
import { getEventListeners } from "node:events";
import { type Clock, clockFrom } from "../../src/clock.ts";
import type { LanguageModel } from "../../src/llm/llm.ts";
import type { SpeechStages } from "../../src/realtime/realtime.ts";
import type { SpeechToText } from "../../src/stt/stt.ts";
import type { TextToSpeech } from "../../src/tts/tts.ts";

/** What is counted in one call. */
export interface Leaks {
  /** `clock`, whose timers are counted. */
  readonly clock: Clock;
  /** The same providers, whose streams and signals are counted: of one that is made of several, those of each. */
  watch(providers: Partial<SpeechStages>): Partial<SpeechStages>;
  /** What is there now, in words. */
  left(): string[];
}

export function countLeaks(clock: Clock): Leaks {
  const timers = new Set<Disposable>();
  const streams = new Set<AbortSignal>();
  const signals = new Set<AbortSignal>();

  const counted = clockFrom(clock.now, (ms, callback) => {
    const timer = clock.after(ms, () => {
      timers.delete(timer);
      callback();
    });
    timers.add(timer);
    return () => {
      timers.delete(timer);
      timer[Symbol.dispose]();
    };
  });
  /** What `begin` makes with a signal of its own. */
  const followed = <T>(outer: AbortSignal, begin: (signal: AbortSignal) => ReadableStream<T>) => {
    const signal = AbortSignal.any([outer]);
    const reader = begin(signal).getReader();
    signals.add(signal);
    streams.add(signal);
    return new ReadableStream<T>({
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          streams.delete(signal);
          controller.close();
        } catch (error) {
          streams.delete(signal);
          throw error;
        }
      },
      cancel(reason) {
        streams.delete(signal);
        return reader.cancel(reason);
      },
    }, { highWaterMark: 0 });
  };
  const recognizer = (stt: SpeechToText): SpeechToText => ({
    ...stt,
    transcribe: (speech, how) => followed(how.signal, (signal) => stt.transcribe(speech, { ...how, signal })),
  });
  const model = (llm: LanguageModel): LanguageModel => ({
    ...llm,
    generate: (request, how) => followed(how.signal, (signal) => llm.generate(request, { ...how, signal })),
  });
  const voice = ({ connect, ...tts }: TextToSpeech): TextToSpeech => ({
    ...tts,
    synthesize: (text, how) => followed(how.signal, (signal) => tts.synthesize(text, { ...how, signal })),
    ...(connect && { connect: (session) => voice(connect(session)) }),
  });
  return {
    clock: counted,
    watch: ({ stt, llm, tts }) => ({
      ...(stt && { stt: stt.each?.(recognizer) ?? recognizer(stt) }),
      ...(llm && { llm: llm.each?.(model) ?? model(llm) }),
      ...(tts && { tts: tts.each?.(voice) ?? voice(tts) }),
    }),
    left() {
      const listeners = [...signals].map((signal) => getEventListeners(signal, "abort").length);
      const counts = {
        timers: timers.size,
        streams: streams.size,
        "abort listeners": listeners.reduce((sum, count) => sum + count, 0),
      };
      return Object.entries(counts).flatMap(([what, count]) => count > 0 ? [`${count} ${what}`] : []);
    },
  };
}
