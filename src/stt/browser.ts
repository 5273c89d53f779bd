/** Speech recognition by the participant's own browser: the words come from the room, as its messages. */
import type { SpeechToText } from "./stt.ts";

/** Reads the audio, so that nothing waits for it, and hears nothing. */
export function browserSpeechToText(): SpeechToText {
  return {
    provider: "browser",
    model: "speech",
    input: { sampleRate: 16_000, channels: 1 },
    elsewhere: true,
    transcribe: (voice, { signal }) => {
      const nothing = new TransformStream<unknown, never>({ transform() {} });
      return voice.pipeThrough(nothing, { signal });
    },
  };
}
