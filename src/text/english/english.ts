/** English as it is read aloud: what is written in figures and signs, in words. */
import type { ReadingOut } from "../language.ts";
import { amounts, bareNumbers } from "./amounts.ts";
import { contacts } from "./contacts.ts";
import { dates, yearRules } from "./dates.ts";

/** What the most telling form claims first: an address before its digits, a date before a year, a price before a number. */
const rules = [...contacts, ...dates, ...amounts, ...yearRules, ...bareNumbers];

/** Most clauses have nothing of all that. */
const concerned = /[\p{N}@]|\w\.\w/u;

export const english: ReadingOut = (text, context) => {
  if (!concerned.test(text)) return text;
  return rules.reduce((said, rule) => rule(said, context), text);
};
