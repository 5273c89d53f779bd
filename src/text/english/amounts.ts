/** Money, units, fractions, and bare numbers. */
import { cardinal, decimal, ordinal, plural } from "./numbers.ts";
import { END, NUMBER, type Rule, rule, START, TO } from "./rule.ts";
import { anyOf, currencies, fractions, magnitudes, type Noun, units } from "./words.ts";

const SIGN = String.raw`(?<minus>(?<=^|[\s(])[-−])?`;
const MAGNITUDE = String.raw`\s?(?<magnitude>million|billion|trillion|thousand|${
  anyOf(Object.keys(magnitudes))
})(?![\p{L}\p{N}])`;

/** "5.99" dollars → "five dollars and ninety-nine cents"; with a magnitude "1.5 million dollars". */
function money(minus: string | undefined, written = "", magnitude: string | undefined, sign: string): string {
  const [unit, cent] = currencies[sign] ?? [["", ""]];
  const figures = written.replaceAll(",", "");
  const negative = minus ? "minus " : "";
  if (magnitude) return `${negative}${decimal(figures)} ${magnitudes[magnitude] ?? magnitude} ${unit[1]}`;
  const [whole = "0", fraction = ""] = figures.split(".");
  const count = (number: string, noun: Noun) =>
    `${cardinal(number)} ${Number(number) === 1 ? noun[0] : noun[1]}`;
  if (!cent || fraction.length !== 2) {
    return `${negative}${decimal(figures)} ${Number(figures) === 1 ? unit[0] : unit[1]}`;
  }
  const cents = String(Number(fraction));
  const parts = [
    ...(Number(whole) > 0 || cents === "0" ? [count(whole, unit)] : []),
    ...(cents === "0" ? [] : [count(cents, cent)]),
  ];
  return negative + parts.join(" and ");
}

const spans: Readonly<Record<string, string>> = {
  h: "hour",
  hr: "hour",
  mo: "month",
  yr: "year",
  min: "minute",
};
const perWords = (span: string | undefined): string =>
  span ? ` per ${spans[span] ?? units[span]?.[0] ?? span}` : "";

const CURRENCY_SIGN = anyOf(Object.keys(currencies).filter((sign) => /[^A-Z]/.test(sign)));
const CURRENCY_CODE = anyOf(Object.keys(currencies));

const moneyRanges = rule(
  new RegExp(
    String
      .raw`(?<![\p{L}\p{N}])(?<sign>${CURRENCY_SIGN})(?<from>${NUMBER})${TO}(?:${CURRENCY_SIGN})?(?<until>${NUMBER})(?:${MAGNITUDE})?${END}`,
    "gu",
  ),
  ({ sign = "", from = "", until, magnitude }) =>
    `${decimal(from)} to ${money(undefined, until, magnitude, sign)}`,
);

const signFirst = rule(
  new RegExp(
    String
      .raw`(?<![\p{L}\p{N}])${SIGN}(?<sign>${CURRENCY_SIGN})\s?(?<below>[-−])?(?<amount>${NUMBER})(?:${MAGNITUDE})?(?:/(?<per>\p{L}+))?`,
    "gu",
  ),
  ({ minus, below, sign = "", amount, magnitude, per }) =>
    money(minus ?? below, amount, magnitude, sign) + perWords(per),
);

const signLast = rule(
  new RegExp(
    String
      .raw`${START}${SIGN}(?<amount>${NUMBER})(?:${MAGNITUDE})?\s?(?<sign>${CURRENCY_CODE})(?![\p{L}\p{N}])(?:/(?<per>\p{L}+))?`,
    "gu",
  ),
  ({ minus, amount, magnitude, sign = "", per }) => money(minus, amount, magnitude, sign) + perWords(per),
);

const cents = rule(
  new RegExp(`${START}(?<amount>${NUMBER})\\s?¢`, "gu"),
  ({ amount = "" }) => `${decimal(amount)} ${amount === "1" ? "cent" : "cents"}`,
);

const measured = rule(
  new RegExp(
    String.raw`${START}${SIGN}(?:(?<from>${NUMBER})${TO})?(?<amount>${NUMBER})(?:\s?(?<unit>${
      anyOf(Object.keys(units))
    })|\s(?<second>s))(?![\p{L}\p{N}]|/\p{L})`,
    "gu",
  ),
  ({ minus, from, amount = "", unit = "sec" }) => {
    const [one, several] = units[unit] ?? ["", ""];
    const range = from ? `${decimal(from)} to ` : "";
    return `${minus ? "minus " : ""}${range}${decimal(amount)} ${amount === "1" && !from ? one : several}`;
  },
);

/** 5'10" */
const heights = rule(
  new RegExp(String.raw`${START}(?<feet>\d)['′’]\s?(?<inches>1[01]|\d)(?:"|″|”|''|(?![\p{L}\p{N}]))`, "gu"),
  ({ feet = "", inches = "" }) => `${cardinal(feet)} foot ${cardinal(inches)}`,
);

