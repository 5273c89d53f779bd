/** Transcription by OpenAI, and by servers that speak its API: https://platform.openai.com/docs/api-reference/audio/createTranscription */
import { samplesIn } from "../audio/frame.ts";
import { writeWav } from "../audio/wav.ts";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import { openaiClient, openaiError, type OpenAIServer } from "../openai.ts";
import { segmentedSpeechToText, segmentFormat, type TranscribeSegment } from "./segments.ts";
import type { SpeechToText } from "./stt.ts";

/** A request that gets no further for this long has failed. */
const PATIENCE_MS = 6_000;
/** Shorter recordings are refused. */
const SHORTEST_MS = 100;
/** The models whose transcripts are streamed; the others ignore that they are asked to. */
const STREAMED = /^gpt-.*transcribe/;

export interface OpenAISpeechToTextOptions extends OpenAIServer {
  readonly model?: string | undefined;
  /** ISO 639-1 ("en"), which makes it faster and more accurate; a region that follows ("en-GB") is not sent. */
  readonly language?: string | undefined;
  readonly clock: Clock;
}

/** Transcribes speech by a request each time it pauses. */
export function openaiSpeechToText(
  { apiKey, baseUrl, model = "gpt-4o-transcribe", language, clock }: OpenAISpeechToTextOptions,
): SpeechToText {
  const client = openaiClient({ apiKey, baseUrl });
  const settings = { model, ...(language && { language: language.replace(/-.*/, "") }) };

  const transcribe: TranscribeSegment = async function* (samples, { signal }) {
    try {
      const { audio } = await client();
      const request = { ...settings, file: recording(samples) };
      if (!STREAMED.test(model)) {
        yield (await audio.transcriptions.create(request, { signal })).text;
        return;
      }
      let text = "";
      for await (const event of await audio.transcriptions.create({ ...request, stream: true }, { signal })) {
        if (event.type === "transcript.text.delta") yield text += event.delta;
        if (event.type === "transcript.text.done") return yield event.text;
      }
      throw new StageError("stt", "the transcript broke off", { retryable: true });
    } catch (error) {
      throw signal.aborted ? signal.reason : await openaiError("stt", error, { model, baseUrl, apiKey });
    }
  };
  return segmentedSpeechToText({ provider: "openai", model, transcribe, patienceMs: PATIENCE_MS, clock });
}

/** `samples` as a WAV file, with silence behind what is too short. */
function recording(samples: Int16Array): File {
  const padded = new Int16Array(Math.max(samples.length, samplesIn(SHORTEST_MS, segmentFormat)));
  padded.set(samples);
  return new File([writeWav({ ...segmentFormat, samples: padded })], "speech.wav", { type: "audio/wav" });
}
