/** What is written in figures and signs, as English says it: whole, and wherever the text is cut into pieces. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { clauses } from "../../src/text/clauses.ts";
import { spokenForm, type SpokenFormOptions } from "../../src/text/spoken_form.ts";

async function spoken(pieces: readonly string[], options: SpokenFormOptions = {}): Promise<string> {
  const stream = ReadableStream.from(pieces).pipeThrough(clauses()).pipeThrough(spokenForm(options)());
  const all = await Array.fromAsync(stream);
  assertEquals(all.map(({ text }) => text).join(""), pieces.join(""), "the text is kept");
  return all.map((clause) => clause.spoken).join("");
}

const TABLES: Readonly<Record<string, readonly (readonly [written: string, spoken: string])[]>> = {
  numbers: [
    ["I have 2 cats and 13 dogs.", "I have two cats and thirteen dogs."],
    [
      "0, 100, 1,234,567 and 20000",
      "zero, one hundred, one million two hundred thirty-four thousand five hundred sixty-seven and twenty thousand",
    ],
    ["Pi is 3.14159, half is .5.", "Pi is three point one four one five nine, half is zero point five."],
    ["It is -5 outside.", "It is minus five outside."],
    [
      "~5 of 50+ users, 3x faster, ±2",
      "about five of fifty plus users, three times faster, plus or minus two",
    ],
    ["Agent 007 and #42", "Agent zero zero seven and number forty-two"],
    ["2 + 2 = 4, 5 - 3 is 2, 3×4", "two plus two equals four, five minus three is two, three times four"],
    ["10k users, 5M views, 2 million", "ten thousand users, five million views, two million"],
    ["one, two: 1,2,3", "one, two: one, two, three"],
    ["1. Apples\n2. Pears\n", "one. Apples\ntwo. Pears\n"],
    ["COVID-19 and GPT-4 run", "COVID-nineteen and GPT-four run"],
    ["GPT-4o, MP3, H2O, 3D and B2B", "GPT-4o, MP3, H2O, 3D and B2B"],
    [
      "in 12345678901234567890 ways",
      "in one two three, four five six, seven eight nine, zero one two, three four five, six seven eight, nine zero ways",
    ],
  ],
  ordinals: [
    ["The 1st, 2nd, 3rd and 21st", "The first, second, third and twenty-first"],
    ["the 103rd and the 10th-12th", "the one hundred third and the tenth to twelfth"],
  ],
  fractions: [
    ["1/2, 3/4 and 2/3 of it", "one half, three quarters and two thirds of it"],
    ["½ or 1½ or 2 1/4", "one half or one and a half or two and one quarter"],
    ["8/10, open 24/7", "eight out of ten, open twenty-four seven"],
  ],
  years: [
    ["In 1999 and 2024", "In nineteen ninety-nine and twenty twenty-four"],
    [
      "since 1905, until 2003, from 1066",
      "since nineteen oh five, until two thousand three, from one thousand sixty-six",
    ],
    ["the year 1776, by 1800", "the year seventeen seventy-six, by eighteen hundred"],
    ["1500 people and 2024 steps", "one thousand five hundred people and two thousand twenty-four steps"],
    ["the 1990s, the '80s", "the nineteen nineties, the eighties"],
  ],
  ranges: [
    ["10-20 or 5–7 of them", "ten to twenty or five to seven of them"],
    ["from 1990–2000, 2020-21", "from nineteen ninety to two thousand, twenty twenty to twenty-one"],
    ["a ratio of 16:9", "a ratio of sixteen to nine"],
  ],
  "percent and units": [
    ["5% of 0.5 %, 10-15%", "five percent of zero point five percent, ten to fifteen percent"],
    ["1 km, 5km and 100 km/h", "one kilometer, five kilometers and one hundred kilometers per hour"],
    ["20°C, -4 °F, 90°", "twenty degrees Celsius, minus four degrees Fahrenheit, ninety degrees"],
    ["60 mph, 5 GB, 2 hrs and 5 s", "sixty miles per hour, five gigabytes, two hours and five seconds"],
    ["He is 5'10\" and 70 kg.", "He is five foot ten and seventy kilograms."],
  ],
  currency: [
    ["It costs $5.", "It costs five dollars."],
    [
      "$1, $5.99, $0.50, $1,234.50",
      "one dollar, five dollars and ninety-nine cents, fifty cents, one thousand two hundred thirty-four dollars and fifty cents",
    ],
    [
      "€20, 20 €, 1 EUR, £3.01, ¥500",
      "twenty euros, twenty euros, one euro, three pounds and one penny, five hundred yen",
    ],
    [
      "$1.5 million, $5k, $3.5M",
      "one point five million dollars, five thousand dollars, three point five million dollars",
    ],
    [
      "-$5, $5-$10, 50¢, $9/month",
      "minus five dollars, five to ten dollars, fifty cents, nine dollars per month",
    ],
  ],
  dates: [
    ["on March 5, 2024 there", "on March fifth, twenty twenty-four there"],
    ["March 5th, Mar. 3 and the 5th of May", "March fifth, March third and the fifth of May"],
    ["It was 5 March 2024.", "It was the fifth of March, twenty twenty-four."],
    [
      "On 2024-12-31, on 3/4/2025",
      "On December thirty-first, twenty twenty-four, on March fourth, twenty twenty-five",
    ],
    ["Since May 2019, June 5-7", "Since May twenty nineteen, June fifth to seventh"],
    ["I may 5 times march.", "I may five times march."],
  ],
  times: [
    ["at 10:30, 9:05 or 8:00", "at ten thirty, nine oh five or eight o'clock"],
    ["at 5pm, 5 p.m. today, 10:00 AM", "at five PM, five PM today, ten AM"],
    ["Come at 5 p.m.", "Come at five PM."],
    ["at 14:30 or 14:00", "at fourteen thirty or fourteen hundred"],
    ["9am-5pm, 9-5pm, 9:30–17:15", "nine AM to five PM, nine to five PM, nine thirty to seventeen fifteen"],
  ],
  "phone numbers and codes": [
    ["Call (555) 123-4567 now.", "Call five five five, one two three, four five six seven now."],
    [
      "at 555-123-4567 or 555-1234.",
      "at five five five, one two three, four five six seven or five five five, one two three four.",
    ],
    ["+1 555 123 4567 works", "plus one, five five five, one two three, four five six seven works"],
    ["+44 20 7946 0958.", "plus four four, two zero, seven nine four six, zero nine five eight."],
    [
      "is 5551234567, or 030 1234",
      "is five five five, one two three, four five six seven, or zero three zero, one two three four",
    ],
    [
      "Your code is 482913, PIN: 1234.",
      "Your code is four eight two, nine one three, PIN: one two three four.",
    ],
    ["order #55123, call 911", "order number five five one, two three, call nine one one"],
    ["order 500 sheets in room 12", "order five hundred sheets in room twelve"],
    ["4111 1111 1111 1111", "four one one one, one one one one, one one one one, one one one one"],
  ],
  addresses: [
    ["Write to jo.b42@my-mail.org.", "Write to jo dot b four two at my dash mail dot org."],
    [
      "Go to https://www.example.com/a/b?c=1, or foo.co.uk/x.",
      "Go to example dot com, or foo dot co dot uk.",
    ],
    [
      "At 192.168.0.1 runs 1.2.3",
      "At one hundred ninety-two dot one hundred sixty-eight dot zero dot one runs one dot two dot three",
    ],
  ],
  together: [
    [
      "**Total:** `3` items, [$4.50](https://shop.example.com/a,b) each 🎉 — see <b>page 2</b>!",
      "Total: three items, four dollars and fifty cents each — see page two!",
    ],
    ["| Day | Price |\n|---|---|\n| May 1 | $2 |\n", " Day Price \n May first two dollars \n"],
    ["```\nlet a = 42;\n```\nDone in 3 s.", "Done in three seconds."],
    ["No figures at all, e.g. here.", "No figures at all, e.g. here."],
  ],
};

/** Whole numbers below `limit`, the same on every run. */
function random(seed: number): (limit: number) => number {
  return (limit) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * limit);
  };
}

