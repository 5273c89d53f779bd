import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { Clause } from "../../src/text/clauses.ts";
import { clauses } from "../../src/text/clauses.ts";
import { pronounce } from "../../src/text/pronunciations.ts";
import { spokenForm, type SpokenFormOptions } from "../../src/text/spoken_form.ts";

const speak = (pieces: readonly string[], options: SpokenFormOptions): Promise<Clause[]> =>
  Array.fromAsync(ReadableStream.from(pieces).pipeThrough(clauses()).pipeThrough(spokenForm(options)()));

const spoken = async (text: string, options: SpokenFormOptions) =>
  (await speak([text], options)).map((clause) => clause.spoken).join("");

const shout = (text: string) => text.toUpperCase();

const TABLE: [what: string, options: SpokenFormOptions, written: string, spoken: string][] = [
  ["everything that is built in, at first", {}, "**Yes**, 5 😀.", "Yes, five."],
  ["nothing", { transforms: [] }, "**Yes**, 5 😀.", "**Yes**, 5 😀."],
  ["markup alone", { transforms: ["markup"] }, "**Yes**, 5 😀.", "Yes, 5."],
  ["numbers alone", { transforms: ["numbers"] }, "**Yes**, 5 😀.", "**Yes**, five 😀."],
  ["the agent's own after them", { transforms: ["markup", "numbers", shout] }, "*Yes*, 5.", "YES, FIVE."],
  [
    "in the order given",
    { transforms: ["markup", (text) => text.replace("5", "6"), "numbers"] },
    "Is 5.",
    "Is six.",
  ],
  ["markup first, wherever it stands", { transforms: [shout, "markup"] }, "See <b>it</b>.", "SEE IT."],
  [
    "the white space between clauses stays",
    { transforms: [(text) => text.trim()] },
    "Yes, so. No.",
    "Yes, so. No.",
  ],
  [
    "a clause may be left out",
    { transforms: [(text) => text.includes("so") ? "" : text] },
    "Yes, so. No.",
    "Yes, No.",
  ],
  [
    "pronunciations",
    { pronunciations: { nginx: "engine x" } },
    "Use Nginx, or `nginx`.",
    "Use engine x, or engine x.",
  ],
  [
    "pronunciations before numbers",
    { pronunciations: { "GPT-4": "G P T 4" } },
    "It is GPT-4.",
    "It is G P T four.",
  ],
  ["pronunciations alone", { transforms: [], pronunciations: { SQL: "sequel" } }, "SQL 5", "sequel 5"],
];

describe("spokenForm", () => {
  for (const [what, options, written, expected] of TABLE) {
    it(what, async () => {
      assertEquals(await spoken(written, options), expected);
      for (let at = 1; at < written.length; at++) {
        const cut = await speak([written.slice(0, at), written.slice(at)], options);
        assertEquals(cut.map((clause) => clause.spoken).join(""), expected, `cut at ${at}`);
        assertEquals(cut.map((clause) => clause.text).join(""), written);
      }
    });
  }

  it("speaks a clause without a function that throws, or returns no string, and tells of it", async () => {
    const errors: unknown[] = [];
    const bad = (text: string) => {
      if (text.startsWith("Yes")) throw new Error("no yes");
      return undefined as unknown as string;
    };
    const options: SpokenFormOptions = { transforms: [bad, shout], onError: (error) => errors.push(error) };
    assertEquals(await spoken("Yes, so.", options), "YES, SO.");
    assertEquals(errors.map(String), [
      "Error: no yes",
      "TypeError: a text transform returned undefined; expected a string",
    ]);
  });

  it("knows the year that follows a day in another clause, in each reply anew", async () => {
    const form = spokenForm();
    const say = async (text: string) =>
      (await Array.fromAsync(ReadableStream.from([text]).pipeThrough(clauses()).pipeThrough(form())))
        .map((clause) => clause.spoken);
    assertEquals(await say("On May 5, 1812, it was."), ["On May fifth, ", "eighteen twelve, it was."]);
    assertEquals(await say("1812 it was."), ["one thousand eight hundred twelve it was."]);
  });
});

describe("pronounce", () => {
  const dictionary = {
    us: "you all",
    US: "U S",
    "AT&T": "A T and T",
    "live kit": "LiveKit",
    data: "dayta",
    "data base": "store",
    "北京": "běijīng",
  };
  const say = pronounce(dictionary);
  const table: [written: string, spoken: string][] = [
    ["the US and us and Us", "the U S and you all and you all"],
    ["bus, USB, status", "bus, USB, status"],
    ["AT&T but at&t", "A T and T but at&t"],
    ["Live  Kit", "LiveKit"],
    ["data, a data base", "dayta, a store"],
    ["我在北京。", "我在běijīng。"],
    ["nothing", "nothing"],
  ];
  for (const [written, expected] of table) {
    it(written, () => assertEquals(say(written), expected));
  }
  it("takes no entry twice, and none that is empty", () => {
    assertEquals(pronounce({ a: "b", b: "c", " ": "d" })("a b"), "b c");
    assertEquals(pronounce({})("a b"), "a b");
  });
});
