import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { WordTime } from "../../src/tts/tts.ts";
import { heardText, heardWhenMs, type SpokenReply } from "../../src/text/heard.ts";

const plain = (...texts: string[]) => texts.map((text) => ({ text, spoken: text }));

/** Words of 300 ms each, 20 ms apart, as a voice times them: without punctuation. */
const timed = (text: string): WordTime[] =>
  text.split(/\s+/).filter(Boolean).map((word, i) => ({
    text: word.replace(/[.,!?]$/, ""),
    startMs: i * 320,
    endMs: i * 320 + 300,
  }));

const STORY = plain(
  "Once, ",
  "there was a king who had three sons. ",
  "The first was strong, the second was wise and the third was kind. ",
  "Nobody knew which of them should have the crown.",
);
const STORY_TEXT = STORY.map(({ text }) => text).join("");

const MARKED = [
  { text: "**Sure**, ", spoken: "Sure, " },
  { text: "😀 ", spoken: "" },
  { text: "see [the docs](https://x.org/a) for *all* of it. ", spoken: "see the docs for all of it. " },
  { text: "```\nx\n```\n", spoken: "" },
  { text: "Done.", spoken: "Done." },
];

describe("heardText with the times of words", () => {
  const table: [what: string, playedMs: number, expected: string][] = [
    ["nothing", 0, ""],
    ["less than half a word", 140, ""],
    ["half a word", 150, "Once,"],
    ["one word and a little", 400, "Once,"],
    ["to the end of a clause", 320 * 8 + 290, "Once, there was a king who had three sons."],
    ["into the next", 320 * 10 + 290, "Once, there was a king who had three sons. The first"],
    ["all but the end of the last word", 320 * 31 + 299, STORY_TEXT],
  ];
  const words = timed(STORY_TEXT);
  const audioMs = words.length * 320;
  for (const [what, playedMs, expected] of table) {
    it(what, () => {
      assertEquals(heardText({ clauses: STORY, audioMs, complete: true, playedMs, words }), expected);
      assertEquals(heardText({ clauses: STORY, audioMs, complete: false, playedMs, words }), expected);
    });
  }

  it("is a word off at most at any moment", () => {
    for (let playedMs = 0; playedMs < audioMs; playedMs += 50) {
      const text = heardText({ clauses: STORY, audioMs, complete: true, playedMs, words });
      const count = text.split(/\s+/).filter(Boolean).length;
      assert(Math.abs(count - playedMs / 320) <= 1, `${count} words after ${playedMs} ms`);
      assert(STORY_TEXT.startsWith(text));
    }
  });

  it("keeps the markup around the words", () => {
    const words = timed("Sure, see the docs for all of it. Done.");
    const at = (count: number) =>
      heardText({ clauses: MARKED, audioMs: 2880, complete: true, playedMs: count * 320, words });
    assertEquals([1, 2, 4, 6, 8, 9].map(at), [
      "**Sure**,",
      "**Sure**, 😀 see",
      "**Sure**, 😀 see [the docs](https://x.org/a)",
      "**Sure**, 😀 see [the docs](https://x.org/a) for *all*",
      "**Sure**, 😀 see [the docs](https://x.org/a) for *all* of it.",
      MARKED.map(({ text }) => text).join(""),
    ]);
  });

  it("finds the place where markup became space", () => {
    const clauses = [{ text: "|Tom|a cat|\n", spoken: " Tom a cat \n" }];
    assertEquals(
      heardText({ clauses, audioMs: 3000, complete: true, playedMs: 700, words: timed("Tom a cat") }),
      "|Tom|a",
    );
  });

  it("passes over words that were said otherwise", () => {
    const clauses = plain("It costs $5 in all, my friend.");
    const words = timed("It costs five dollars in all my friend");
    const at = (count: number) =>
      heardText({ clauses, audioMs: 9000, complete: false, playedMs: count * 320, words });
    assertEquals([2, 4, 5, 8].map(at), [
      "It costs",
      "It costs",
      "It costs $5 in",
      "It costs $5 in all, my friend.",
    ]);
  });
});

