/** The model's answers: to the voice that it has heard, and to what it is told. */
import { abortable, untilAborted } from "../abort.ts";
import type { Clock } from "../clock.ts";
import { asStageError } from "../errors.ts";
import { answerStream } from "../llm/answer_stream.ts";
import type { LanguageEvent, LanguageModel, LanguageRequest } from "../llm/llm.ts";
import { instructionsOf } from "./conversation.ts";
import type { Line } from "./line.ts";
import type { RealtimeResponse } from "./response.ts";

/** What the user has said is on its way, and is waited for so long; milliseconds. */
const commitMs = 100;

/** A language model on `line`, which answers one request at a time. */
export function answeringOn(
  line: Line,
  { provider, model, clock }: { readonly provider: string; readonly model: string; readonly clock: Clock },
): LanguageModel {
  /** Asks for it as soon as the server has nothing else to answer, and has heard all that was said. */
  const ask = async (request: LanguageRequest, signal: AbortSignal): Promise<RealtimeResponse> => {
    await abortable(line.open(), signal);
    for (let active = line.active; active; active = line.active) await abortable(active.done, signal);
    await line.ear?.committed(commitMs, { clock, signal });
    await abortable(line.open(), signal);
    const { messages, ...tools } = request;
    for (const edit of line.conversation.update(messages)) line.connection?.edit(edit);
    const response = line.respond({ instructions: instructionsOf(messages), ...tools });
    signal.addEventListener("abort", () => line.cancel(response), { once: true });
    return response;
  };

  async function* answer(request: LanguageRequest, signal: AbortSignal): AsyncGenerator<LanguageEvent> {
    using _ = line.hold();
    for (let isFirst = true;; isFirst = false) {
      let isBegun = false;
      let isToVoice = false;
      try {
        const response = await ask(request, signal);
        ({ isToVoice } = line.conversation);
        for await (const event of untilAborted(response.events, signal)) {
          isBegun = true;
          yield event;
        }
        return;
      } catch (error) {
        // A connection may have died unnoticed: nothing was said yet, and the next is told the same, but for the voice.
        const isRetryable = isFirst && !isBegun && !isToVoice && asStageError("llm", error).retryable;
        if (signal.aborted || !isRetryable) throw error;
      }
    }
  }
  return {
    provider,
    model,
    hearsVoice: true,
    generate: (request, { signal }) => answerStream((own) => answer(request, own), signal),
  };
}
