import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { Usage } from "../../src/events.ts";
import { createPrices, listedPrice } from "../../src/telemetry/prices.ts";

const about = { source: "a test", asOf: "2026-01-01" };
const llm = { stage: "llm", ...about, perMillionInputTokens: 1, perMillionOutputTokens: 10 } as const;
const rows = [
  { ...llm, models: ["maker/*"] },
  { ...llm, models: ["maker/big*"], perMillionInputTokens: 2, perMillionCachedInputTokens: 0.5 },
  {
    ...llm,
    models: ["maker/speaks"],
    perMillionCachedInputTokens: 0.5,
    audio: { perMillionInputTokens: 10, perMillionCachedInputTokens: 1, perMillionOutputTokens: 20 },
  },
  { stage: "stt", models: ["maker/ear"], ...about, perAudioMinute: 0.6 },
  { stage: "tts", models: ["maker/mouth"], ...about, perThousandCharacters: 0.1 },
  { stage: "tts", models: ["maker/a.b"], ...about, perAudioMinute: 0.3 },
  { stage: "tts", models: ["maker/silent"], ...about },
];
const priceOf = createPrices({ currency: "USD", rows });

const tokens = { inputTokens: 1_000_000, outputTokens: 100_000 };
const provider = "maker";
const none = { inputTokens: 0, outputTokens: 0, uncounted: true } as const;

describe("prices", () => {
  const cases: [what: string, usage: Usage, usd: number | undefined][] = [
    ["tokens", { stage: "llm", provider, model: "small", ...tokens }, 2],
    ["the row whose name is the longest", { stage: "llm", provider, model: "big-1", ...tokens }, 3],
    ["tokens from the provider's cache", {
      stage: "llm",
      provider,
      model: "big-1",
      ...tokens,
      cachedInputTokens: 800_000,
    }, 1.8],
    ["such tokens where they have no price of their own", {
      stage: "llm",
      provider,
      model: "small",
      ...tokens,
      cachedInputTokens: 800_000,
    }, 2],
    ["tokens of text and of sound", {
      stage: "llm",
      provider,
      model: "speaks",
      inputTokens: 300_000,
      outputTokens: 200_000,
      cachedInputTokens: 60_000,
      audio: { inputTokens: 200_000, outputTokens: 100_000, cachedInputTokens: 50_000 },
    }, 4.645],
    ["an estimate", { stage: "llm", provider, model: "small", ...none, estimated: tokens }, 2],
    ["no answer at all", { stage: "llm", provider, model: "small", ...none }, 0],
    ["audio that was sent", { stage: "stt", provider, model: "ear", audioMs: 30_000 }, 0.3],
    ["characters", { stage: "tts", provider, model: "mouth", characters: 500, audioMs: 9_000 }, 0.05],
    ["audio that came", { stage: "tts", provider, model: "a.b", characters: 500, audioMs: 6_000 }, 0.03],
    ["a dot is a dot", { stage: "tts", provider, model: "a-b", characters: 500, audioMs: 6_000 }, undefined],
    [
      "a row without a price",
      { stage: "tts", provider, model: "silent", characters: 5, audioMs: 6 },
      undefined,
    ],
    ["a row of another stage", { stage: "stt", provider, model: "small", audioMs: 30_000 }, undefined],
    ["another provider", { stage: "stt", provider: "other", model: "ear", audioMs: 30_000 }, undefined],
  ];
  for (const [what, usage, usd] of cases) {
    it(`knows what this costs: ${what}`, () => {
      const cost = priceOf(usage);
      assertEquals(cost === undefined ? undefined : Math.round(cost * 1e6) / 1e6, usd);
    });
  }

  it("says what is wrong with a table", () => {
    const wrong = { ...llm, models: ["maker"], perMillionInputTokens: -1 };
    assertThrows(() => createPrices({ currency: "USD", rows: [wrong] }), />=0[^]*expected provider\/model/);
  });

  it("lists the models that agents have by default, and not those that nobody knows", () => {
    const listed: Usage[] = [
      { stage: "llm", provider: "openai", model: "gpt-4o-mini", ...tokens },
      { stage: "stt", provider: "deepgram", model: "nova-3", audioMs: 1 },
      { stage: "stt", provider: "openai", model: "gpt-4o-transcribe", audioMs: 1 },
      { stage: "tts", provider: "deepgram", model: "aura-2-thalia-en", characters: 1, audioMs: 1 },
      { stage: "tts", provider: "openai", model: "gpt-4o-mini-tts", characters: 1, audioMs: 1 },
      { stage: "llm", provider: "anthropic", model: "claude-haiku-4-5", ...tokens },
      { stage: "llm", provider: "google", model: "gemini-2.5-flash", ...tokens },
      { stage: "stt", provider: "deepgram", model: "flux-general-en", audioMs: 1 },
      { stage: "stt", provider: "assemblyai", model: "universal-streaming", audioMs: 1 },
      { stage: "stt", provider: "elevenlabs", model: "scribe_v2_realtime", audioMs: 1 },
      { stage: "stt", provider: "openai", model: "gpt-live-transcribe", audioMs: 1 },
      { stage: "tts", provider: "cartesia", model: "sonic-3", characters: 1, audioMs: 1 },
      { stage: "tts", provider: "elevenlabs", model: "eleven_turbo_v2_5", characters: 1, audioMs: 1 },
    ];
    for (const usage of listed) assertEquals((listedPrice(usage) ?? 0) > 0, true, usage.model);
    assertEquals(
      listedPrice({ stage: "tts", provider: "flite", model: "slt", characters: 1, audioMs: 1 }),
      0,
    );
    assertEquals(listedPrice({ stage: "llm", provider: "openai", model: "llama-9", ...tokens }), undefined);
  });
});
