/** What an agent says of how much of a conversation its model is told. */
import type { LanguageModel } from "../llm/llm.ts";
import { type LanguageModelSpec, problemOfModels } from "../model_specs.ts";

export interface HistoryOptions {
  /**
   * The most items that the model is told besides the instructions (default 20). What the user said last is always told, and
   * a call always with its result.
   */
  readonly maxItems?: number;
  /** The most tokens of these items, counted by the model's own tokenizer where it is public (default: any number). */
  readonly maxTokens?: number;
  /** Whether the model is told a summary of what it is not told any more (default false). */
  readonly summarize?: boolean | SummaryOptions;
}

export interface SummaryOptions {
  /** What writes it (default: the agent's own model). */
  readonly llm?: string | LanguageModelSpec | LanguageModel;
  /** How it is to be written, in place of the default. */
  readonly prompt?: string;
}

/** What is wrong with an agent's `history`, in words; undefined when nothing is. */
export function problemOfHistoryOptions(
  { maxItems = 1, maxTokens = 1, summarize = false }: HistoryOptions,
): string | undefined {
  for (const [name, value] of Object.entries({ maxItems, maxTokens })) {
    if (Number.isInteger(value) && value > 0) continue;
    return `history.${name} is ${value}; expected a whole number from 1`;
  }
  if (typeof summarize === "boolean") return undefined;
  const wrong = problemOfModels(summarize.llm === undefined ? {} : { llm: summarize.llm });
  if (wrong) return `history.summarize: ${wrong}`;
  return summarize.prompt?.trim() === "" ? "history.summarize.prompt is empty; expected words" : undefined;
}
