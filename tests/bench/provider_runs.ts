/** One request after another of a provider, as a session makes them. */
import type { LanguageModel } from "../../src/llm/llm.ts";
import type { SpeechToText } from "../../src/stt/stt.ts";
import type { TextToSpeech } from "../../src/tts/tts.ts";
import { voiceFeed } from "../fakes/voice_events.ts";

export interface Requests {
  /** Makes one, all of its input at once; `came` is told of results. Settles when it is over. */
  next(came: () => void): Promise<void>;
  end(): Promise<void>;
}

/** How long somebody speaks, and is silent then; milliseconds of audio. */
const speechMs = 260;
const silenceMs = 2_000;

export function asked(llm: LanguageModel): Requests {
  const session = new AbortController();
  const messages = [{ role: "user" as const, content: "Hello." }];
  llm.connect?.(session);
  return {
    async next(came) {
      for await (const { type } of llm.generate({ messages }, session)) if (type === "text") came();
    },
    end: () => Promise.resolve(session.abort()),
  };
}

export function spoken(voice: TextToSpeech): Requests {
  const session = new AbortController();
  const tts = voice.connect?.(session) ?? voice;
  return {
    async next(came) {
      const text = ReadableStream.from(["Hello there."]);
      for await (const { type } of tts.synthesize(text, session)) if (type === "audio") came();
    },
    end: () => Promise.resolve(session.abort()),
  };
}

export function heard(stt: SpeechToText): Requests {
  const session = new AbortController();
  const voice = voiceFeed();
  let onWords = () => {};
  let onFinal = () => {};
  stt.connect?.(session);
  const read = async () => {
    for await (const { type, text } of stt.transcribe(voice.stream, session)) {
      if (text !== "") onWords();
      if (type === "final") onFinal();
    }
  };
  const done = read();
  return {
    async next(came) {
      const words = Promise.withResolvers<void>();
      const final = Promise.withResolvers<void>();
      onWords = () => {
        came();
        words.resolve();
      };
      onFinal = final.resolve;
      voice.mark("speech-start");
      voice.speech(speechMs);
      voice.mark("speech-pause");
      await words.promise;
      voice.silence(silenceMs);
      voice.mark("speech-end");
      voice.finalize();
      await final.promise;
    },
    async end() {
      voice.end();
      await done;
      session.abort();
    },
  };
}
