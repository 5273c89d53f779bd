/** What of a reply one voice has delivered. */
import { durationMs } from "../audio/frame.ts";
import { heardText, type SpeechMark } from "../text/heard.ts";
import type { SpeechEvent, WordTime } from "./tts.ts";

/** Counts what a voice delivers. */
export interface Delivery {
  readonly audioMs: number;
  /** Counts `event`, and places it in the whole reply, `fromMs` of which others have delivered. */
  take(event: SpeechEvent, fromMs: number): SpeechEvent;
  /** Whether all of `text` is known to be delivered. */
  has(text: string): boolean;
  /** How many characters of `text` were delivered: up to the end of a word. */
  characters(text: string): number;
}

/** Of a voice that began at character `from`. */
export function createDelivery(from: number): Delivery {
  const marks: SpeechMark[] = [];
  const words: WordTime[] = [];
  let audioMs = 0;
  /** Where the words end that lie in the first `playedMs` of the audio. */
  const delivered = (text: string, playedMs: number): number => {
    const clause = text.slice(from);
    const reply = { clauses: [{ text: clause, spoken: clause }], audioMs, playedMs, complete: false };
    return from + heardText({ ...reply, marks, ...(words.length > 0 && { words }) }).length;
  };
  return {
    get audioMs() {
      return audioMs;
    },
    take(event, fromMs) {
      switch (event.type) {
        case "audio":
          audioMs += durationMs(event.frame);
          return event;
        case "mark":
          marks.push({ audioMs, ...event });
          return {
            ...event,
            characters: event.characters + from,
            ...(event.audioMs !== undefined && { audioMs: event.audioMs + fromMs }),
          };
        case "words":
          words.push(...event.words);
          return {
            ...event,
            words: event.words.map((word) => ({
              ...word,
              startMs: word.startMs + fromMs,
              endMs: word.endMs + fromMs,
            })),
          };
      }
    },
    has(text) {
      const end = text.trimEnd().length;
      if ((marks.at(-1)?.characters ?? 0) + from >= end) return true;
      return words.length > 0 && delivered(text, Infinity) >= end;
    },
    characters: (text) => delivered(text, audioMs),
  };
}
