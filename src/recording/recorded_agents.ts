/** The agents of a recorded session: what they are, as far as that decides anything, and what their own code does. */
import { isDeepStrictEqual } from "node:util";
import type { Agent, AgentContext } from "../agent.ts";
import type { Equipped } from "../charge.ts";
import { withContext } from "../handlers.ts";
import type { Task } from "../task.ts";
import type { VoiceSession } from "../voice_session.ts";
import { runRecorded } from "./recorded_code.ts";
import { recordedTools } from "./recorded_tools.ts";
import type { Recorder } from "./recorder.ts";
import type { EquippedThen } from "./recording.ts";

export interface AgentNumbers {
  /** What `agent` is called in the recording; the one that begins is 0. */
  of(agent: Agent): number;
  /** What stands for `model`, of whatever kind: the same number for the same. */
  ofModel(model: unknown): number;
}

export function numberAgents(first: Agent): AgentNumbers {
  const agents = [first];
  const models: unknown[] = [];
  const numberIn = <T>(list: T[], isIt: (one: T) => boolean, it: T): number => {
    const at = list.findIndex(isIt);
    return at < 0 ? list.push(it) - 1 : at;
  };
  return {
    of: (agent) => numberIn(agents, (one) => one === agent, agent),
    ofModel: (model) => numberIn(models, (one) => isDeepStrictEqual(one, model), model),
  };
}

/** What is written down of an agent and what it works with. */
export function equippedThen(
  { agentName, agent, providers: { stt, llm, tts, turnDetector } }: Omit<Equipped, "turnTaking">,
  numbers: AgentNumbers,
): EquippedThen {
  const models = (["vad", "stt", "llm", "tts", "model"] as const).flatMap((kind) =>
    agent[kind] === undefined ? [] : [[kind, numbers.ofModel(agent[kind])] as const]
  );
  return {
    agentName,
    agent: settingsOf(agent),
    models: Object.fromEntries(models),
    ...(agent.tools && {
      tools: Object.entries(agent.tools).map(([name, { effect, timeoutMs, confirm }]) => (
        { name, effect, timeoutMs, confirm: confirm !== undefined }
      )),
    }),
    stt: { provider: stt.provider, model: stt.model, elsewhere: stt.elsewhere === true },
    llm: { provider: llm.provider, model: llm.model, ...(llm.hearsVoice && { hearsVoice: true }) },
    tts: { provider: tts.provider, model: tts.model, ...(tts.verbatim && { verbatim: true }) },
    ...(turnDetector && {
      turnDetector: {
        model: turnDetector.model,
        windowMs: turnDetector.windowMs,
        silenceMs: turnDetector.silenceMs,
      },
    }),
  };
}

/** What of an agent's definition decides anything, its models, its functions and its prompt left out. */
function settingsOf(agent: Agent): EquippedThen["agent"] {
  const {
    language,
    pronunciations,
    greeting,
    apology,
    endpointing,
    interruption,
    turnWords,
    away,
    lastLines,
  } = agent;
  const { turnDetection, textTransforms, history } = agent;
  const settings = {
    language,
    pronunciations,
    greeting,
    apology,
    endpointing,
    interruption,
    turnWords,
    away,
    lastLines,
    // Whoever writes summaries is recorded as the model's own answers are.
    history: history &&
      { ...history, summarize: history.summarize !== undefined && history.summarize !== false },
    // A detector of the agent's own is recorded as what it answers.
    turnDetection: typeof turnDetection === "object" ? "words" : turnDetection,
    textTransforms: textTransforms?.filter((transform) => typeof transform === "string"),
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

export interface RecordedAgentsOptions {
  readonly recorder: Recorder;
  readonly numbers: AgentNumbers;
  /** What their own code is handed. */
  readonly session: () => VoiceSession;
}

/** Makes the recorded versions of agents, and of tasks. */
export function recordedAgents({ recorder, numbers, session }: RecordedAgentsOptions) {
  const originals = new WeakMap<Agent, Agent>();
  const recordedContext = (context: AgentContext): AgentContext => ({
    ...context,
    session: session(),
    addShutdownCallback: (callback) =>
      context.addShutdownCallback(async (reason) => {
        recorder.note({ type: "farewell-began" });
        try {
          await callback(reason);
        } finally {
          recorder.note({ type: "farewell-ended" });
        }
      }),
  });
  return {
    /** The same agent, whose own code is handed the recorded session. */
    agent(agent: Agent): Agent {
      const { entry, on, tools } = agent;
      const recorded: Agent = {
        ...agent,
        ...(tools && { tools: recordedTools(agent, { session, recorder, numberOf: numbers.of }) }),
        ...(on && { on: withContext(on, recordedContext) }),
        async entry(context) {
          const input = String(numbers.of(agent));
          const work = () => entry?.(recordedContext(context));
          await runRecorded({ recorder, of: "entry", input, signal: context.signal }, work);
        },
      };
      originals.set(recorded, agent);
      return recorded;
    },
    /** The same task, whose agent's number is written down. */
    task<Result>(task: Task<Result>, number: number): Task<Result> {
      return {
        ...task,
        doneBy(agent, settle) {
          const made = task.doneBy(originals.get(agent) ?? agent, settle);
          recorder.note({ type: "task-begun", task: number, agent: numbers.of(made) });
          return made;
        },
      };
    },
  };
}
