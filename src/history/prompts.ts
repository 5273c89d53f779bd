/** What the model is told of a conversation, whenever it is asked. */
import type { Charge } from "../charge.ts";
import type { Clock } from "../clock.ts";
import { asStageError, type StageError } from "../errors.ts";
import { type History, isMessage, messagesFrom, type PromptItem } from "../history.ts";
import type { Message } from "../llm/llm.ts";
import { namesOf } from "./speakers.ts";
import { createSummaryWriter, type Summary } from "./summary.ts";
import { loadTokenizer, type TokenCounter, tokenCounter, tokensPerMessage } from "./tokens.ts";
import { windowOf } from "./window.ts";

const defaultMaxItems = 20;

export interface PromptsOptions {
  /** Whose instructions and model they are for. */
  readonly charge: Pick<Charge, "current">;
  readonly history: History;
  /** The summary to go on from (default: there is none). */
  readonly summaryBefore?: Summary | undefined;
  readonly clock: Clock;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
  /** Told of what the conversation goes on without. */
  readonly onError: (error: StageError) => void;
}

/** Calls that an answer has made itself, by id: it knows of them without being told. */
export type OwnCalls = ReadonlySet<string>;

export interface Prompts {
  /**
   * The instructions, a summary where there is one, and the newest of the history and of what follows it (`more`), without
   * `own` and their results.
   */
  messages(more?: readonly PromptItem[], own?: OwnCalls): Message[];
  /** The summary as it is, if there is one. */
  readonly summary: Summary | undefined;
  /** Settles when nothing is done in the background. */
  idle(): Promise<void>;
}

/** The prompts of one session. */
export function createPrompts(
  { charge, history, summaryBefore, clock, signal, onError }: PromptsOptions,
): Prompts {
  const settings = () => charge.current.agent.history ?? {};
  const summary = createSummaryWriter({
    llm: () => charge.current.providers.summarizer ?? charge.current.providers.llm,
    prompt() {
      const { summarize } = settings();
      return typeof summarize === "object" ? summarize.prompt : undefined;
    },
    clock,
    signal,
    onError,
    before: summaryBefore,
  });
  let counting: { readonly model: string; readonly count: TokenCounter } | undefined;
  /** Counts for the model that is asked; the tokenizer is loaded before it is needed, and nothing waits for it. */
  const counter = (): TokenCounter => {
    const { model } = charge.current.providers.llm;
    if (counting?.model === model) return counting.count;
    loadTokenizer(model).catch((error) => onError(asStageError("llm", error)));
    counting = { model, count: tokenCounter(model) };
    return counting.count;
  };
  if (settings().maxTokens !== undefined) counter();

  return {
    get summary() {
      return summary.current;
    },
    idle: () => summary.idle(),
    messages(more = [], own) {
      const { maxItems = defaultMaxItems, maxTokens, summarize } = settings();
      const before: readonly PromptItem[] = history.items.filter((item) => !isOf(item, own));
      const all = [...before, ...more];
      const count = maxTokens === undefined ? undefined : counter();
      const told = windowOf(all, {
        maxItems,
        maxTokens,
        tokensOf: count && ((item) => count(textOf(item)) + tokensPerMessage),
      });
      const text = summarize ? summary.about(without(before, told), history.items) : undefined;
      const { instructions } = charge.current.agent;
      return messagesFrom(
        instructions,
        text === undefined ? told : [summaryItem(text), ...told],
        namesOf(all),
      );
    },
  };
}

const summaryItem = (text: string): PromptItem => ({
  role: "system",
  text: `Notes of what was said before, which is not shown any more:\n${text}`,
});

const isOf = (item: PromptItem, own: OwnCalls | undefined): boolean =>
  own !== undefined &&
  (item.type === "tool-call" && own.has(item.call.id) || item.type === "tool-result" && own.has(item.callId));

function without<T>(items: readonly T[], kept: readonly T[]): readonly T[] {
  const known = new Set(kept);
  return items.filter((item) => !known.has(item));
}

/** The words of an item that the model is told. */
function textOf(item: PromptItem): string {
  if (item.type === "tool-result") return item.content;
  if (isMessage(item)) return item.text;
  return `${item.call.name} ${JSON.stringify(item.call.arguments) ?? item.call.malformed}`;
}
