/** Speech for tests: frames whose loudness says whether there is a voice, and stages that believe it. */
import type { AudioFrame } from "../audio/frame.ts";
import type { VoiceActivityDetector, VoiceEvent, VoiceOptions } from "../vad/vad.ts";
import { isSpeech, SILENT, voice } from "../vad/voice.ts";

export const frameMs = 20;
const loud = 1_000;

/** So many people may talk at most. */
const mostVoices = 100;

/** One frame of 20 ms at 16 kHz; `voice`: the number of whoever talks, from 0. */
export function microphoneFrame(timestampMs: number, voiced: boolean, voice = 0): AudioFrame {
  const samples = new Int16Array(16 * frameMs).fill(voiced ? loud + voice : 0);
  return { samples, sampleRate: 16_000, channels: 1, timestampMs };
}

/** Whose voice is in `frame`; undefined when there is none. */
export function voiceIn({ samples: [sample = 0] }: AudioFrame): number | undefined {
  return sample >= loud && sample < loud + mostVoices ? sample - loud : undefined;
}

export const isVoiced = (frame: AudioFrame): boolean => voiceIn(frame) !== undefined;

/** The real rules of speech, on a model that takes loud for voiced. */
export function loudnessDetector(options: Partial<VoiceOptions> = {}): VoiceActivityDetector {
  const settings = {
    activationThreshold: 0.5,
    minSpeechMs: 64,
    minSilenceMs: 400,
    prefixPaddingMs: 0,
    ...options,
  };
  return {
    model: "loudness",
    input: { sampleRate: 16_000, channels: 1 },
    detect() {
      let state = SILENT;
      return new TransformStream<AudioFrame, VoiceEvent>({
        transform(frame, controller) {
          const [startMs, endMs] = [frame.timestampMs, frame.timestampMs + frameMs];
          const next = voice(state, { probability: isVoiced(frame) ? 1 : 0, startMs, endMs }, settings);
          state = next.state;
          for (const mark of next.marks) controller.enqueue(mark);
          controller.enqueue({ type: "audio", frame, speech: isSpeech(state) });
        },
      });
    },
  };
}
