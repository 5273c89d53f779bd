/** A list of words and phrases, to be found in what somebody said; case and punctuation do not count. */
import { fold, split } from "./words.ts";

export interface Phrases {
  /** Whether `text` is made of them and of nothing else; never when it is empty. */
  isAll(text: string): boolean;
  /** Whether one of them is in `text`. */
  isIn(text: string): boolean;
}

/** The phrases of `list`. */
export function phrases(list: readonly string[]): Phrases {
  const folded = (text: string) => split(text).map(fold).filter(Boolean);
  const known = new Set(list.map((entry) => folded(entry).join(" ")).filter(Boolean));
  const longest = Math.max(0, ...[...known].map((entry) => entry.split(" ").length));
  /** How many of `words`, from `at` on, are one of them: as many as possible; 0 when none is. */
  const lengthAt = (words: readonly string[], at: number): number => {
    for (let length = Math.min(longest, words.length - at); length > 0; length--) {
      if (known.has(words.slice(at, at + length).join(" "))) return length;
    }
    return 0;
  };
  return {
    isAll(text) {
      const words = folded(text);
      let at = 0;
      while (at < words.length) {
        const length = lengthAt(words, at);
        if (length === 0) return false;
        at += length;
      }
      return at > 0;
    },
    isIn(text) {
      const words = folded(text);
      return words.some((_, at) => lengthAt(words, at) > 0);
    },
  };
}
