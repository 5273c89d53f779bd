/** What the user is asked for that is dictated: as the agent's own code says, or else by its tools and what it said last. */
import type { ToolSet } from "./tool.ts";
import { answerTo, type Expectation } from "./turn/expectation.ts";
import { turnLanguage } from "./turn/languages.ts";
import { split } from "./turn/words.ts";
import type { UnstampedTurnEvent } from "./turn_taker.ts";

/** Who has asked. */
export interface Asker {
  /** BCP 47. */
  readonly language?: string | undefined;
  readonly tools?: ToolSet | undefined;
}

export interface Expectations {
  /** Whether the agent's own code has said what is asked for now. */
  readonly isSet: boolean;
  /** It is what it was in another process. */
  restore(expected: Expectation, byCode: boolean): void;
  /** See VoiceSession. */
  expect(expected: Expectation | undefined): void;
  /** `asker` has said `text`. */
  said(text: string, asker: Asker): void;
}

/** Nothing is expected yet; `note` tells turn-taking what is. */
export function createExpectations(note: (event: UnstampedTurnEvent) => void): Expectations {
  let isSet = false;
  const tell = (expected: Expectation | undefined) => note({ type: "expectation-changed", expected });
  return {
    get isSet() {
      return isSet;
    },
    restore(expected, byCode) {
      isSet = byCode;
      tell(expected);
    },
    expect(expected) {
      isSet = expected !== undefined;
      tell(expected);
    },
    said(text, asker) {
      if (!isSet) tell(askedFor(text, asker));
    },
  };
}

/** By how many of its last sentences it is judged what somebody asks for. */
const LAST_SENTENCES = 2;
const ASKS = /[?？]|\b(please|tell|give|spell|need|say|bitte|por favor|s'il)\b/i;
/** How what is dictated is called, in the languages of `languages.ts`. */
const NAMES: Readonly<Record<Expectation["kind"], RegExp>> = {
  email: /e-?mail|\bmail\b|correo|courriel/i,
  phone: /phone|mobile|\bcell\b|number|telefon|handy|nummer|teléfono|móvil|número|portable|numéro/i,
  date: /\b(date|day|when|born|birth\w*|datum|tag|wann|geburt\w*|fecha|día|cuándo|jour|quand|naissance)\b/i,
  digits: /number|code|digits|\bpin\b|nummer|ziffern|número|código|cifras|numéro|chiffres/i,
};
/** Shorter words of a parameter's name say nothing. */
const LEAST_LETTERS = 4;

/** What `text` asks for, of what the tools take; undefined when it asks for none of it, or says it itself. */
export function askedFor(text: string, { language, tools = {} }: Asker): Expectation | undefined {
  const last = text.split(/(?<=[.!?？])\s+/).slice(-LAST_SENTENCES).join(" ");
  if (!ASKS.test(last)) return undefined;
  const mentions = (name: string) =>
    split(name.replaceAll(/([a-z])([A-Z])|[_-]/g, "$1 $2"))
      .some((word) => word.length >= LEAST_LETTERS && last.toLowerCase().includes(word.toLowerCase()));
  const taken = Object.values(tools).flatMap(({ parameters }) =>
    Object.entries(recordOf(parameters.properties)).flatMap(([name, schema]) => {
      const expected = dictatedBy(recordOf(schema), name);
      const rank = expected ? (mentions(name) ? 2 : NAMES[expected.kind].test(last) ? 1 : 0) : 0;
      return expected && rank > 0 ? [{ expected, rank }] : [];
    })
  );
  const found = taken.find(({ rank }) => rank === 2) ?? taken[0];
  if (!found) return undefined;
  const isRepeated =
    answerTo(found.expected, last.replaceAll(/[?？]/g, ""), turnLanguage(language)) === "whole";
  return isRepeated ? undefined : found.expected;
}

/** What a parameter of that JSON Schema is dictated as; undefined when it is not. */
function dictatedBy(schema: Readonly<Record<string, unknown>>, name: string): Expectation | undefined {
  const { dictation, length, format, pattern, anyOf } = schema;
  if (Array.isArray(anyOf)) { // "or null"
    return anyOf.map((one) => dictatedBy(recordOf(one), name)).find((expected) => expected);
  }
  if (isKind(dictation)) return { kind: dictation, ...(typeof length === "number" && { length }) };
  if (format === "email" || format === "idn-email") return { kind: "email" };
  if (format === "date") return { kind: "date" };
  if (format === "e164" || format === "phone" || /phone|mobile/i.test(name)) return { kind: "phone" };
  const digits = typeof pattern === "string" && /^\^?(?:\\d|\[0-9\])\{(\d+)(?:,\d*)?\}\$?$/.exec(pattern);
  return digits ? { kind: "digits", length: Number(digits[1]) } : undefined;
}

const isKind = (value: unknown): value is Expectation["kind"] =>
  typeof value === "string" && Object.hasOwn(NAMES, value);

const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? { ...value } : {};
