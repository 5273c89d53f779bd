/**
 * OpenAI's models that hear and speak: https://developers.openai.com/api/docs/guides/realtime. What ends the user's turn, and
 * what interrupts the agent, is decided here as for any other agent (`turn_detection: null`).
 */
import { type Clock, systemClock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { OpenAIServer } from "../openai.ts";
import { transcriptionOf } from "../stt/openai_realtime.ts";
import { answeringOn } from "./answering.ts";
import { hearingOn } from "./hearing.ts";
import { createLine } from "./openai_line.ts";
import { format as pcm } from "./openai_response.ts";
import type { SpeechToSpeech } from "./realtime.ts";
import { speakingOn } from "./speaking.ts";

const provider = "openai-realtime";

export interface OpenAIRealtimeOptions extends OpenAIServer {
  /** Such as gpt-realtime. */
  readonly model: string;
  /** Its name (default "marin"): https://developers.openai.com/api/docs/guides/realtime-conversations#voice-options */
  readonly voice?: string | undefined;
  /** 0.25–1.5, 1 is the voice's own. */
  readonly speed?: number | undefined;
  /** What transcribes the user, for the transcript and the history (default gpt-transcribe). */
  readonly transcription?: string | undefined;
  /** BCP 47, of what the user says. */
  readonly language?: string | undefined;
  /** Default: the machine's. */
  readonly clock?: Clock;
  readonly log?: Log | undefined;
}

/** Such a model; its sessions speak over one WebSocket each, not through the SDK, whose socket cannot drop a dead peer. */
export function openaiRealtime(options: OpenAIRealtimeOptions): SpeechToSpeech {
  const { apiKey, baseUrl = "https://api.openai.com/v1", model, clock = systemClock, log } = options;
  const { voice = "marin", speed, transcription = "gpt-transcribe", language } = options;
  const format = { type: "audio/pcm", rate: pcm.sampleRate };
  const input = { format, transcription: transcriptionOf(transcription, language), turn_detection: null };
  const output = { format, voice, ...(speed !== undefined && { speed }) };
  const session = { type: "realtime", output_modalities: ["audio"], audio: { input, output } };
  const url = new URL(`${baseUrl.replace(/^http/, "ws")}/realtime`);
  url.searchParams.set("model", model);
  return {
    provider,
    model,
    stages() {
      const settings = { type: "session.update", session };
      const line = createLine({ url: url.href, apiKey, settings, clock, log });
      return {
        stt: hearingOn(line, { provider: "openai", transcription, clock }),
        llm: answeringOn(line, { provider, model, clock }),
        tts: speakingOn(line, { provider, model, clock, log }),
      };
    },
  };
}
