/** The agent's own words that come back through the user's microphone. */
import type { Phrases } from "./phrases.ts";
import { fold, split } from "./words.ts";

/** One word in so many may be wrong: recognizers err more in an echo. */
const ONE_ERROR_IN = 5;
/** So few words are an echo only by themselves and of what was said last: anybody may use a word that was said before. */
const FEW = { words: 2, within: 6 };

export interface WithoutEcho {
  /** What is left. */
  readonly text: string;
  /** How many words were an echo. */
  readonly echoed: number;
}

/**
 * Takes from the start of `text` the words that are those of `said`, in order and nearly all of them. A stop word is the
 * user's, unless it lies inside a longer echo.
 */
export function withoutEcho(text: string, said: string, stopWords?: Phrases): WithoutEcho {
  const words = split(text);
  const heard = words.map(fold);
  const own = split(said).map(fold).filter(Boolean);
  const errors = fewestErrors(heard, own);
  const lately = fewestErrors(heard.slice(0, FEW.words), own.slice(-FEW.within));
  for (let count = heard.length; count > 0; count--) {
    const allowed = Math.floor(count / ONE_ERROR_IN);
    const found = (count <= FEW.words ? lately : errors)[count] ?? Infinity;
    if (found > allowed) continue;
    const wrongAtEnd = found - (errors[count - 1] ?? 0) > 0;
    if (wrongAtEnd && found - (errors[count - 2] ?? 0) > 1) continue; // two in a row are somebody else's
    if (wrongAtEnd && stopWords?.isIn(words[count - 1] ?? "")) continue;
    const rest = words.slice(count).join(" ");
    if (count <= FEW.words && (rest !== "" || stopWords?.isIn(text))) break;
    // The last word of what is being recognized changes from one moment to the next.
    if (count === words.length - 1 && !stopWords?.isIn(rest)) return { text: "", echoed: words.length };
    return { text: rest, echoed: count };
  }
  return { text, echoed: 0 };
}

/**
 * For each number of words from the start of `heard`: how many of them are wrong, missing or too many against the stretch
 * of `said` that fits best (approximate matching by P. H. Sellers, https://doi.org/10.1016/0196-6774(80)90016-4).
 */
function fewestErrors(heard: readonly string[], said: readonly string[]): number[] {
  let row: number[] = Array(said.length + 1).fill(0);
  const fewest = [0];
  for (const [i, word] of heard.entries()) {
    const next = [i + 1];
    for (const [j, own] of said.entries()) {
      const same = (row[j] ?? 0) + (alike(word, own) ? 0 : 1);
      next.push(Math.min(same, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
    fewest.push(Math.min(...row));
  }
  return fewest;
}

/** Whether two words are the same but for their ending ("daughter", "daughters"). */
function alike(a: string, b: string): boolean {
  if (a === b) return true;
  const longer = Math.max(a.length, b.length);
  let same = 0;
  while (same < longer && a[same] === b[same]) same++;
  return longer >= 4 && same >= longer * 0.7;
}
