/** Voices by OpenAI, and by servers that speak its API: https://platform.openai.com/docs/api-reference/audio/createSpeech */
import { sampleReader } from "../audio/pcm.ts";
import { openaiClient, openaiError, type OpenAIServer } from "../openai.ts";
import { perClause } from "./per_clause.ts";
import type { TextToSpeech } from "./tts.ts";

/** The most that one request may hold, in characters. */
const LONGEST = 4_096;

/** What `response_format: "pcm"` is. */
const output = { sampleRate: 24_000, channels: 1 };

export interface OpenAITextToSpeechOptions extends OpenAIServer {
  readonly model?: string | undefined;
  readonly voice?: string | undefined;
  /** How to speak ("calm, a little amused"); not for the tts-1 models. */
  readonly instructions?: string | undefined;
}

/** Speaks by one request a clause, streamed; the next one is made while the one before plays. */
export function openaiTextToSpeech(
  { apiKey, baseUrl, model = "gpt-4o-mini-tts", voice = "alloy", instructions }: OpenAITextToSpeechOptions,
): TextToSpeech {
  const client = openaiClient({ apiKey, baseUrl });
  const settings = { model, voice, ...(instructions && { instructions }), response_format: "pcm" } as const;

  async function* speak(clause: string, { signal }: { readonly signal: AbortSignal }) {
    try {
      for (const input of pieces(clause)) {
        const { body } = await (await client()).audio.speech.create({ ...settings, input }, { signal });
        if (!body) continue;
        const read = sampleReader();
        for await (const bytes of body) yield read(bytes);
      }
    } catch (error) {
      throw signal.aborted ? signal.reason : await openaiError("tts", error, { model, baseUrl, apiKey });
    }
  }
  return {
    provider: "openai",
    model,
    output,
    synthesize: (text, { signal }) => perClause(text, { speak, format: output, signal }),
  };
}

/** `text` in pieces that a request may hold, cut between words where there are some. */
function pieces(text: string): string[] {
  return text.match(new RegExp(`.{1,${LONGEST}}(?=\\s|$)|.{1,${LONGEST}}`, "gsu")) ?? [];
}
