import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { clauses } from "../../src/text/clauses.ts";

const cut = (pieces: readonly string[]): Promise<string[]> =>
  Array.fromAsync(ReadableStream.from(pieces).pipeThrough(clauses()));

const TABLE: [what: string, ...clauses: string[]][] = [
  ["the first clause is one word", "Sure, ", "I can help, gladly."],
  [
    "later clauses are sentences",
    "Well: ",
    "that depends; it always does, you know. ",
    "Does it? ",
    "Yes! ",
    "Good… ",
    "Bye",
  ],
  ["a first sentence without a comma", "It is raining today. ", "Take a coat."],
  ["numbers stay whole", "It is 3,000 or 3.14 at 10:30 or 1.000.000,00 today, ", "I think."],
  ["titles stay with the name", "Ask Dr. Smith or Mrs. J. K. Jones of the U.S. Army about it. ", "He knows."],
  [
    "abbreviations do not end a sentence",
    "Take fruit e.g. apples, ",
    "pears etc. and so on, i.e. food. ",
    "Now.",
  ],
  ["short months stay with the day", "It was on Dec. 5 or Sept. 3 there. ", "Now."],
  ["No. is a sentence", "No. ", "Never."],
  ["addresses stay whole", "Write to a.b@c.org or see https://x.org/a,b;c.html?d=1. ", "Thanks."],
  ["items of a list keep their numbers", "Two things:\n", "1. Apples.\n", "2. Pears.\n", "That is all."],
  ["lines end a clause", "Heading\n", "\nText without an end\n", "more"],
  [
    "white space goes with the clause before, one character of it",
    "Yes. ",
    "  And then. ",
    " \n\n No.\r",
    "\nEnd. ",
  ],
  [
    "quotes, brackets and emphasis close with it",
    'He said "yes." ',
    "(I heard it.) ",
    "**So be it.** ",
    "_Right?_ ",
    "Fine.",
  ],
  ["dots and marks together", "Well... ", "What?! ", "Go."],
  ["a dash", "Sure—", "I can do that—of course. ", "Now."],
  ["a hyphen and a minus are no dash", "Well-known facts are - as ever - simple. ", "Yes."],
  ["full-width marks need no space", "你好，", "我是助手，很高兴。", "是吗？！", "「是的。」", "再见！"],
  [
    "a long first clause without punctuation ends before a conjunction",
    "The weather over there in the far north is cold ",
    "and the days are short. ",
    "Yes.",
  ],
  ["but not before eight words", "It is cold and the days are short ", "and dark. "],
  ["nor inside a word", "One two three four five six seven eight android sofa nine. ", "Yes."],
  [
    "a long later clause ends at a comma",
    "Sure. ",
    "There are, as I said, one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen, ",
    "and more, but not many.",
  ],
  ["a clause of signs alone is not the first", "- - - !\n", "Sure, ", "I can, too."],
  ["an empty text"],
  ["white space alone", " \n "],
];

describe("clauses", () => {
  for (const [what, ...expected] of TABLE) {
    const text = expected.join("");
    it(what, async () => assertEquals(await cut([text]), expected));

    it(`${what}, wherever the text is cut into pieces`, async () => {
      for (let at = 1; at < text.length; at++) {
        assertEquals(await cut([text.slice(0, at), text.slice(at)]), expected, `at ${at}`);
      }
      assertEquals(await cut([...text]), expected, "one character at a time");
      assertEquals(await cut(["", ...(text.match(/[^]{1,3}/g) ?? []), ""]), expected, "three at a time");
    });
  }

  it("hands a clause on as soon as the character after its mark is there", async () => {
    const { readable, writable } = clauses();
    const writer = writable.getWriter();
    const read = readable.getReader().read();
    let first: string | undefined;
    read.then(({ value }) => first = value);
    const seen: (string | undefined)[] = [];
    for (const piece of ["Su", "re", ",", " "]) {
      writer.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(first);
    }
    assertEquals(seen, [undefined, undefined, undefined, "Sure, "]);
  });
});