describe("heardText of what was said in other words", () => {
  const clauses = [
    {
      text: "It was **$1,234.50** on 3/4/2025, ",
      spoken:
        "It was one thousand two hundred thirty-four dollars and fifty cents on March fourth, twenty twenty-five, ",
    },
    { text: "at 10:30 😀. ", spoken: "at ten thirty. " },
    {
      text: "Mail a.b@c.org or call 555-1234 now.",
      spoken: "Mail a dot b at c dot org or call five five five, one two three four now.",
    },
  ];
  const spoken = clauses.map((clause) => clause.spoken).join("");
  const whole = clauses.map(({ text }) => text).join("");
  const words = spoken.split(/\s+/).map((text, i) => ({ text, startMs: i * 300, endMs: i * 300 + 280 }));
  const audioMs = words.length * 300;
  const after = (said: string) => {
    const count = said === "" ? 0 : said.split(" ").length;
    return heardText({ clauses, audioMs, complete: true, playedMs: count * 300, words });
  };
  const table: [said: string, heard: string][] = [
    ["It was", "It was"],
    ["It was one thousand two hundred", "It was"],
    ["It was one thousand two hundred thirty-four dollars and fifty cents", "It was **$1,234.50**"],
    ["It was one thousand two hundred thirty-four dollars and fifty cents on", "It was **$1,234.50** on"],
    [spoken.slice(0, spoken.indexOf(" at")), "It was **$1,234.50** on 3/4/2025,"],
    [spoken.slice(0, spoken.indexOf(" Mail")), "It was **$1,234.50** on 3/4/2025, at 10:30"],
    [
      spoken.slice(0, spoken.indexOf(" or call")),
      "It was **$1,234.50** on 3/4/2025, at 10:30 😀. Mail a.b@c.org",
    ],
    [spoken.slice(0, spoken.indexOf(" now")), whole.slice(0, -5)],
    [spoken, whole],
  ];
  for (const [said, heard] of table) {
    it(heard, () => assertEquals(after(said), heard));
  }

  it("only ever grows, by whole words", () => {
    let before = "";
    for (let playedMs = 0; playedMs <= audioMs; playedMs += 50) {
      for (const timed of [words, []]) {
        const heard = heardText({ clauses, audioMs, complete: true, playedMs, words: timed });
        assert(whole.startsWith(heard) && (!heard || /^(?:\s|$)/.test(whole.slice(heard.length))), heard);
        if (timed.length === 0) continue;
        assert(heard.startsWith(before), `${heard} after ${before}`);
        before = heard;
      }
    }
    assertEquals(before, whole);
  });

  it("a function of the agent's that says something else altogether counts in proportion", () => {
    const clauses = [{ text: "eins zwei drei vier", spoken: "one two three four five six seven eight" }];
    const at = (playedMs: number) => heardText({ clauses, audioMs: 800, complete: true, playedMs });
    assertEquals([0, 250, 480, 800].map(at), ["", "eins zwei", "eins zwei drei", "eins zwei drei vier"]);
  });
});

describe("heardText with words that are far apart", () => {
  it("finds the text again after a long number", () => {
    const clauses = plain("Call 01234567 01234567 01234567 01234567 01234567 now, please.");
    const words = timed(`Call ${"zero one two three four five six seven ".repeat(5)}now please`);
    assertEquals(
      heardText({ clauses, audioMs: 99_000, complete: false, playedMs: 42 * 320, words }),
      "Call 01234567 01234567 01234567 01234567 01234567 now,",
    );
  });

  it("does not take a word far ahead for one that was said otherwise", () => {
    const clauses = plain("It is 5 o'clock, which is late. I told you that at four, and you told me: five.");
    assertEquals(
      heardText({
        clauses,
        audioMs: 9000,
        complete: false,
        playedMs: 3 * 320,
        words: timed("It is five o'clock"),
      }),
      "It is",
    );
  });
});

