/** Dates, years and times of day. */
import { cardinal, ordinal, plural, year } from "./numbers.ts";
import { END, type Rule, rule, START, TO } from "./rule.ts";
import { anyOf, months } from "./words.ts";

const MONTH = String.raw`(?<month>${
  anyOf([...months, ...months.map((name) => name.slice(0, 3)), "Sept"])
})\b\.?`;
const DAY = String.raw`(?<day>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?`;
const YEAR = String.raw`(?<year>(?:1[1-9]|20)\d\d)`;

const fullMonth = (name = ""): string => months.find((month) => month.startsWith(name.slice(0, 3))) ?? name;
const dayWords = (day = ""): string => ordinal(day.replace(/^0/, ""));

/** Three numbers; undefined when they name no day. */
function dateOf(dayText = "", monthText = "", yearText = ""): string | undefined {
  const [day, month] = [Number(dayText), Number(monthText)];
  const name = months[month - 1];
  if (!name || day < 1 || day > 31) return undefined;
  return `${name} ${dayWords(dayText)}, ${yearText.length === 4 ? year(yearText) : cardinal(yearText)}`;
}

const isoDates = rule(
  new RegExp(String.raw`${START}(?<year>[12]\d{3})-(?<month>\d\d)-(?<day>\d\d)(?=T\d|${END})`, "gu"),
  ({ day, month, year }) => dateOf(day, month, year),
);

const slashDates = rule(
  new RegExp(String.raw`${START}(?<one>\d{1,2})/(?<two>\d{1,2})/(?<year>\d{4}|\d\d)${END}`, "gu"),
  ({ one, two, year: written = "" }, { dayFirst }) => {
    const full = written.length === 2 ? `20${written}` : written;
    return dayFirst || Number(one) > 12 ? dateOf(one, two, full) : dateOf(two, one, full);
  },
);

/** "March 5–7, 2024". */
const monthFirst = rule(
  new RegExp(
    String.raw`\b${MONTH}\s(?:the\s)?${DAY}(?:${TO}(?<until>[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?)?` +
      String.raw`(?:,?\s${YEAR})?${END}(?!\s?(?:%|[ap]\.?m\b))`,
    "gu",
  ),
  ({ month, day, until, year: written }) =>
    `${fullMonth(month)} ${dayWords(day)}` + (until ? ` to ${dayWords(until)}` : "") +
    (written ? `, ${year(written)}` : ""),
);

/** "5 March 2024", "the 5th of March". */
const dayFirst = rule(
  new RegExp(String.raw`${START}(?<the>\bthe\s)?${DAY}(?<of>\sof)?\s${MONTH}(?:,?\s${YEAR}${END})?`, "gu"),
  ({ the, day, month, year: written }) =>
    `${the ?? "the "}${dayWords(day)} of ${fullMonth(month)}` + (written ? `, ${year(written)}` : ""),
);

const monthAndYear = rule(
  new RegExp(String.raw`\b${MONTH}(?<comma>,?)\s${YEAR}${END}`, "gu"),
  ({ month, comma, year: written = "" }) => `${fullMonth(month)}${comma} ${year(written)}`,
);

/** A year that the clause before named the day of: "On March 5, | 2024". */
const yearAfterDay: Rule = (text, { before }) => {
  if (!new RegExp(String.raw`\b${MONTH}\s(?:the\s)?${DAY},\s*$`, "u").test(before)) return text;
  return text.replace(new RegExp(`^${YEAR}${END}`, "u"), (written) => year(written));
};

/** Words before a number of four digits that make it a year. */
const yearly =
  /\b(?:in|since|by|until|till|from|of|year|during|before|after|around|circa|early|mid|late|and|to|©)[\s-]$/i;
/** Words after it that make it a count: "2024 people". */
const counted = /^\s\p{Ll}+s\b/u;

