/** English words for numbers. What is taken is text as it is written: "1,234.50". */
import { toCardinal, toOrdinal } from "n2words/en-US";

/** Beyond these many digits a number has no name that anybody knows, and is read digit by digit. */
const namedDigits = 15;

const digitWords = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/** "1,234" → "one thousand two hundred thirty-four"; digit by digit with zeros in front, and when it is very long. */
export function cardinal(text: string): string {
  const figures = text.replaceAll(",", "");
  if (/^0\d/.test(figures) || figures.length > namedDigits) return digits(figures);
  return toCardinal(figures);
}

/** "3.14" → "three point one four". */
export function decimal(text: string): string {
  const [whole = "", fraction] = text.split(".");
  const words = cardinal(whole || "0");
  return fraction ? `${words} point ${digits(fraction)}` : words;
}

/** "21" → "twenty-first". */
export function ordinal(text: string): string {
  const figures = text.replaceAll(",", "");
  return Number(figures) > 0 ? toOrdinal(figures) : "zeroth";
}

/** "ninety" → "nineties", "fifth" → "fifths". */
export function plural(words: string): string {
  if (words.endsWith("y")) return `${words.slice(0, -1)}ies`;
  return words.endsWith("x") ? `${words}es` : `${words}s`;
}

/** "2024" → "twenty twenty-four", "1905" → "nineteen oh five", "2003" → "two thousand three". Four digits. */
export function year(text: string): string {
  const [century, rest] = [text.slice(0, 2), text.slice(2)];
  if (text.slice(1, 3) === "00") return toCardinal(text);
  if (rest === "00") return `${toCardinal(century)} hundred`;
  if (rest.startsWith("0")) return `${toCardinal(century)} oh ${toCardinal(rest.slice(1))}`;
  return `${toCardinal(century)} ${toCardinal(rest)}`;
}

/** "407" → "four zero seven"; whatever is no digit is left out. */
export function digits(text: string): string {
  return Array.from(text.replace(/\D/g, ""), (digit) => digitWords[Number(digit)]).join(" ");
}

/** "+1 555-1234" → "plus one, five five five, one two three four": the groups as they are written. */
export function digitGroups(text: string): string {
  const groups = text.match(/\d+/g) ?? [];
  return (/^\s*\+/.test(text) ? "plus " : "") + groups.flatMap(shortGroups).map(digits).join(", ");
}

/** A group of up to four digits is said in one breath; a longer one in threes, what is left with the last. */
function shortGroups(group: string): string[] {
  const groups: string[] = [];
  let rest = group;
  while (rest.length > 5) {
    groups.push(rest.slice(0, 3));
    rest = rest.slice(3);
  }
  return rest.length === 5 ? [...groups, rest.slice(0, 3), rest.slice(3)] : [...groups, rest];
}
