/** What is said without having been asked for: of results that come late, and by whoever has just taken over. */
import type { ToolResult } from "./tools/result.ts";
import type { GenerateReplyOptions, SpeechHandle } from "./voice_session.ts";

export interface LateResults {
  /** A result has come after the answer has gone on without it: the user is told, unless they know by then. */
  tell(result: ToolResult): void;
  /** Whoever is in charge by now goes on with the conversation as it is. */
  goOn(): void;
  /** Something else is answered, which knows of the results anyway: what waits to be said of them is not said. */
  takeBack(): void;
}

export function createLateResults({ generateReply, isSaid }: {
  readonly generateReply: (options: GenerateReplyOptions) => SpeechHandle;
  /** Whether the reply of that id is being said, and does not wait any more. */
  readonly isSaid: (replyId: string) => boolean;
}): LateResults {
  let waiting: SpeechHandle | undefined;
  const takeBack = () => {
    if (waiting && !isSaid(waiting.replyId)) waiting.interrupt();
    waiting = undefined;
  };
  return {
    takeBack,
    goOn() {
      takeBack();
      waiting = generateReply({});
    },
    tell({ name, outcome }) {
      if (outcome === "cancelled") return; // by the session's end
      takeBack();
      waiting = generateReply({
        instructions:
          `The result of the tool ${JSON.stringify(name)} has come. Tell the user what it means to ` +
          "them, in a sentence, unless they know it.",
        toolChoice: "none", // or one late result could lead to the next for ever
      });
    },
  };
}
