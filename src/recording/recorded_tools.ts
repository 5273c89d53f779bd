/** The agent's tools, written down as they are used: what of their arguments is wrong, what is asked, what they do. */
import type { Agent } from "../agent.ts";
import { handoffIn } from "../handoff.ts";
import { questionOf } from "../questions.ts";
import { isTaskOver } from "../task.ts";
import type { Tool, ToolContext, ToolSet } from "../tool.ts";
import { resultInWords } from "../tools/result.ts";
import type { VoiceSession } from "../voice_session.ts";
import { noteStep, runRecorded } from "./recorded_code.ts";
import type { Recorder } from "./recorder.ts";
import type { Step } from "./recording.ts";

/** A call as it is found again. */
export const inputOf = (name: string, args: unknown): string => JSON.stringify([name, args]);

export interface RecordedToolsOptions {
  readonly session: () => VoiceSession;
  readonly recorder: Recorder;
  /** What an agent is called in the recording. */
  readonly numberOf: (agent: Agent) => number;
}

/** The same tools, which are handed the recorded session. */
export function recordedTools(
  { tools = {}, language }: Pick<Agent, "tools" | "language">,
  options: RecordedToolsOptions,
): ToolSet {
  return Object.fromEntries(
    Object.entries(tools).map(([name, tool]) => [name, recordedTool(name, tool, { ...options, language })]),
  );
}

function recordedTool(
  name: string,
  tool: Tool,
  { session, recorder, numberOf, language }: RecordedToolsOptions & { readonly language: string | undefined },
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
    execute(args, ctx) {
      const recorded: ToolContext = {
        ...ctx,
        session: session(),
        progress(text) {
          noteStep({ type: "progress", text });
          ctx.progress(text);
        },
        heartbeat() {
          noteStep({ type: "heartbeat" });
          ctx.heartbeat();
        },
        disallowInterruptions() {
          noteStep({ type: "keep" });
          ctx.disallowInterruptions();
        },
      };
      return runRecorded({ recorder, of: "tool", input: name, signal: ctx.signal }, async () => {
        const value = await tool.execute(args, recorded);
        noteStep(resultOf(value, numberOf));
        return value;
      });
    },
  };
}

/** An agent is no text, and may hold keys: it has a number. */
function resultOf(value: unknown, numberOf: (agent: Agent) => number): Step {
  if (isTaskOver(value)) return { type: "task-over", text: value.result };
  const handoff = handoffIn(value);
  if (!handoff) return { type: "result", text: resultInWords(value) };
  const { agent, result } = handoff;
  return { type: "handoff", agent: numberOf(agent), ...(result !== undefined && { result }) };
}
