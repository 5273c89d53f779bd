/** End of turn by the words alone: rules that need no model. */
import { dictation } from "./dictation.ts";
import type { WordsEndTurn } from "./end_of_turn.ts";
import { answerTo } from "./expectation.ts";
import type { TurnLanguage } from "./languages.ts";
import { split } from "./words.ts";

/**
 * How likely the turn is over (see `delayFor`: from 0.5 on, nothing is waited for). In a number or an address it never is;
 * after "and" hardly; after a comma or a preposition more often than not it goes on.
 */
const PROBABILITY = { dictated: 0, unfinished: 0.1, comma: 0.2, perhaps: 0.3, whole: 1 };

/** Questions that may end with a preposition: "Where are you from". */
const ASKS = /^(?:and |so |but |well,? )?(?:what|where|who|whom|which|how|when|why)\b/;
/** Somebody is about to say what something is: "my name is". */
const SAYS_WHAT =
  /(?:^|\b(?:and|so|but|well) )(?:my|the|our|your|his|her|their) [\p{L}' -]+ (?:is|are|was|were)$/u;

/** Rules for the words of `language`. Recognizers put full stops after unfinished sentences, too: those count for nothing. */
export function unfinishedWords(language: TurnLanguage): WordsEndTurn {
  const ends = (list: readonly string[]) => {
    const known = new Set(list);
    const longest = Math.max(0, ...list.map((entry) => entry.split(" ").length));
    return (words: readonly string[]): boolean =>
      Array.from({ length: longest }, (_, at) => words.slice(-at - 1).join(" "))
        .some((end) => known.has(end));
  };
  const [finished, unfinished, perhaps] = [
    ends(language.finished),
    ends(language.unfinished),
    ends(language.perhaps),
  ];

  return (text, expected) => {
    const trimmed = text.trim();
    const answered = expected && answerTo(expected, trimmed, language);
    if (answered === "whole") return PROBABILITY.whole;
    if (answered === "open") return PROBABILITY.dictated;
    const dictated = dictation(trimmed, language);
    if (dictated) return dictated === "whole" ? PROBABILITY.whole : PROBABILITY.dictated;
    if (/[?!]["')]*$/.test(trimmed)) return undefined;
    const words = split(trimmed.toLowerCase()).map(bare).filter(Boolean);
    if (finished(words)) return undefined;
    if (/(?:…|\.\.\.|[-–—:])$/.test(trimmed) || unfinished(words)) return PROBABILITY.unfinished;
    const sentence = words.join(" ");
    if (SAYS_WHAT.test(sentence)) return PROBABILITY.unfinished;
    if (trimmed.endsWith(",")) return PROBABILITY.comma;
    return perhaps(words) && !ASKS.test(sentence) ? PROBABILITY.perhaps : undefined;
  };
}

/** A word without the punctuation around it; an apostrophe is always the same. */
const bare = (word: string): string =>
  word.replaceAll("’", "'").replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");
