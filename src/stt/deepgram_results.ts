/** What Deepgram's `Results` messages say, joined into utterances: https://developers.deepgram.com/docs/live-streaming-audio */
import * as z from "zod";
import type { TranscriptEvent, TranscriptWord } from "./stt.ts";

const wordSchema = z.object({
  word: z.string(),
  punctuated_word: z.string().optional(),
  start: z.number(),
  end: z.number(),
  confidence: z.number(),
});

const alternativeSchema = z.object({
  transcript: z.string(),
  confidence: z.number(),
  languages: z.array(z.string()).optional(),
  words: z.array(wordSchema).default([]),
});

/** One message. Times are seconds from the first audio of the connection. */
export const resultsSchema = z.object({
  type: z.literal("Results"),
  start: z.number(),
  duration: z.number(),
  is_final: z.boolean().default(false),
  speech_final: z.boolean().default(false),
  from_finalize: z.boolean().default(false),
  channel: z.object({ alternatives: z.array(alternativeSchema).min(1) }),
});

export type Results = z.infer<typeof resultsSchema>;
type Alternative = z.infer<typeof alternativeSchema>;

export interface Utterance {
  /** Whether there are words that no final has told yet. */
  readonly pending: boolean;
  /** Takes in one message; returns what it makes of the utterance. */
  take(results: Results): TranscriptEvent;
  /** Ends the utterance with the words there are; undefined when there are none. */
  finish(): TranscriptEvent | undefined;
}

/**
 * Joins the pieces of one utterance after another: final pieces are collected until `speech_final`, or the answer to a
 * Finalize, ends the utterance; the piece still in the making is replaced by each message.
 */
export function createUtterance(): Utterance {
  let pieces: Alternative[] = [];
  let unfinished: Alternative | undefined;
  let heardS = 0;
  /** Up to here the words have been told as final: whatever comes for this audio again is a repetition. */
  let toldS = 0;

  const all = () => [...pieces, ...(unfinished ? [unfinished] : [])];
  const text = () => all().map(({ transcript }) => transcript).join(" ");
  const finish = (flags: { endOfTurn?: true; asked?: true } = {}): TranscriptEvent | undefined => {
    const parts = all();
    const event = parts.length > 0 ? { ...finalEvent(text(), parts), ...flags } : undefined;
    pieces = [];
    unfinished = undefined;
    toldS = heardS;
    return event;
  };
  return {
    get pending() {
      return pieces.length > 0 || unfinished !== undefined;
    },
    finish: () => finish(),
    take({ start, duration, is_final, speech_final, from_finalize, channel }) {
      heardS = Math.max(heardS, start + duration);
      const piece = untold(channel.alternatives[0], toldS);
      if (is_final && piece) pieces.push(piece);
      unfinished = is_final ? undefined : piece;
      const asked = from_finalize && { asked: true as const };
      const over = is_final && (speech_final || from_finalize);
      return (over && finish({ ...(speech_final && { endOfTurn: true }), ...asked })) ||
        { type: "interim", text: text(), ...sureness(all()), ...asked };
    },
  };
}

/** `alternative` without the words that lie before `toldS`; undefined when there are no others. */
function untold(alternative: Alternative | undefined, toldS: number): Alternative | undefined {
  if (!alternative?.transcript.trim()) return undefined;
  const words = alternative.words.filter(({ start, end }) => (start + end) / 2 > toldS);
  if (words.length === alternative.words.length) return alternative;
  if (words.length === 0) return undefined;
  return { ...alternative, words, transcript: words.map(spelling).join(" ") };
}

function finalEvent(text: string, parts: readonly Alternative[]): TranscriptEvent {
  const language = parts.findLast(({ languages }) => languages?.length)?.languages?.[0];
  const words = parts.flatMap(({ words }) => words).map((word): TranscriptWord => ({
    text: spelling(word),
    startMs: Math.round(word.start * 1000),
    endMs: Math.round(word.end * 1000),
    confidence: word.confidence,
  }));
  return {
    type: "final",
    text,
    ...sureness(parts),
    ...(language && { language }),
    ...(words.length > 0 && { words }),
  };
}

/** An utterance is no surer than its least sure piece. */
const sureness = (parts: readonly Alternative[]): { confidence?: number } =>
  parts.length === 0 ? {} : { confidence: Math.min(...parts.map(({ confidence }) => confidence)) };

function spelling({ word, punctuated_word }: Alternative["words"][number]): string {
  return punctuated_word ?? word;
}
