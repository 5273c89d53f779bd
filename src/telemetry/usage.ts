/** What a session uses of its providers, counted as it passes by. */
import { durationMs } from "../audio/frame.ts";
import type { StageError } from "../errors.ts";
import type { Usage } from "../events.ts";
import { estimatedTokens } from "../history/tokens.ts";
import type { LanguageEvent, LanguageModel, LanguageRequest } from "../llm/llm.ts";
import type { SpeechToText } from "../stt/stt.ts";
import type { SpareVoice } from "../tts/spare.ts";
import type { TextToSpeech } from "../tts/tts.ts";

/** Told of what was used since the last time. */
export type OnUsage = (usage: Usage) => void;

/** The audio between two reports of a recognizer, in milliseconds. */
const reportEveryMs = 10_000;

/**
 * The same providers; `onUsage` is told what is used of them, `onFallback` of failures that one made good that stands in.
 * Nothing waits for the count.
 */
export function metered<
  P extends {
    readonly stt: SpeechToText;
    readonly llm: LanguageModel;
    readonly tts: TextToSpeech;
    readonly summarizer?: LanguageModel;
    readonly spare?: SpareVoice;
  },
>(providers: P, onUsage: OnUsage, onFallback?: (error: StageError) => void): P {
  const { stt, llm, tts, summarizer, spare } = providers;
  return {
    ...providers,
    stt: meteredSpeechToText(stt, onUsage),
    llm: meteredLanguageModel(llm, onUsage, onFallback),
    tts: meteredTextToSpeech(tts, onUsage, onFallback),
    ...(spare && { spare: spare.with((voice) => meteredTextToSpeech(voice, onUsage), onFallback) }),
    ...(summarizer && { summarizer: meteredLanguageModel(summarizer, onUsage) }),
  };
}

/** Counts the audio that is sent, what is sent again too, and tells every 10 s of it and at the end. */
export function meteredSpeechToText(stt: SpeechToText, onUsage: OnUsage): SpeechToText {
  if (stt.each) return stt.each((member) => meteredSpeechToText(member, onUsage));
  const { provider, model, input, elsewhere, countsSent } = stt;
  if (elsewhere) return stt; // the audio goes nowhere
  return {
    ...stt,
    provider,
    model,
    input,
    transcribe(voice, options) {
      let audioMs = 0;
      const tell = () => {
        if (audioMs > 0) onUsage({ stage: "stt", provider, model, audioMs });
        audioMs = 0;
      };
      const onSent = (ms: number) => {
        audioMs += ms;
        if (audioMs >= reportEveryMs) tell();
      };
      if (countsSent) {
        return counted(stt.transcribe(voice, { ...options, onSent }), options.signal, () => {}, tell);
      }
      const taken = counted(voice, options.signal, (event) => {
        if (event.type === "audio") onSent(durationMs(event.frame));
      }, tell);
      return stt.transcribe(taken, options);
    },
  };
}

/**
 * Tells each request's tokens once: with its end, or as `uncounted` when it was cut off or failed before, with an estimate
 * unless it failed without a word.
 */
export function meteredLanguageModel(
  llm: LanguageModel,
  onUsage: OnUsage,
  onFallback?: (error: StageError) => void,
): LanguageModel {
  if (llm.each) return llm.each((member) => meteredLanguageModel(member, onUsage, onFallback), onFallback);
  const { provider, model } = llm;
  return {
    ...llm,
    provider,
    model,
    generate(request, options) {
      let tokens: Extract<LanguageEvent, { type: "finish" }>["usage"];
      let written = "";
      return counted(llm.generate(request, options), options.signal, (event) => {
        if (event.type === "finish") tokens = event.usage;
        if (event.type === "text") written += event.text;
      }, (failed) => {
        const isCharged = written !== "" || !failed;
        onUsage({
          stage: "llm",
          provider,
          model,
          ...(tokens ?? { inputTokens: 0, outputTokens: 0, uncounted: true }),
          ...(!tokens && isCharged && { estimated: estimateOf(request, written) }),
        });
      });
    },
  };
}

/** What a request has taken, by the text alone: pictures and the descriptions of tools are left out. */
const estimateOf = ({ messages }: LanguageRequest, written: string) => ({
  inputTokens: messages.reduce((sum, { content }) => sum + estimatedTokens(content), 0),
  outputTokens: estimatedTokens(written),
});

/** Tells the text and the audio of each reply once, at its end or when it is cut off; nothing of one without either. */
export function meteredTextToSpeech(
  tts: TextToSpeech,
  onUsage: OnUsage,
  onFallback?: (error: StageError) => void,
): TextToSpeech {
  if (tts.each) return tts.each((member) => meteredTextToSpeech(member, onUsage), onFallback);
  const { provider, model, output, connect } = tts;
  return {
    ...tts,
    provider,
    model,
    output,
    synthesize(text, options) {
      let characters = 0;
      let audioMs = 0;
      const sent = counted(text, options.signal, (clause) => characters += clause.length);
      return counted(tts.synthesize(sent, options), options.signal, (event) => {
        if (event.type === "audio") audioMs += durationMs(event.frame);
      }, () => {
        if (characters > 0 || audioMs > 0) onUsage({ stage: "tts", provider, model, characters, audioMs });
      });
    },
    ...(connect && { connect: (options) => meteredTextToSpeech(connect.call(tts, options), onUsage) }),
  };
}

/**
 * Passes `stream` on, item by item as it is read, and tells `each` of it; `end` once, when it ends or has `failed`, its
 * reader gives up, or `signal` aborts. Not a tee() or a TransformStream: those would read ahead.
 */
function counted<T>(
  stream: ReadableStream<T>,
  signal: AbortSignal,
  each: (item: T) => void,
  end: (failed: boolean) => void = () => {},
): ReadableStream<T> {
  const reader = stream.getReader();
  let over = signal.aborted;
  const finish = (failed = false) => {
    if (over) return;
    over = true;
    signal.removeEventListener("abort", cutOff);
    end(failed);
  };
  const cutOff = () => finish();
  signal.addEventListener("abort", cutOff, { once: true });
  return new ReadableStream<T>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          finish();
          return controller.close();
        }
        if (!over) each(value);
        controller.enqueue(value);
      } catch (error) {
        finish(!signal.aborted);
        throw error;
      }
    },
    async cancel(reason) {
      finish();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
