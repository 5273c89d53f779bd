/** From what the model writes to what the voice reads: markup, numbers, pronunciations, and what the agent adds. */
import type { Clause } from "./clauses.ts";
import { readingOf } from "./language.ts";
import { pronounce } from "./pronunciations.ts";
import { speakable } from "./speakable.ts";

/**
 * One step from the written text to the spoken one. "markup": no Markdown, code, tags, emoji and long addresses.
 * "numbers": numbers, dates, amounts and the like in words. A function is given what is spoken of one clause (a sentence
 * or a line, often with the white space after it) and returns what is said in its place.
 */
export type TextTransform = "markup" | "numbers" | ((text: string) => string);

export interface SpokenFormOptions {
  /** BCP 47; English when it is left out. In a language whose numbers are not known, the voice reads the figures. */
  readonly language?: string | undefined;
  /** In this order, but markup first (default: markup, numbers). */
  readonly transforms?: readonly TextTransform[] | undefined;
  /** How words are said; looked up before numbers are written out. See pronounce(). */
  readonly pronunciations?: Readonly<Record<string, string>> | undefined;
  /** Told when a step fails: the clause is then spoken without it. */
  readonly onError?: (error: unknown) => void;
}

/** Makes, for each reply anew, what adds to every clause the text that is read aloud. */
export type SpokenForm = () => TransformStream<string, Clause>;

/** How much of the text before a clause is kept: enough for the day before a year. */
const contextLength = 40;

/** The spoken form of replies. The clauses' own text stays as it is, for the transcript and the history. */
export function spokenForm(options: SpokenFormOptions = {}): SpokenForm {
  const { transforms = ["markup", "numbers"], pronunciations = {}, onError = () => {} } = options;
  const reading = readingOf(options.language);
  const lookUp = pronounce(pronunciations);

  const step = (transform: TextTransform, text: string, before: string): string => {
    if (transform === "markup") return text;
    try {
      if (transform === "numbers") {
        return reading?.readOut(text, { before, dayFirst: reading.dayFirst }) ?? text;
      }
      const result = transform(text);
      if (typeof result === "string") return result;
      throw new TypeError(`a text transform returned ${typeof result}; expected a string`);
    } catch (error) {
      onError(error);
      return text;
    }
  };
  const markup = transforms.includes("markup") ? speakable : verbatim;

  return () => {
    let before = "";
    const words = new TransformStream<Clause, Clause>({
      transform({ text, spoken: written }, controller) {
        const spoken = transforms.reduce((said, transform) => step(transform, said, before), lookUp(written));
        before = (before + written).slice(-contextLength);
        controller.enqueue({ text, spoken: sounding(spoken, written) });
      },
    });
    const stage = markup();
    return { writable: stage.writable, readable: stage.readable.pipeThrough(words) };
  };
}

/** Everything is read as it is written. */
export function verbatim(): TransformStream<string, Clause> {
  return new TransformStream({
    transform: (text, controller) => controller.enqueue({ text, spoken: text }),
  });
}

/** Nothing, when there is no word in it; else with the white space that keeps it apart from the next clause. */
function sounding(spoken: string, written: string): string {
  if (!/[\p{L}\p{N}]/u.test(spoken)) return "";
  return /\s$/.test(spoken) ? spoken : spoken + (/\s+$/.exec(written)?.[0] ?? "");
}
