import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type Clause, clauses } from "../../src/text/clauses.ts";
import { speakable } from "../../src/text/speakable.ts";

const speak = (pieces: readonly string[]): Promise<Clause[]> =>
  Array.fromAsync(ReadableStream.from(pieces).pipeThrough(clauses()).pipeThrough(speakable()));

const spoken = async (pieces: readonly string[]) =>
  (await speak(pieces)).map((clause) => clause.spoken).join("");

const TABLE: [what: string, text: string, spoken: string][] = [
  ["plain text", "Hello, Bob. How's it going?", "Hello, Bob. How's it going?"],
  [
    "bold and italic",
    "This is **bold**, *italic*, ***both***, __bold__ and _italic_.",
    "This is bold, italic, both, bold and italic.",
  ],
  ["emphasis over clauses", "**Yes, I can. Really.** Ok", "Yes, I can. Really. Ok"],
  ["struck out", "It is ~~cheap~~ free, ~5 euros.", "It is cheap free, ~5 euros."],
  ["a product", "2 * 3 * 4 is 2*3*4, or 2 ** 3.", "2 * 3 * 4 is 2*3*4, or 2 ** 3."],
  ["names with underscores", "Call snake_case and __init__ here.", "Call snake_case and init here."],
  ["C#", "I like C# and F#, issue #1.", "I like C# and F#, issue #1."],
  ["headings", "# One\n## Two\nText\n", "One\nTwo\nText\n"],
  ["bullets", "- one\n* two\n+ three\n  • four\n- [x] done\n", "one\ntwo\nthree\nfour\ndone\n"],
  ["numbered items", "1. item\n2. item\n", "1. item\n2. item\n"],
  ["a minus inside a line", "5 - 3 is 2", "5 - 3 is 2"],
  ["quotations", "> so it is\n> > said\n", "so it is\nsaid\n"],
  ["rules", "Above\n---\n***\nTitle\n=====\nBelow", "Above\nTitle\nBelow"],
  ["links", "See [the docs](https://x.org/a_(b)) now.", "See the docs now."],
  [
    "links over clauses",
    "See [the docs, all of them](https://x.org/a) now.",
    "See the docs, all of them now.",
  ],
  [
    "addresses with titles, over clauses",
    'See [it](https://x.org "One. Two, three. Four") now.',
    "See it now.",
  ],
  ["pictures", "Look: ![a cat](cat.png) there", "Look: a cat there"],
  ["bare addresses", "Go to https://www.x.org/a/b?c=d#e. Or <http://y.org>.", "Go to x.org. Or y.org."],
  ["an address at the end", "Go to https://x.org", "Go to x.org"],
  ["inline code", "Run `deno task start`, then `a_b * c_d`.", "Run deno task start, then a_b * c_d."],
  ["inline code over clauses", "Try `f(a, b_c_). x` now.", "Try f(a, b_c_). x now."],
  ["a block of code", "Here:\n```ts\nconst a = 1; // so. it. is\n# no heading\n```\nDone.", "Here:\nDone."],
  ["two blocks of code", "A\n```\nx\n```\nB\n~~~\n```\n~~~\nC", "A\nB\nC"],
  ["a block that never ends", "Here:\n```\nlet a = 1;\n", "Here:\n"],
  ["tables", "| Name | Age |\n|------|:---:|\n| Bob | 42 |\nSo.", " Name Age \n Bob 42 \nSo."],
  ["a pipe elsewhere", "Use a | b here", "Use a | b here"],
  [
    "emoji",
    "Hello 👋! Great 😀 job 👍🏽. Family 👨‍👩‍👧, flag 🇩🇪, heart ❤️.",
    "Hello! Great job. Family, flag, heart.",
  ],
  ["signs that are words", "© 2024 Acme™, 5 ° below, 7 → 8", "© 2024 Acme™, 5 ° below, 7 → 8"],
  ["tags", "This is <b>bold</b><br/> and <a href='x'>here</a>.<!-- no -->", "This is bold and here."],
  [
    "tags of speech",
    'Wait <break time="1.5s"/> or <amazon:effect name="x">now</amazon:effect>.',
    "Wait or now.",
  ],
  [
    "tags and comments over clauses",
    'Yes, see <a href="/x" title="One. Two, three! <b>">this</a> and <!-- no. Really, no.\nNo! --> go.\nNow.',
    "Yes, see this and  go.\nNow.",
  ],
  ["a tag that never ends", 'Yes, see <a title="One. Two\nand so on.', "Yes, see and so on."],
  ["comparisons", "a < b and c > d, x<y and y>z, I <3 you", "a < b and c > d, x<y and y>z, I <3 you"],
  ["escapes", "\\*not bold\\* and 1\\. no list", "*not bold* and 1. no list"],
  ["punctuation alone", "... !\n?", ""],
  ["emoji alone", "😀 🎉", ""],
  ["Chinese", "**你好**，我是😀助手。", "你好，我是助手。"],
];

describe("speakable", () => {
  for (const [what, text, expected] of TABLE) {
    it(what, async () => {
      assertEquals(await spoken([text]), expected);
      const clauses = await speak([...text]);
      assertEquals(clauses.map((clause) => clause.text).join(""), text, "the text is kept");
      assertEquals(clauses.map((clause) => clause.spoken).join(""), expected, "one character at a time");
    });
  }

  it("keeps the clauses that are not spoken", async () => {
    assertEquals(await speak(["So:\n```\nx\n", "```\nYes."]), [
      { text: "So:\n", spoken: "So:\n" },
      { text: "```\n", spoken: "" },
      { text: "x\n", spoken: "" },
      { text: "```\n", spoken: "" },
      { text: "Yes.", spoken: "Yes." },
    ]);
  });

  it("takes a long line of open brackets in its stride", async () => {
    const text = "](".repeat(20_000) + "<a ".repeat(20_000);
    assertEquals((await speak([text])).map((clause) => clause.text).join(""), text);
  });
});
