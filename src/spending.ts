/** What a call costs as it goes on, and what happens when that is as much as was meant. */
import type { StageError } from "./errors.ts";
import type { SessionEventBody, Usage } from "./events.ts";
import type { LanguageModel } from "./llm/llm.ts";
import { listedPrice, type PriceOf } from "./telemetry/prices.ts";
import { meteredLanguageModel } from "./telemetry/usage.ts";

/** What a call may cost, in US dollars. */
export interface CostCaps {
  /** From there on `llm` answers, if there is one. */
  readonly softUsd?: number | undefined;
  /** There the call ends. */
  readonly hardUsd?: number | undefined;
  readonly llm?: LanguageModel | undefined;
}

export interface SpendingOptions {
  /** As much as it likes when left out. */
  readonly costCaps?: CostCaps | undefined;
  /** In place of the prices in prices.json. */
  readonly priceOf?: PriceOf | undefined;
  readonly emit: (event: SessionEventBody) => void;
  /** Told of failures that those made good that stand in. */
  readonly onError: (error: StageError) => void;
  /** Told, once, that the soft cap is reached and `llm` is to answer. */
  readonly onSoft: (llm: LanguageModel) => void;
}

export interface Spending {
  /** Takes in what was used, and tells of it with its price. */
  add(usage: Usage): void;
  /** Takes in US dollars that were spent before. */
  spend(usd: number): void;
  /** In US dollars, by now. */
  readonly spentUsd: number;
  /** Aborts when the call has cost as much as it may. */
  readonly over: AbortSignal;
}

/** Nothing was spent yet. What has no price counts as nothing. */
export function createSpending(
  { costCaps = {}, priceOf = listedPrice, emit, onError, onSoft }: SpendingOptions,
): Spending {
  const { softUsd = Infinity, hardUsd = Infinity, llm } = costCaps;
  const over = new AbortController();
  let spentUsd = 0;
  const add = (usage: Usage) => {
    const costUsd = priceOf(usage);
    emit({ type: "usage", usage: costUsd === undefined ? usage : { ...usage, costUsd } });
    spend(costUsd ?? 0);
  };
  const spend = (usd: number) => {
    const before = spentUsd;
    spentUsd += usd;
    if (before < softUsd && spentUsd >= softUsd) {
      const model = llm && { model: `${llm.provider}/${llm.model}` };
      emit({ type: "cost-cap", cap: "soft", spentUsd, ...model });
      if (llm) onSoft(meteredLanguageModel(llm, add, onError));
    }
    if (before < hardUsd && spentUsd >= hardUsd) {
      emit({ type: "cost-cap", cap: "hard", spentUsd });
      over.abort();
    }
  };
  return {
    add,
    spend,
    get spentUsd() {
      return spentUsd;
    },
    over: over.signal,
  };
}
