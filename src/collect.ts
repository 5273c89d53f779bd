/**
 * Tasks that find something out that is easily misheard, and read it back to the user before it counts. They speak English;
 * for another language a task of your own is as short.
 */
import * as z from "zod";
import { type Task, task } from "./task.ts";

const signs: Readonly<Record<string, string>> = { ".": "dot", "_": "underscore", "-": "dash", "+": "plus" };

/** "joe.b@example.com" → "j o e dot b at example dot com". */
function spelledOut(email: string): string {
  const [name = "", domain = ""] = email.split("@");
  const letters = [...name].map((letter) => signs[letter] ?? letter);
  return `${letters.join(" ")} at ${domain.replaceAll(".", " dot ")}`;
}

/** "4829" → "4 8 2 9". */
const oneByOne = (digits: string): string => [...digits.replace("+", "")].join(" ");

/** The user's e-mail address. */
export const collectEmail: Task<string> = task({
  instructions: 'Find out the user\'s e-mail address. They may spell it, or say "joe at example dot com".',
  opening: "What is your e-mail address?",
  result: z.object({ email: z.email().describe("Such as joe@example.com") })
    .transform(({ email }) => email.toLowerCase()),
  confirm: (email) => `${spelledOut(email)}, is that right?`,
});

/** The user's phone number: digits, behind a plus where they have said the country's code. */
export const collectPhoneNumber: Task<string> = task({
  instructions: "Find out the user's phone number. They may say it in parts; wait for all of it.",
  opening: "What is your phone number?",
  result: z.object({
    phoneNumber: z.string().transform((given) => given.replace(/[\s().-]/g, ""))
      .pipe(z.string().regex(/^\+?\d{5,15}$/, "expected 5 to 15 digits"))
      .describe("Its digits, behind a plus where the country's code was said"),
  }).transform(({ phoneNumber }) => phoneNumber),
  confirm: (number) => `${number.startsWith("+") ? "plus " : ""}${oneByOne(number)}, is that right?`,
});

/** The user's name. */
export const collectName: Task<string> = task({
  instructions: "Find out the user's first and last name. Ask for the spelling where it is not plain.",
  opening: "What is your name?",
  result: z.object({ name: z.string().trim().min(1).describe("First and last name, as they are written") })
    .transform(({ name }) => name),
  confirm: (name) => `${name}, is that right?`,
});

/** A day, as YYYY-MM-DD. `what`: which ("your birthday"). */
export function collectDate({ what }: { readonly what: string }): Task<string> {
  return task({
    instructions: `Find out a day: ${what}. Ask for the year where it is not plain.`,
    opening: `Which day is ${what}?`,
    result: z.object({ date: z.iso.date().describe("YYYY-MM-DD") }).transform(({ date }) => date),
    confirm: (date) => `${inWords.format(new Date(`${date}T00:00:00Z`))}, is that right?`,
  });
}

const inWords = new Intl.DateTimeFormat("en-US", { dateStyle: "long", timeZone: "UTC" });

/**
 * Digits, which the user says or presses on the keys of a telephone. `what`: which ("your account number"); `length`: how
 * many there are (default: any number up to 20).
 */
export function collectDigits(
  { what, length }: { readonly what: string; readonly length?: number },
): Task<string> {
  const pattern = length === undefined ? /^\d{1,20}$/ : new RegExp(`^\\d{${length}}$`);
  const count = length === undefined ? "digits" : `${length} digits`;
  return task({
    instructions: `Find out ${what}, which has ${count}. They are said, or pressed on a telephone's keys.`,
    opening: `What is ${what}? You can say it, or press the keys.`,
    result: z.object({
      digits: z.string().transform((given) => given.replace(/[\s-]/g, ""))
        .pipe(z.string().regex(pattern, `expected ${count}`)).describe("The digits alone"),
    }).transform(({ digits }) => digits),
    confirm: (digits) => `${oneByOne(digits)}, is that right?`,
  });
}
