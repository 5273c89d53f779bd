/** What ElevenLabs sends: https://elevenlabs.io/docs/api-reference/multi-context-websocket */
import * as z from "zod";
import { StageError } from "../errors.ts";
import type { Alignment } from "./elevenlabs_words.ts";

const alignmentSchema = z.object({
  chars: z.array(z.string()),
  charStartTimesMs: z.array(z.number()),
  charDurationsMs: z.array(z.number()).optional(),
  /** As the older endpoint spells it. */
  charsDurationsMs: z.array(z.number()).optional(),
}).transform((times): Alignment => ({
  ...times,
  charDurationsMs: times.charDurationsMs ?? times.charsDurationsMs ?? [],
}));

const messageSchema = z.preprocess(
  camelKeys,
  z.object({
    contextId: z.string().nullish(),
    audio: z.base64().nullish().transform((text) => text ? Uint8Array.fromBase64(text) : undefined),
    alignment: alignmentSchema.nullish(),
    normalizedAlignment: alignmentSchema.nullish(),
    isFinal: z.boolean().nullish(),
    error: z.string().nullish(),
    code: z.union([z.string(), z.number()]).nullish(),
    message: z.string().nullish(),
  }),
);

/** What the server says went wrong. */
export function reported(error: string, code?: string | number | null, message?: string | null): StageError {
  const refused = /api_key|auth|permission/i.test(error);
  const retryable = !refused && !/quota|not_found|invalid|unsupported/i.test(error);
  const words = `ElevenLabs reports ${error}${code ? ` (${code})` : ""}${message ? `: ${message}` : ""}`;
  return new StageError("tts", refused ? `${words}; check ELEVENLABS_API_KEY` : words, {
    retryable,
    refused,
  });
}

/** A message of the server's; undefined when it is none. */
export function parse(text: string): z.infer<typeof messageSchema> | undefined {
  try {
    return messageSchema.parse(JSON.parse(text));
  } catch {
    return undefined; // the caller says so
  }
}

/** Both spellings are sent: `contextId` and `context_id`, `isFinal` and `is_final`. */
function camelKeys(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      camelKeys(inner),
    ]),
  );
}
