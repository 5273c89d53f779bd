/** How many tokens text has. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { estimatedTokens, loadTokenizer, tokenCounter } from "../../src/history/tokens.ts";

const texts = [
  "Hello, I would like to book a table for two on Friday evening, please.",
  "Könnten Sie mir bitte sagen, wann der nächste Zug nach München fährt?",
  "Здравствуйте, я хотел бы узнать расписание поездов на завтра.",
  '{"location":"Oslo","temperature":-4,"condition":"light snow"}',
];

describe("tokens", () => {
  it("are counted as the model counts them, once its tokenizer is loaded; before that about", async () => {
    const counts = Object.fromEntries(
      ["gpt-4o", "gpt-4", "llama-3"].map((model) => [model, tokenCounter(model)]),
    );
    const text = "Здравствуйте!";
    const count = (model: string) => counts[model]?.(text);
    assertEquals([count("gpt-4o"), count("gpt-4"), count("llama-3")], [7, 7, 7]);
    await Promise.all(Object.keys(counts).map(loadTokenizer));
    assertEquals([count("gpt-4o"), count("gpt-4"), count("llama-3")], [2, 7, 7]);
    assertEquals(tokenCounter("openai/gpt-4o")(text), 2);
  });

  it("are estimated, where the tokenizer is not public, and rather too high", async () => {
    await loadTokenizer("gpt-4o");
    for (const text of texts) {
      const ratio = estimatedTokens(text) / tokenCounter("gpt-4o")(text);
      assert(ratio > 0.9 && ratio < 2.2, `${text}: ${ratio}`);
    }
  });

  it("are counted of whatever is said", async () => {
    await loadTokenizer("gpt-4o");
    const count = tokenCounter("gpt-4o");
    assertEquals(count(""), 0);
    assertEquals(count("<|endoftext|>"), 7);
    assert(count("a".repeat(50_000)) > 5_000);
    assert(count("\u{1f600}".repeat(1_000)) > 500);
  });
});
