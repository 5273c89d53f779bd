/**
 * What providers charge: the rows of prices.json, which is to be edited. Of the rows that fit a model the one whose name
 * for it is the longest counts; a model that none fits has no price, which is not the same as costing nothing.
 */
import * as z from "zod";
import { ConfigError } from "../errors.ts";
import type { Usage } from "../events.ts";
import type { TokenUsage } from "../llm/llm.ts";
import list from "./prices.json" with { type: "json" };

const usd = z.number().min(0);
const about = {
  /** `provider/model`, as usage tells them; `*` stands for any characters. */
  models: z.array(z.string().regex(/^[^/\s]+\/\S+$/, "expected provider/model")).min(1),
  /** Where the price was read, and when. */
  source: z.string(),
  asOf: z.iso.date(),
  note: z.string().optional(),
};

const row = z.discriminatedUnion("stage", [
  z.strictObject({
    stage: z.literal("llm"),
    ...about,
    perMillionInputTokens: usd,
    /** Of those that the provider had in its cache (default: as the others). */
    perMillionCachedInputTokens: usd.optional(),
    perMillionOutputTokens: usd,
    /** Of those that are sound, of a model that hears and speaks (default: as the others). */
    audio: z.strictObject({
      perMillionInputTokens: usd,
      perMillionCachedInputTokens: usd,
      perMillionOutputTokens: usd,
    }).optional(),
  }),
  z.strictObject({ stage: z.literal("stt"), ...about, perAudioMinute: usd }),
  z.strictObject({
    stage: z.literal("tts"),
    ...about,
    /** Of the text that is sent; or by the audio that comes. */
    perThousandCharacters: usd.optional(),
    perAudioMinute: usd.optional(),
  }),
]);
type Row = z.infer<typeof row>;

const table = z.strictObject({ currency: z.literal("USD"), rows: z.array(row) });

/** What `usage` costs, in US dollars; undefined where its model has no price. */
export type PriceOf = (usage: Usage) => number | undefined;

/** Prices by a table as prices.json has it. Throws a ConfigError that says what is wrong with the table. */
export function createPrices(prices: unknown): PriceOf {
  const parsed = table.safeParse(prices);
  if (!parsed.success) {
    throw new ConfigError(`The prices are not as expected: ${z.prettifyError(parsed.error)}`);
  }
  const entries = parsed.data.rows.flatMap((row) =>
    row.models.map((model) => ({ row, length: model.length, fits: patternOf(model) }))
  ).toSorted((a, b) => b.length - a.length);
  const found = new Map<string, Row | undefined>();
  return (usage) => {
    const name = `${usage.provider}/${usage.model}`;
    const key = `${usage.stage} ${name}`;
    if (!found.has(key)) {
      const entry = entries.find(({ row, fits }) => row.stage === usage.stage && fits.test(name));
      found.set(key, entry?.row);
    }
    const row = found.get(key);
    return row && costOf(usage, row);
  };
}

/** By prices.json. */
export const listedPrice: PriceOf = (usage) => (listed ??= createPrices(list))(usage);
let listed: PriceOf | undefined;

const patternOf = (model: string): RegExp =>
  new RegExp(`^${model.split("*").map((part) => RegExp.escape(part)).join(".*")}$`);

function costOf(usage: Usage, row: Row): number | undefined {
  if (usage.stage === "llm" && row.stage === "llm") {
    const { audio, ...all } = usage.estimated ?? usage;
    if (!audio || !row.audio) return tokenCost(all, row);
    const text = {
      inputTokens: all.inputTokens - audio.inputTokens,
      outputTokens: all.outputTokens - audio.outputTokens,
      cachedInputTokens: (all.cachedInputTokens ?? 0) - (audio.cachedInputTokens ?? 0),
    };
    return tokenCost(text, row) + tokenCost(audio, row.audio);
  }
  if (usage.stage === "stt" && row.stage === "stt") return minutes(usage) * row.perAudioMinute;
  if (usage.stage !== "tts" || row.stage !== "tts") return undefined;
  const { perThousandCharacters: byText, perAudioMinute: byAudio } = row;
  if (byText === undefined && byAudio === undefined) return undefined;
  return usage.characters / 1000 * (byText ?? 0) + minutes(usage) * (byAudio ?? 0);
}

function tokenCost(
  { inputTokens, outputTokens, cachedInputTokens: cached = 0 }: TokenUsage,
  price: Omit<NonNullable<Extract<Row, { stage: "llm" }>["audio"]>, "perMillionCachedInputTokens"> & {
    readonly perMillionCachedInputTokens?: number | undefined;
  },
): number {
  const cachedPrice = price.perMillionCachedInputTokens ?? price.perMillionInputTokens;
  const input = (inputTokens - cached) * price.perMillionInputTokens + cached * cachedPrice;
  return (input + outputTokens * price.perMillionOutputTokens) / 1e6;
}

const minutes = ({ audioMs }: { readonly audioMs: number }): number => audioMs / 60_000;
