/** Numbers, addresses and letters that are being dictated: whether there is more to come. */
import type { TurnLanguage } from "./languages.ts";
import { fold, split } from "./words.ts";

/** How many digits make it whole, by the words that announce it; the first that fits counts. */
const announced: readonly [cue: RegExp, whole: (digits: number) => boolean][] = [
  [/\b(zip|postal|post)\s?code\b|\bzip\b/, (digits) => digits === 5 || digits === 9],
  [/\b(pin|passcode|security code|verification code|cvc|cvv)\b/, (digits) => [3, 4, 6].includes(digits)],
  [/\b(credit |debit )?card( number)?\b/, (digits) => digits >= 15],
  [/\b(social security)\b/, (digits) => digits >= 9],
  [
    /\b(room|table|gate|bus|bay|seat|line|order|apartment|suite|flight|page|size)( number)?( is)?$/,
    () => true,
  ],
  [/\b(phone|telephone|mobile|cell|fax)\b|\b(my|our) number\b|\bnumber (is|it's)$/, (digits) => digits >= 10],
  [
    /(telefon|handy)|nummer (ist|lautet)$|(teléfono|móvil|número es)$|(téléphone|portable|numéro est)$/,
    (digits) => digits >= 10,
  ],
];
/** Digits that nothing announces count as dictated from so many words on, and as whole from so many digits. */
const UNANNOUNCED = { words: 3, whole: 10 };
/** Letters in a row that count as spelled. */
const SPELLED = 2;

/** Ends of mail addresses. */
const TOP_LEVEL = /^(com|org|net|edu|gov|info|biz|io|ai|app|dev|me|co|uk|us|de|at|ch|fr|es|it|eu|nl|ca|au)$/;
const PROVIDERS = /^(gmail|googlemail|yahoo|outlook|hotmail|icloud|proton|protonmail|aol|gmx|web)$/;
/** What comes between an announcement and an address; other words tell about it and do not dictate it. */
const MAIL_ANNOUNCED = /\b(?:e-?mail|mail)(?: address| adresse)?(?: is|'s| ist| es| est)[:,]?\s+(.*)$/;
const NOT_DICTATED = /^(not|n't|wrong|broken|down|full|working|the|on|in|correct|fine|right|nicht|no|pas)\b/;

export type Dictation =
  /** Something was dictated, and all of it. */
  | "whole"
  /** Something is being dictated. */
  | "open";

/** What is dictated at the end of `text`; undefined when nothing is. */
export function dictation(text: string, language: TurnLanguage): Dictation | undefined {
  const lower = text.toLowerCase();
  return address(lower, language) ?? number(lower, language) ?? letters(text);
}

/** A mail address, as it is said ("john at gmail dot com") or written. */
function address(text: string, { at, dot }: TurnLanguage): Dictation | undefined {
  const words = split(text).map((word) => word.replace(/[,;:!?]+$|\.$/g, ""));
  const last = words.at(-1) ?? "";
  if (/^\S+@\S+\.[a-z]{2,}$/.test(last)) return "whole";
  if (/@[^.]*$/.test(last)) return "open";

  const atIndex = words.findLastIndex((word) => at.includes(word));
  const domain = words.slice(atIndex + 1);
  const dotted = domain.findLastIndex((word) => dot.includes(word));
  const before = atIndex < 0 ? words : words.slice(0, atIndex);
  const announcement = MAIL_ANNOUNCED.exec(text)?.[1];
  const dictated = announcement !== undefined && !NOT_DICTATED.test(announcement);
  const spoken = dictated || (atIndex >= 0 && before.some((word) => dot.includes(word))) ||
    PROVIDERS.test(domain[0] ?? "") || (atIndex >= 0 && dotted >= 0 && domain.length <= 6);
  if (atIndex < 0) return dictated || (last === "dot" && words.length > 1) ? "open" : undefined;
  if (!spoken) return undefined;
  if (domain.length > 6) return undefined; // long past it
  if (dotted < 0) return /^\S+\.[a-z]{2,}$/.test(last) ? "whole" : "open";
  const end = domain.slice(dotted + 1);
  if (end.length === 0) return "open";
  return TOP_LEVEL.test(end.at(-1) ?? "") ? "whole" : end.length > 1 ? undefined : "open";
}

/** How many digits `words` has, as they are said ("double five", "oh") or written. */
export function digitsIn(words: readonly string[], { digits: names }: TurnLanguage): number {
  let digits = 0;
  let times = 1;
  for (const word of words) {
    if (word === "double" || word === "triple") {
      times = word === "double" ? 2 : 3;
      continue;
    }
    const named = names.some((digit) => digit.includes(word)) ? 1 : 0;
    digits += times * named + (/^[\d()+.\-/]+$/.test(word) ? word.replaceAll(/\D/g, "").length : 0);
    times = 1;
  }
  return digits;
}

/** Digits in a row at the end: how many words they took, and how many digits they are. */
function number(text: string, { digits: names }: TurnLanguage): Dictation | undefined {
  const words = split(text);
  let spoken = 0;
  let digits = 0;
  let groups = 0;
  let at = words.length - 1;
  for (; at >= 0; at--) {
    const word = fold(words[at] ?? "");
    const written = /^[\d()+.\-/]+[,.]?$/.test(words[at] ?? "") ? word.replaceAll(/\D/g, "").length : 0;
    const named = names.some((digit) => digit.includes(word));
    const many = word === "double" ? 1 : word === "triple" ? 2 : 0;
    if (named || written > 0) digits += named ? 1 : written;
    else if (many > 0 && digits === 0) return "open";
    else if (many > 0) digits += many;
    else if (word !== "" && word !== "plus") break;
    spoken++;
    if (written > 1) groups++;
  }
  if (digits === 0) return undefined;
  const lead = words.slice(Math.max(0, at - 7), at + 1).join(" ");
  const whole = announced.find(([cue]) => cue.test(lead))?.[1];
  if (whole) return whole(digits) ? "whole" : "open";
  const dictated = spoken >= UNANNOUNCED.words || (groups > 1 && digits >= 5);
  if (!dictated) return undefined;
  return digits >= UNANNOUNCED.whole ? "whole" : "open";
}

/** Letters that are spelled: nobody can tell when the word is whole. */
function letters(text: string): Dictation | undefined {
  const words = split(text.replaceAll(/[-.,]/g, " "));
  const run = words.length - 1 - words.findLastIndex((word) => !/^\p{L}$/u.test(word));
  return run >= SPELLED ? "open" : undefined;
}
