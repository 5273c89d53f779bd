/** How a language reads aloud what is written in figures and signs. */
import { english } from "./english/english.ts";

/** What stands around a piece of text. */
export interface TextContext {
  /** The text just before it. */
  readonly before: string;
  /** Whether a date such as 3/4/2025 names the day first. */
  readonly dayFirst: boolean;
}

/** Writes out numbers, dates, amounts and the like as they are said; words stay as they are. Pure. */
export type ReadingOut = (text: string, context: TextContext) => string;

/** By the language's code; one that is not here keeps its figures, and its voice reads them. */
const languages: Readonly<Record<string, ReadingOut>> = { en: english };

const dayFirstRegions = /^en-(?!US|CA|PH)[A-Z]{2}$/i;

/** The reading of `language` (BCP 47; English when it is left out), if there is one, and the order of its dates. */
export function readingOf(
  language = "en-US",
): { readonly readOut: ReadingOut; readonly dayFirst: boolean } | undefined {
  const readOut = languages[language.toLowerCase().split("-")[0] ?? ""];
  return readOut && { readOut, dayFirst: dayFirstRegions.test(language) };
}

/** The ISO 639-1 code of `language` (BCP 47), if it has one: "en" of "en-GB". */
export const languageCode = (language = ""): string | undefined =>
  /^[a-z]{2}(?=-|$)/i.exec(language)?.[0].toLowerCase();
