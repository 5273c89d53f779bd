/** What the agent has asked for, and whether the user has said all of it. */
import { dictation, digitsIn } from "./dictation.ts";
import type { TurnLanguage } from "./languages.ts";
import { phrases } from "./phrases.ts";
import { split } from "./words.ts";

/** Something that is dictated, with pauses in it that end no turn. */
export interface Expectation {
  readonly kind: "email" | "phone" | "date" | "digits";
  /** How many digits a number has at least (a phone number 10, unless it is said here; of others nobody knows). */
  readonly length?: number;
}

const PHONE_DIGITS = 10;

/**
 * How far the user has got with it: "none" when they say something else (a question, a refusal), "open" also when they have
 * said no more than that it comes ("sure, it's").
 */
export function answerTo(
  expected: Expectation,
  text: string,
  language: TurnLanguage,
): "whole" | "open" | "none" {
  const lower = text.toLowerCase();
  if (/\?\W*$/.test(lower)) return "none";
  const words = split(lower).map((word) => word.replaceAll(/^[^\p{L}\p{N}+@]+|[^\p{L}\p{N}]+$/gu, ""));
  if (phrases(language.refusal).isAll(lower)) return "none";
  const found = progress(expected, lower, words, language);
  if (found !== "none") return found;
  const introduces = phrases([...language.agreement, ...language.backchannels, ...language.unfinished]);
  return introduces.isAll(lower) ? "open" : "none";
}

function progress(
  expected: Expectation,
  text: string,
  words: readonly string[],
  language: TurnLanguage,
): "whole" | "open" | "none" {
  switch (expected.kind) {
    case "email": {
      if (/\S@\S+\.\p{L}{2,}/u.test(text)) return "whole";
      const said = dictation(text, language);
      if (said) return said;
      const begun = words.some((word) => language.at.includes(word) || language.dot.includes(word));
      return begun || words.length === 1 ? "open" : "none";
    }
    case "phone":
    case "digits": {
      const count = digitsIn(words, language);
      if (count === 0) return "none";
      const least = expected.length ?? (expected.kind === "phone" ? PHONE_DIGITS : undefined);
      return least === undefined ? "none" : count >= least ? "whole" : "open";
    }
    case "date":
      return date(text, words, language);
  }
}

/** A day is a weekday, or what is called so by itself ("tomorrow"), or one of a month: "the third of May", "May 3". */
function date(text: string, words: readonly string[], language: TurnLanguage): "whole" | "open" | "none" {
  const { months, days } = language;
  if (/\b\d{1,4}[-/.]\d{1,2}([-/.]\d{2,4})?\b/.test(text) || days.some((day) => words.includes(day))) {
    return "whole";
  }
  const known = new Set([...language.unfinished, ...language.perhaps, ...months]);
  const month = words.findIndex((word) => months.includes(word));
  const isNumber = (word = "") => /^\d/.test(word) || language.ordinals.test(word);
  if (month < 0) return words.some(isNumber) ? "open" : "none";
  const beside = [...words.slice(Math.max(0, month - 2), month), ...words.slice(month + 1, month + 4)];
  return beside.some((word) => isNumber(word) && !known.has(word)) ? "whole" : "open";
}
