/** The agent's tools, written down as they are used: what of their arguments is wrong, what is asked, what they do. */
import type { Agent } from "../agent.ts";
import { handoffIn } from "../handoff.ts";
import { questionOf } from "../questions.ts";
import { isTaskOver } from "../task.ts";
import type { Tool, ToolContext, ToolSet } from "../tool.ts";
import { resultInWords } from "../tools/result.ts";
import type { VoiceSession } from "../voice_session.ts";
import { failureOf, type Recorder } from "./recorder.ts";

/** A call as it is found again. */
export const inputOf = (name: string, args: unknown): string => JSON.stringify([name, args]);

/** The same tools, which are handed the recorded session. */
export function recordedTools(
  { tools = {}, language }: Pick<Agent, "tools" | "language">,
  session: () => VoiceSession,
  recorder: Recorder,
): ToolSet {
  return Object.fromEntries(
    Object.entries(tools).map((
      [name, tool],
    ) => [name, recordedTool(name, tool, { session, recorder, language })]),
  );
}

function recordedTool(
  name: string,
  tool: Tool,
  { session, recorder, language }: {
    readonly session: () => VoiceSession;
    readonly recorder: Recorder;
    readonly language: string | undefined;
  },
): Tool {
  const { description, confirm } = tool;
  return {
    ...tool,
    async validate(given) {
      const checked = await tool.validate(given);
      const issues = (checked.issues ?? []).map(({ message, path = [] }) => ({
        message,
        path: path.map((part) => String(typeof part === "object" ? part.key : part)),
      }));
      recorder.note({ type: "tool-checked", input: inputOf(name, given), issues });
      return checked;
    },
    ...(confirm && {
      confirm(args) {
        const own = typeof confirm === "function" ? { question: confirm(args) } : {};
        const question = questionOf({ callId: "", name, description, arguments: args, ...own }, language);
        recorder.note({ type: "tool-asked", name, question });
        return question;
      },
    }),
    async execute(args, ctx) {
      const of = "tool";
      const run = recorder.next(of);
      recorder.note({ type: "stream-opened", of, run, input: name });
      const brought = (item: unknown) => recorder.note({ type: "stream-brought", of, run, item });
      const recorded: ToolContext = {
        ...ctx,
        session: session(),
        progress(text) {
          brought({ type: "progress", text });
          ctx.progress(text);
        },
        heartbeat() {
          brought({ type: "heartbeat" });
          ctx.heartbeat();
        },
        disallowInterruptions() {
          brought({ type: "keep" });
          ctx.disallowInterruptions();
        },
      };
      try {
        const value = await tool.execute(args, recorded);
        // An agent is no text: it may hold keys.
        const isOver = handoffIn(value) !== undefined || isTaskOver(value);
        brought({ type: "result", text: isOver ? "(somebody else goes on)" : resultInWords(value) });
        recorder.note({ type: "stream-ended", of, run });
        return value;
      } catch (error) {
        // What fails because it is stopped is stopped again in a replay.
        if (!ctx.signal.aborted) {
          recorder.note({ type: "stream-failed", of, run, error: failureOf("agent", error) });
        }
        throw error;
      }
    },
  };
}