describe("heardText without the times of words", () => {
  const reply: SpokenReply = { clauses: STORY, audioMs: 10_000, complete: true, playedMs: 0 };

  it("is everything once all was played", () => {
    assertEquals(heardText({ ...reply, playedMs: 10_000 }), STORY_TEXT);
    assertEquals(
      heardText({ ...reply, clauses: MARKED, playedMs: 10_000 }),
      MARKED.map(({ text }) => text).join(""),
    );
  });

  it("is not everything while more audio is to come", () => {
    assert(heardText({ ...reply, playedMs: 5000, audioMs: 5000, complete: false }) !== STORY_TEXT);
  });

  it("is in proportion to the characters, to 10 %, at whole words", () => {
    for (let playedMs = 0; playedMs < 10_000; playedMs += 100) {
      const text = heardText({ ...reply, playedMs });
      const expected = STORY_TEXT.length * playedMs / 10_000;
      assert(
        Math.abs(text.length - expected) <= STORY_TEXT.length * 0.1,
        `${text.length} after ${playedMs} ms`,
      );
      assert(
        STORY_TEXT.startsWith(text) &&
          !/\S\S/.test(STORY_TEXT.charAt(text.length - 1) + STORY_TEXT.charAt(text.length)),
        text,
      );
    }
  });

  it("keeps to the marks", () => {
    const marks = [{ characters: 6, audioMs: 2000 }, { characters: 43, audioMs: 6000 }];
    const at = (playedMs: number) => heardText({ ...reply, marks, playedMs });
    assertEquals([800, 1100, 2000, 3900, 6000].map(at), [
      "",
      "Once,",
      "Once,",
      "Once, there was a king",
      "Once, there was a king who had three sons.",
    ]);
  });

  it("goes on at the speed seen so far after the last mark", () => {
    const marks = [{ characters: 43, audioMs: 4300 }]; // 10 characters a second
    const text = heardText({ ...reply, marks, audioMs: 9000, complete: false, playedMs: 6400 });
    assertEquals(text, "Once, there was a king who had three sons. The first was strong,");
  });

  it("takes 15 characters a second while no speed is known", () => {
    const text = heardText({ ...reply, audioMs: 2000, complete: false, playedMs: 2000 });
    assert(Math.abs(text.length - 30) <= 4, text);
  });

  it("does not go beyond the text", () => {
    assertEquals(heardText({ ...reply, audioMs: 60_000, complete: false, playedMs: 60_000 }), STORY_TEXT);
  });

  it("cuts between any two characters where no spaces are written", () => {
    const clauses = plain("你好，", "我是助手。");
    assertEquals(heardText({ clauses, audioMs: 8000, complete: true, playedMs: 5000 }), "你好，我是");
  });

  it("is nothing of nothing", () => {
    assertEquals(heardText({ clauses: [], audioMs: 0, complete: false, playedMs: 0 }), "");
    assertEquals(heardText({ ...reply, clauses: MARKED.slice(1), playedMs: 0 }), "");
  });
});

describe("heardWhenMs", () => {
  const reply = { clauses: STORY, audioMs: 10_240, complete: false, words: timed(STORY_TEXT) };
  const table: [characters: number, expectedMs: number][] = [[5, 150], [6, 470], [42, 8 * 320 + 150]];
  for (const [characters, expectedMs] of table) {
    it(`tells when ${characters} characters were heard`, () => {
      const ms = heardWhenMs(reply, characters) ?? NaN;
      assert(ms >= expectedMs && ms < expectedMs + 20, `${ms} ms`);
    });
  }

  it("does not know it of what was not delivered", () => {
    assertEquals(heardWhenMs({ ...reply, audioMs: 1_000 }, 42), undefined);
  });
});
