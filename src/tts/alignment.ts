/** When words sound, from the times of their characters. */
import type { WordTime } from "./tts.ts";

/** The characters that a piece of audio speaks, and when; milliseconds from the piece's own first sample. */
export interface Alignment {
  readonly chars: readonly string[];
  readonly charStartTimesMs: readonly number[];
  readonly charDurationsMs: readonly number[];
}

/** The text of one reply, and how far it was heard of. Places in it count characters that are not white space. */
export interface WordAligner {
  /** More text was sent, ending with a word. */
  sent(text: string): void;
  /** The words that `alignment` completes; `fromMs`: where its audio begins in the reply. */
  timed(alignment: Alignment, fromMs: number): WordTime[];
  /** Whether what was sent last is being spoken. */
  readonly reachedLast: boolean;
}

/**
 * The pieces are told in order, but may end within a word, leave out the space between two sentences, or begin a sentence
 * anew: what was sent says which word a character belongs to, and no word is told twice. Where other characters come than
 * were sent ("five dollars" for "$5"), words end at white space.
 */
export function wordAligner(): WordAligner {
  let letters = "";
  /** Where a word ends, and where each piece of text began. */
  const ends = new Set<number>();
  const begins: number[] = [];
  /** How much of it has a time. */
  let reached = 0;
  let open: { text: string; startMs: number; endMs: number } | undefined;

  return {
    sent(text) {
      begins.push(letters.length);
      for (const word of text.match(/\S+/g) ?? []) {
        letters += word;
        ends.add(letters.length);
      }
    },
    timed({ chars, charStartTimesMs, charDurationsMs }, fromMs) {
      const said = chars.join("").replace(/\s+/g, "");
      const continues = letters.startsWith(said, reached);
      const again = begins.findLast((begin) => begin < reached);
      const repeats = !continues && again !== undefined && letters.startsWith(said, again);
      const words: WordTime[] = [];
      const end = () => {
        if (open) words.push(open);
        open = undefined;
      };
      let place = repeats ? again : reached;
      chars.forEach((char, i) => {
        const text = char.trim();
        if (place >= reached && text === "") end();
        place += text.length;
        if (place <= reached || text === "") return;
        const startMs = fromMs + (charStartTimesMs[i] ?? 0);
        open ??= { text: "", startMs, endMs: startMs };
        open.text += text;
        open.endMs = startMs + (charDurationsMs[i] ?? 0);
        reached = place;
        if ((continues || repeats) && ends.has(place)) end();
      });
      return words;
    },
    get reachedLast() {
      return reached > (begins.at(-1) ?? 0);
    },
  };
}