/** "1990–2000", "2024/25". */
const yearRanges = rule(
  new RegExp(String.raw`${START}${YEAR}(?:${TO}|/)(?<until>(?:1[1-9]|20)\d\d|\d\d)${END}`, "gu"),
  ({ year: from = "", until = "" }) => {
    if (until.length === 2 && Number(until) <= Number(from.slice(2))) return undefined;
    return `${year(from)} to ${until.length === 4 ? year(until) : cardinal(until)}`;
  },
);

const years = rule(new RegExp(`${START}${YEAR}${END}`, "gu"), ({ year: written = "" }, place) => {
  if (counted.test(place.text.slice(place.to))) return undefined;
  const named = yearly.test(place.before + place.text.slice(0, place.from));
  const recent = Number(written) >= 1900;
  return named || recent ? year(written) : undefined;
});

/** "1990s", "the '90s". */
const decades = rule(/(?<![\p{L}\p{N}.,])['’]?(?<century>1[1-9]|20)?(?<ten>\d0)s\b/gu, ({ century, ten }) => {
  if (ten === "00") return century ? plural(`${cardinal(century)} hundred`) : undefined;
  return [century && cardinal(century), plural(cardinal(ten ?? ""))].filter(Boolean).join(" ");
});

const HALF = String.raw`(?<half>[ap])(?:\.m\.|\.?m\b)`;
const TIME = String.raw`(?<hour>[01]?\d|2[0-3])(?::(?<minute>[0-5]\d)(?::(?<second>[0-5]\d))?)?`;
const another = (pattern: string): string =>
  pattern.replaceAll("(?<", "(?<to_").replaceAll("(?<to_=", "(?<=");

/** "10:30" → "ten thirty", "9:05" → "nine oh five", "8:00" → "eight o'clock", "5 p.m." → "five PM". */
function time(hour = "", minute?: string, second?: string, half?: string): string {
  const said = cardinal(String(Number(hour)));
  const minutes = minute === undefined || (minute === "00" && (half || second))
    ? ""
    : minute === "00"
    ? (Number(hour) > 12 || Number(hour) === 0 ? " hundred" : " o'clock")
    : minute.startsWith("0")
    ? ` oh ${cardinal(minute.slice(1))}`
    : ` ${cardinal(minute)}`;
  const seconds = second && second !== "00" ? ` and ${cardinal(String(Number(second)))} seconds` : "";
  return said + minutes + seconds + (half ? ` ${half.toUpperCase()}M` : "");
}

/** The full stop of "p.m." also ends the text when nothing follows it. */
const stop = ({ text, from, to }: { text: string; from: number; to: number }): string =>
  text.slice(from, to).endsWith(".") && /^\s*$/.test(text.slice(to)) ? "." : "";

const timeRanges = rule(
  new RegExp(
    String.raw`${START}(?=\d\d?(?::|${TO}\d|\s?[ap]\.?m))${TIME}(?:\s?${HALF})?${TO}${another(TIME)}(?:\s?${
      another(HALF)
    })?` +
      String.raw`(?![\p{L}\p{N}]|:\d)`,
    "giu",
  ),
  ({ hour, minute, second, half, to_hour, to_minute, to_second, to_half }, place) => {
    if (!half && !to_half && !(minute && to_minute)) return undefined; // 9–17 may be anything
    return `${time(hour, minute, second, half)} to ${time(to_hour, to_minute, to_second, to_half)}${
      stop(place)
    }`;
  },
);

const times = rule(
  new RegExp(String.raw`${START}${TIME}(?:\s?${HALF})?(?![\p{L}\p{N}]|:\d)`, "giu"),
  ({ hour, minute, second, half }, place) =>
    minute || half ? time(hour, minute, second, half) + stop(place) : undefined,
);

/** In the order in which they are applied. */
export const dates: readonly Rule[] = [
  isoDates,
  slashDates,
  monthFirst,
  dayFirst,
  monthAndYear,
  yearAfterDay,
  timeRanges,
  times,
  decades,
];

/** Applied after amounts and units: a bare number of four digits may be a year. */
export const yearRules: readonly Rule[] = [yearRanges, years];