/** 10k, 5M; 4K is a name. */
const rounded = rule(
  new RegExp(String.raw`${START}(?<amount>${NUMBER})(?<magnitude>k|M|bn?|B)(?![\p{L}\p{N}])`, "gu"),
  ({ amount = "", magnitude = "" }) => `${decimal(amount)} ${magnitudes[magnitude]}`,
);

const ordinals = rule(
  /(?<![\p{L}\p{N}.])(?<figures>\d{1,3}(?:,\d{3})*|\d+)(?:st|nd|rd|th)(?:[-–](?<until>\d+)(?:st|nd|rd|th))?(?![\p{L}\p{N}])/giu,
  ({ figures = "", until }) => ordinal(figures) + (until ? ` to ${ordinal(until)}` : ""),
);

const denominators: Readonly<Record<string, string>> = { 2: "half", 4: "quarter" };

/** "3/4", "8/10" and "24/7". */
const ratios = rule(
  new RegExp(`${START}(?:(?<whole>\\d+)\\s)?(?<over>\\d{1,4})/(?<under>\\d{1,4})${END}`, "gu"),
  ({ whole, over = "", under = "" }) => {
    const [above, below] = [Number(over), Number(under)];
    const first = whole ? `${cardinal(whole)} and ` : "";
    if (over === "24" && under === "7") return `${first}twenty-four seven`;
    if (below === 10 || (above === below && below > 1)) {
      return `${first}${cardinal(over)} out of ${cardinal(under)}`;
    }
    if (above === 0 || above >= below || below > 20) {
      return `${first}${cardinal(over)} slash ${cardinal(under)}`;
    }
    const part = denominators[under] ?? ordinal(under);
    const parts = above === 1 ? part : part === "half" ? "halves" : plural(part);
    return `${first}${cardinal(over)} ${parts}`;
  },
);

const fractionSigns = rule(
  new RegExp(String.raw`(?:${START}(?<whole>\d+)\s?)?(?<sign>[${Object.keys(fractions).join("")}])`, "gu"),
  ({ whole, sign = "" }) => {
    const words = fractions[sign] ?? sign;
    return whole ? `${cardinal(whole)} and ${words.replace(/^one half$/, "a half")}` : words;
  },
);

const operators: Readonly<Record<string, string>> = {
  "+": "plus",
  "-": "minus",
  "−": "minus",
  "*": "times",
  "×": "times",
  "x": "times",
  "÷": "divided by",
  "/": "divided by",
  "=": "equals",
};

/** Between two numbers and in spaces; × and = also without. */
const arithmetic = rule(
  /(?<=\d%?)(?:\s(?<spaced>[-+−*×x÷/=])\s|(?<tight>[×=]))(?=[-−]?\d)/gu,
  ({ spaced, tight }) => ` ${operators[spaced ?? tight ?? ""]} `,
);

const signed = rule(/(?<![\p{L}\p{N}])(?<sign>~|≈|±)\s?(?=[$€£¥₹]?\d)/gu, ({ sign }) => {
  return sign === "±" ? "plus or minus " : "about ";
});

const hashes = rule(/(?<![\p{L}\p{N}])#(?=\d)/gu, () => "number ");

/** "1,2,3": no thousands. */
const lists = rule(
  /(?<![\p{L}\p{N}.,])(?<figures>\d+(?:,\d+)+)(?![\p{L}\p{N}]|[.,:/]\d)/gu,
  ({ figures = "" }) =>
    /^\d{1,3}(?:,\d{3})+$/.test(figures) ? undefined : figures.split(",").map(cardinal).join(", "),
);

/** 16:9, 3:1. */
const scores = rule(
  new RegExp(`${START}(?<one>\\d{1,4}):(?<two>\\d{1,4})${END}`, "gu"),
  ({ one = "", two = "" }) => `${cardinal(one)} to ${cardinal(two)}`,
);

const ranges = rule(
  new RegExp(`${START}(?<from>${NUMBER})(?:–|—|-|\\s[–—]\\s)(?<until>${NUMBER})${END}`, "gu"),
  ({ from = "", until = "" }) => `${decimal(from)} to ${decimal(until)}`,
);

const numbers = rule(
  new RegExp(
    String
      .raw`(?<![\p{L}\p{N}_]|\d[.,:/]|\p{L}\.)${SIGN}(?<amount>${NUMBER}|\.\d+)(?<more>[+x](?![\p{L}\p{N}]))?${END}`,
    "gu",
  ),
  ({ minus, amount = "", more }) => {
    const after = more === undefined ? "" : more === "x" ? " times" : " plus";
    return `${minus ? "minus " : ""}${decimal(amount)}${after}`;
  },
);

/** In the order in which they are applied. */
export const amounts: readonly Rule[] = [
  signed,
  hashes,
  moneyRanges,
  signFirst,
  signLast,
  cents,
  heights,
  measured,
  rounded,
  ordinals,
  fractionSigns,
  ratios,
];

/** What is left when everything else was written out. */
export const bareNumbers: readonly Rule[] = [arithmetic, lists, scores, ranges, numbers];