function randomPieces(text: string, seed: number): string[] {
  const next = random(seed);
  const pieces: string[] = [];
  for (let at = 0; at < text.length;) {
    const length = next(7);
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  return pieces;
}

for (const [what, table] of Object.entries(TABLES)) {
  describe(`English: ${what}`, () => {
    for (const [written, expected] of table) {
      it(written, async () => {
        assertEquals(await spoken([written]), expected);
        for (let at = 1; at < written.length; at++) {
          assertEquals(await spoken([written.slice(0, at), written.slice(at)]), expected, `cut at ${at}`);
        }
        assertEquals(await spoken([...written]), expected, "one character at a time");
        for (let seed = 1; seed <= 20; seed++) {
          assertEquals(await spoken(randomPieces(written, seed)), expected, `random pieces ${seed}`);
        }
      });
    }
  });
}

describe("English: anything", () => {
  const signs = [..." \n.,:;-–/()$€%#@+*_~`'\"<>[]|=°½😀"];
  const words = [
    "1",
    "02",
    "30",
    "007",
    "1999",
    "5,000",
    "3.5",
    "12:30",
    "p.m.",
    "pm",
    "March",
    "May 5",
    "5th",
    "km",
    "a",
    "and",
  ];
  const markup = [
    "**",
    "```",
    "](",
    "https://x.org/a?b=1",
    "<b>",
    '<a href="',
    "a.b@c.de",
    "- ",
    "k",
    "%",
    "million",
    "\n\n",
  ];
  const parts = [...signs, ...words, ...words, ...markup];
  it("is said the same wherever it is cut, without a failure, and no figure is left that stands alone", async () => {
    for (let seed = 1; seed <= 400; seed++) {
      const next = random(seed * 7919);
      const text = Array.from({ length: 3 + next(40) }, () => parts[next(parts.length)]).join(
        next(3) ? "" : " ",
      );
      const options = {
        onError: (error: unknown) => {
          throw new Error(`${JSON.stringify(text)}: ${error}`);
        },
      };
      const whole = await spoken([text], options);
      for (let run = 1; run <= 5; run++) {
        assertEquals(await spoken(randomPieces(text, seed * 10 + run), options), whole, JSON.stringify(text));
      }
      const left = /(?<=^|\s)\d+(?=\s|$)/.exec(whole);
      assertEquals(left?.[0], undefined, `${JSON.stringify(text)} → ${JSON.stringify(whole)}`);
    }
  });
});

describe("English elsewhere", () => {
  it("puts the day first in a date outside America", async () => {
    assertEquals(await spoken(["on 3/4/2025"], { language: "en-GB" }), "on April third, twenty twenty-five");
    assertEquals(await spoken(["on 3/4/2025"], { language: "en-US" }), "on March fourth, twenty twenty-five");
  });

  it("leaves the figures of other languages to the voice, but no markup", async () => {
    assertEquals(
      await spoken(["Es kostet **5,50 €** am 3. Mai 🎉."], { language: "de" }),
      "Es kostet 5,50 € am 3. Mai.",
    );
  });

  it("takes long runs of figures and signs in its stride", async () => {
    const text = "1-".repeat(5_000) + "$".repeat(5_000) + "a.".repeat(5_000) + "1,".repeat(5_000) +
      "0 ".repeat(5_000);
    await spoken([text]);
  });
});
