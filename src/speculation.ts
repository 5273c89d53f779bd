/** What answers cost that were prepared in vain, counted in tokens. */
import type { SessionEventBody } from "./events.ts";
import type { LanguageEvent, Message, TokenUsage } from "./llm/llm.ts";

/** English has about so many characters a token; a model whose answer was cut off does not say how many it took. */
const charactersPerToken = 4;

export interface SpeculationMeter {
  /**
   * An answer is prepared. What is returned is for each request that is made for it: it passes on what the model sends,
   * and counts it.
   */
  prepare(): (messages: readonly Message[]) => TransformStream<LanguageEvent, LanguageEvent>;
  /**
   * The turn was committed; `kept`: the answer that was prepared last is its answer. Tells what was prepared since the
   * turn before, if anything was.
   */
  commit(turnId: string, kept: boolean): void;
}

/** A meter for one session. */
export function createSpeculationMeter(emit: (event: SessionEventBody) => void): SpeculationMeter {
  let prepared: TokenUsage[] = [];
  return {
    prepare() {
      const at = prepared.length;
      const counting = prepared;
      counting.push({ inputTokens: 0, outputTokens: 0 });
      return (messages) => {
        const characters = messages.reduce((sum, { content }) => sum + content.length, 0);
        const before = counting[at] ?? { inputTokens: 0, outputTokens: 0 };
        let written = 0;
        const count = (tokens: TokenUsage) => {
          counting[at] = {
            inputTokens: before.inputTokens + tokens.inputTokens,
            outputTokens: before.outputTokens + tokens.outputTokens,
          };
        };
        const inputTokens = Math.ceil(characters / charactersPerToken);
        count({ inputTokens, outputTokens: 0 });
        return new TransformStream({
          transform(event, controller) {
            if (event.type === "text") {
              written += event.text.length;
              count({ inputTokens, outputTokens: Math.ceil(written / charactersPerToken) });
            } else if (event.type === "finish" && event.usage) count(event.usage);
            controller.enqueue(event);
          },
        });
      };
    },
    commit(turnId, kept) {
      if (prepared.length === 0) return;
      const wasted = kept ? prepared.slice(0, -1) : prepared;
      emit({
        type: "speculation",
        turnId,
        prepared: prepared.length,
        kept,
        wasted: {
          inputTokens: wasted.reduce((sum, { inputTokens }) => sum + inputTokens, 0),
          outputTokens: wasted.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
        },
      });
      prepared = [];
    },
  };
}
