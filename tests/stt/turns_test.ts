import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createTurns, type TurnUpdate } from "../../src/stt/turns.ts";

const update = (turn: number, text: string, more: Partial<TurnUpdate> = {}): TurnUpdate => ({
  turn,
  text,
  words: text.split(" ").filter(Boolean).map((text) => ({ text, confidence: 0.9 })),
  ...more,
});
const over = { change: "over" } as const;

describe("turns", () => {
  it("are told with each message, and once they are over", () => {
    const turns = createTurns();
    assertEquals(turns.take(update(0, ""), false), { type: "interim", text: "" });
    assertEquals(turns.take(update(0, "one two"), false), {
      type: "interim",
      text: "one two",
      confidence: 0.9,
    });
    assertEquals(turns.take(update(0, "one two", { ...over, language: "de" }), false), {
      type: "final",
      text: "one two",
      confidence: 0.9,
      language: "de",
      endOfTurn: true,
    });
  });

  it("that are told are not told again, formatted or not", () => {
    const turns = createTurns();
    turns.take(update(3, "one two", over), false);
    assertEquals(turns.take(update(3, "One, two.", over), false), undefined);
    assertEquals(turns.take(update(2, "zero"), false), undefined);
    assertEquals(turns.finish(), undefined);
    assertEquals(turns.take(update(4, "three"), false)?.text, "three");
  });

  it("go on after a final that was asked for, without its words", () => {
    const turns = createTurns();
    assertEquals(turns.take(update(0, "one two"), true), {
      type: "final",
      text: "one two",
      confidence: 0.9,
      asked: true,
    });
    assertEquals(turns.take(update(0, "one two"), false), { type: "interim", text: "" });
    assertEquals(turns.take(update(0, "one two three"), false)?.text, "three");
    assertEquals(turns.take(update(0, "one two three", over), false), {
      type: "final",
      text: "three",
      confidence: 0.9,
      endOfTurn: true,
    });
  });

  it("tell words by where they lie in the audio, where that is known", () => {
    const turns = createTurns();
    const at = (text: string, startMs: number, endMs: number) => ({ text, confidence: 0.9, startMs, endMs });
    turns.take({ turn: 0, text: "for tea", words: [at("for", 0, 200), at("tea", 200, 400)] }, true);
    const words = [at("forty", 0, 390), at("two", 500, 700)];
    assertEquals(turns.take({ turn: 0, text: "forty two", words }, false)?.text, "two");
  });

  it("are likely to be over until they go on", () => {
    const turns = createTurns();
    const eager = (change?: TurnUpdate["change"]) => {
      const event = turns.take(update(0, "one", { change }), false);
      return event?.type === "interim" && event.eager === true;
    };
    assertEquals([eager(), eager("eager"), eager(), eager("resumed"), eager()], [
      false,
      true,
      true,
      false,
      false,
    ]);
  });

  it("have no words to ask for", () => {
    assertEquals(createTurns().take(update(0, "", over), true), { type: "interim", text: "", asked: true });
  });
});
