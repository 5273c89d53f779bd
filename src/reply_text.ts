/** The text of one reply: as it is made, as the voice says it, and how much of it was heard. */
import { durationMs } from "./audio/frame.ts";
import { createSentenceEnds } from "./sentence_ends.ts";
import type { Clause } from "./text/clauses.ts";
import { heardText, usualSpeed } from "./text/heard.ts";
import type { SpeechEvent, WordTime } from "./tts/tts.ts";

/** A voice's speed is taken from this much of it, at least. */
const learnedFromMs = 1_000;

/** What the voice has not delivered yet is heard so much after what it has, at least. */
const unplayedMs = 100;

/** How fast a voice speaks, as far as its replies have shown: what tells which words are heard before it says so. */
export interface Pace {
  charactersPerMs?: number;
}

export interface ReplyText {
  /** As far as it is made. */
  readonly written: string;
  /** Milliseconds of audio that came, heard or not. */
  readonly audioMs: number;
  /** Characters that were sent to the voice. */
  readonly characters: number;
  write(word: string): void;
  /** The voice is given a clause. */
  give(clause: Clause): void;
  /** The voice brings something. */
  take(event: SpeechEvent): void;
  /** It is known that it was heard up to `end`, in characters; undefined: it is not any more. */
  holdAt(end: number | undefined): void;
  /** What was heard of it after so much of its audio; `complete`: there is no more to come. */
  heard(playedMs: number, complete: boolean): string;
  /**
   * In how many milliseconds its first `end` characters were heard, at a pause behind them; estimated while their audio is not
   * there.
   */
  untilMs(end: number, playedMs: number): number;
  /** The voice has said what it says of it: its speed is known from that. */
  learnPace(): void;
}

/** No text yet, of a voice that is as fast as `pace` says. */
export function createReplyText(pace: Pace): ReplyText {
  let written = "";
  const clauses: Clause[] = [];
  const marks: { characters: number; audioMs: number }[] = [];
  const words: WordTime[] = [];
  let audioMs = 0;
  /** Where it was kept back, in characters of what is written. */
  let heldAt: number | undefined;

  const spoken = (playedMs: number, complete: boolean) => ({
    clauses,
    marks,
    words,
    audioMs,
    complete,
    playedMs,
    ...pace,
  });
  const sentenceEnds = createSentenceEnds(() => ({ text: written, ...spoken(0, false) }));
  const heard = (playedMs: number, complete: boolean) =>
    heldAt === undefined ? heardText(spoken(playedMs, complete)) : written.slice(0, heldAt);

  return {
    get written() {
      return written;
    },
    get audioMs() {
      return audioMs;
    },
    get characters() {
      return clauses.reduce((sum, { spoken }) => sum + spoken.length, 0);
    },
    write: (word) => void (written += word),
    give: (clause) => void clauses.push(clause),
    take(event) {
      if (event.type === "words") words.push(...event.words);
      else if (event.type === "mark") marks.push({ audioMs, ...event });
      else {
        audioMs += durationMs(event.frame);
        sentenceEnds.take(event.frame);
      }
    },
    holdAt: (end) => void (heldAt = end),
    heard,
    untilMs(end, playedMs) {
      const atMs = sentenceEnds.whenMs(end);
      if (atMs !== undefined) return atMs - playedMs;
      const characters = heard(playedMs, false).length;
      const perMs = playedMs >= learnedFromMs ? characters / playedMs : pace.charactersPerMs ?? usualSpeed;
      return Math.max((end - characters) / perMs, audioMs - playedMs + unplayedMs);
    },
    learnPace() {
      const mark = marks.at(-1);
      if (mark && mark.audioMs >= learnedFromMs) pace.charactersPerMs = mark.characters / mark.audioMs;
    },
  };
}
