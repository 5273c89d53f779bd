/** What tells in a language whether somebody has finished: a table for each language, in languages/. */
import { de } from "./languages/de.ts";
import { en } from "./languages/en.ts";
import { es } from "./languages/es.ts";
import { fr } from "./languages/fr.ts";

/**
 * What tells in a language whether somebody has finished, wants to interrupt, or only listens. All in lower case, without
 * punctuation but for the apostrophes inside words; an entry may be several words.
 */
export interface TurnLanguage {
  /** More is sure to come after these: conjunctions, articles, hesitation. */
  readonly unfinished: readonly string[];
  /** More will probably come after these, which now and then end a sentence: prepositions. */
  readonly perhaps: readonly string[];
  /** Ends of sentences that look unfinished by their last word. */
  readonly finished: readonly string[];
  /** What listeners say; it does not interrupt. */
  readonly backchannels: readonly string[];
  /** What interrupts, however short. */
  readonly stopWords: readonly string[];
  /** What agrees to a question, and what goes with that. */
  readonly agreement: readonly string[];
  /** What declines, whatever else of these is said with it. */
  readonly refusal: readonly string[];
  /** The digits from zero to nine, each with its other names. */
  readonly digits: readonly (readonly string[])[];
  /** What a day is called by itself, the months, and numbers as they stand beside a month (the start of one is enough). */
  readonly days: readonly string[];
  readonly months: readonly string[];
  readonly ordinals: RegExp;
  /** How "@" and "." are said in an address. */
  readonly at: readonly string[];
  readonly dot: readonly string[];
}

/** What is said everywhere; all that is known of other languages. */
const others: TurnLanguage = {
  unfinished: ["um", "uh", "er", "eh", "euh"],
  perhaps: [],
  finished: [],
  backchannels: ["mhm", "mm", "mmm", "hm", "hmm", "mm-hmm", "aha", "ah", "oh", "ok", "okay"],
  stopWords: ["stop"],
  agreement: ["ok", "okay"],
  refusal: ["stop"],
  digits: [],
  days: [],
  months: [],
  ordinals: /^\d/,
  at: ["at"],
  dot: ["dot"],
};

const languages: Readonly<Record<string, TurnLanguage>> = { en, de, es, fr };

/** The table of a language (BCP 47; English when none is named); of one that has none, what is said everywhere. */
export function turnLanguage(language = "en"): TurnLanguage {
  return languages[language.toLowerCase().replace(/[-_].*/, "")] ?? others;
}
