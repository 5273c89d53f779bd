/** A session's events, summed up as they come. */
import type { SessionEvent, Usage } from "../events.ts";
import { sumTokens, type TokenUsage } from "../llm/llm.ts";
import type { ReportSums } from "./report.ts";

/** Failures that are kept; the oldest go first. */
const errorsKept = 100;

export interface Reporter {
  /** Takes in the next event. */
  note(event: SessionEvent): void;
  /** What the events came to up to now, as a copy. */
  sums(): ReportSums;
}

const nothing: ReportSums = {
  turns: [],
  interruptions: 0,
  falseInterruptions: 0,
  stalls: 0,
  resumed: 0,
  handoffs: [],
  speculation: { prepared: 0, kept: 0, wasted: { inputTokens: 0, outputTokens: 0 } },
  usage: [],
  cost: { currency: "USD", total: 0, unpriced: [] },
  errors: [],
};

/** A reporter that has seen nothing yet, or goes on from what the events before came to. */
export function createReporter(before = nothing): Reporter {
  const { errors, handoffs, speculation, ...sums } = structuredClone(before);
  let { interruptions, falseInterruptions, stalls, resumed } = sums;
  const turns = new Map(sums.turns.map((turn) => [turn.turnId, turn]));
  const usage = new Map(sums.usage.map((used) => [keyOf(used), used]));

  return {
    note(event) {
      const { atMs } = event;
      switch (event.type) {
        case "user-speech-committed":
          turns.set(event.turnId, { turnId: event.turnId, text: event.text, atMs, outcome: "open" });
          break;
        case "agent-started-speaking": {
          const turn = turns.get(event.turnId ?? event.replyId); // the reply to a turn has the turn's id, if it can
          if (turn) turn.latency = event.latency;
          break;
        }
        case "turn-ended": {
          const turn = turns.get(event.turnId);
          if (turn) Object.assign(turn, { outcome: event.outcome, endedAtMs: atMs });
          break;
        }
        case "agent-speech-committed":
          if (event.interrupted) interruptions++;
          break;
        case "false-interruption":
          falseInterruptions++;
          break;
        case "stall-recovered":
          stalls++;
          break;
        case "resumed":
          resumed++;
          break;
        case "handoff":
          handoffs.push({ from: event.from, to: event.to, atMs });
          break;
        case "speculation":
          speculation.prepared += event.prepared;
          speculation.kept += event.kept ? 1 : 0;
          speculation.wasted.inputTokens += event.wasted.inputTokens;
          speculation.wasted.outputTokens += event.wasted.outputTokens;
          break;
        case "usage": {
          const key = keyOf(event.usage);
          usage.set(key, added(usage.get(key), event.usage));
          break;
        }
        case "error": {
          const { stage, message, retryable } = event.error;
          const provider = event.provider === undefined ? {} : { provider: event.provider };
          errors.push({ stage, ...provider, message, retryable, atMs });
          if (errors.length > errorsKept) errors.shift();
        }
      }
    },
    sums: () =>
      structuredClone({
        turns: [...turns.values()],
        interruptions,
        falseInterruptions,
        stalls,
        resumed,
        handoffs,
        speculation,
        usage: [...usage.values()],
        cost: costOf([...usage.values()]),
        errors,
      }),
  };
}

type Tokens = Extract<ReportSums["usage"][number], { readonly stage: "llm" }>;

const keyOf = ({ stage, provider, model }: Pick<Usage, "stage" | "provider" | "model">): string =>
  JSON.stringify([stage, provider, model]);

/** `sum` and what was used since. */
function added(sum: ReportSums["usage"][number] | undefined, used: Usage): ReportSums["usage"][number] {
  const { provider, model } = used;
  const cost = sum?.costUsd === undefined ? used.costUsd : sum.costUsd + (used.costUsd ?? 0);
  const of = { provider, model, ...(cost !== undefined && { costUsd: cost }) };
  switch (used.stage) {
    case "stt": {
      const before = sum?.stage === "stt" ? sum : { audioMs: 0 };
      return { stage: "stt", ...of, audioMs: before.audioMs + used.audioMs };
    }
    case "llm": {
      const before: Omit<Tokens, "stage" | "provider" | "model"> = sum?.stage === "llm"
        ? sum
        : { requests: 0, uncounted: 0, inputTokens: 0, cachedInputTokens: 0, outputTokens: 0 };
      const audio = sumTokens<TokenUsage | undefined>(before.audio, used.audio);
      return {
        stage: "llm",
        ...of,
        requests: before.requests + 1,
        uncounted: before.uncounted + (used.uncounted ? 1 : 0),
        inputTokens: before.inputTokens + used.inputTokens,
        cachedInputTokens: before.cachedInputTokens + (used.cachedInputTokens ?? 0),
        outputTokens: before.outputTokens + used.outputTokens,
        ...(audio && { audio: { ...audio, cachedInputTokens: audio.cachedInputTokens ?? 0 } }),
      };
    }
    case "tts": {
      const before = sum?.stage === "tts" ? sum : { requests: 0, characters: 0, audioMs: 0 };
      return {
        stage: "tts",
        ...of,
        requests: before.requests + 1,
        characters: before.characters + used.characters,
        audioMs: before.audioMs + used.audioMs,
      };
    }
  }
}

/** What all of it costs together. */
function costOf(usage: ReportSums["usage"]): ReportSums["cost"] {
  const unpriced = usage.filter(({ costUsd }) => costUsd === undefined);
  return {
    currency: "USD",
    total: usage.reduce((sum, { costUsd = 0 }) => sum + costUsd, 0),
    unpriced: unpriced.map(({ provider, model }) => `${provider}/${model}`),
  };
}
