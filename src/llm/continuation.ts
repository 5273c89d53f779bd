/** An answer that another model goes on with, where the first one broke off: no word is said twice. */
import type { LanguageRequest } from "./llm.ts";

/** So many words of a continuation are looked at before any is passed on. */
const lookAhead = 8;
/** A word this short may stand at the end of one and at the beginning of the other by chance. */
const tellingLength = 4;

const goOn = "Your answer was cut off where it ends above. Go on from there, with the very next word: " +
  "repeat nothing, explain nothing.";

/** What a model is asked that is to go on after `said`. */
export const continuing = (request: LanguageRequest, said: string): LanguageRequest => ({
  ...request,
  messages: [
    ...request.messages,
    { role: "assistant", content: said },
    { role: "system", content: goOn },
  ],
});

/** Takes a text in pieces, and tells how much of it may be passed on by now. */
export interface TextFilter {
  /** What may be passed on. */
  take(text: string): string;
  /** What is left when the text is over. */
  end(): string;
}

/** Passes on whole words: where it stands when the text breaks off, no word is in pieces. */
export function wholeWords(): TextFilter {
  let held = "";
  return {
    take(text) {
      held += text;
      const end = /\s(?=\S*$)/.exec(held)?.index;
      if (end === undefined) return "";
      const whole = held.slice(0, end + 1);
      held = held.slice(end + 1);
      return whole;
    },
    end() {
      const rest = held;
      held = "";
      return rest;
    },
  };
}

/** Leaves out of a continuation of `said` what repeats it: its last words, or all of it when the answer begins anew. */
export function withoutRepeats(said: string): TextFilter {
  const before = wordsOf(said);
  let held = "";
  let decided = false;
  const decide = (): string => {
    decided = true;
    const text = held;
    held = "";
    return text.slice(repeatedLength(text, before));
  };
  return {
    take(text) {
      if (decided) return text;
      held += text;
      const words = wordsOf(held);
      const begun = startsAnew(words, before);
      const enough = begun ? words.length > before.length : words.length > lookAhead;
      return enough ? decide() : "";
    },
    end: () => decided ? "" : decide(),
  };
}

interface Word {
  /** In lower case, without punctuation. */
  readonly word: string;
  /** Where it ends, with its punctuation and the white space behind it. */
  readonly end: number;
}

const wordsOf = (text: string): Word[] =>
  Array.from(text.matchAll(/\S+\s*/g), ({ 0: token, index }) => ({
    word: token.toLowerCase().replace(/[^\p{L}\p{N}]/gu, ""),
    end: index + token.length,
  }));

/** Whether `words` tell the same from the beginning, as far as they go or as `before` does; three words tell. */
function startsAnew(words: readonly Word[], before: readonly Word[]): boolean {
  const length = Math.min(words.length, before.length);
  if (length < Math.min(3, before.length) || length === 0) return false;
  return words.slice(0, length).every(({ word }, i) => word === before[i]?.word);
}

/** How many characters at the beginning of `text` were said before. */
function repeatedLength(text: string, before: readonly Word[]): number {
  const words = wordsOf(text);
  if (startsAnew(words, before)) return words[Math.min(words.length, before.length) - 1]?.end ?? 0;
  for (let count = Math.min(words.length, before.length, lookAhead); count > 0; count--) {
    const last = before.slice(-count);
    if (!words.slice(0, count).every(({ word }, i) => word === last[i]?.word)) continue;
    const tells = count > 1 || (last[0]?.word.length ?? 0) >= tellingLength;
    return tells ? words[count - 1]?.end ?? 0 : 0;
  }
  return 0;
}
