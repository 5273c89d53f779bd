/** What the rules of English are made of. */
import type { TextContext } from "../language.ts";

/** Writes out one kind of thing wherever it stands in `text`. */
export type Rule = (text: string, context: TextContext) => string;

type Groups = Readonly<Record<string, string | undefined>>;

/** Where a match stands. */
export interface Place extends TextContext {
  /** The whole text, and where in it the match begins and ends. */
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

/** Puts what `say` makes of each match in its place; undefined leaves it as it is. */
export function rule(pattern: RegExp, say: (groups: Groups, place: Place) => string | undefined): Rule {
  return (text, context) =>
    text.replace(pattern, (match: string, ...rest: unknown[]) => {
      const groups = rest.at(-1) as Groups;
      const from = rest.at(-3) as number;
      return say(groups, { ...context, text, from, to: from + match.length }) ?? match;
    });
}

/** A number as it is written, without its sign: 5, 1,234 or 3.14. */
export const NUMBER = String.raw`(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?`;

/** What may not stand before a number: the rest of a word, or of a longer number. */
export const START = String.raw`(?<![\p{L}\p{N}_]|\d[.,:/]|[\p{L}_]\d*[-.])`;
/** What may not stand after it. */
export const END = String.raw`(?![\p{L}\p{N}_]|[.,:/]\d)`;
/** Between the two ends of a range. */
export const TO = String.raw`\s?[–—-]\s?`;
