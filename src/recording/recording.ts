/**
 * The format of a recorded session: JSON, a line each. The first line is the header, the last has the type "end"; between
 * them lies what came in at the session's seams and what was decided, in the order in which it happened. All times are
 * milliseconds since the session began.
 */
import * as z from "zod";
import { ConfigError } from "../errors.ts";

/** The number of this format; it grows when older recordings can no longer be read. */
export const VERSION = 2;

const ms = z.number();
/** The number of a microphone, and of its detector: a new agent may have another. Older recordings know of but one. */
const microphone = z.number().default(0);
const failure = z.object({
  stage: z.enum(["room", "vad", "stt", "llm", "tts", "turn", "agent", "session"]),
  message: z.string(),
  retryable: z.boolean(),
  refused: z.boolean(),
});

const model = z.object({ provider: z.string(), model: z.string() });

/** A tool, as far as it decides anything. */
const tool = z.object({
  name: z.string(),
  effect: z.enum(["none", "idempotent", "once"]),
  timeoutMs: ms,
  confirm: z.boolean(),
});

/** An agent and what it works with, as far as that decides anything. */
const equipped = z.object({
  agentName: z.string(),
  /** What it says of itself, without its prompt, its models and its functions. */
  agent: z.record(z.string(), z.unknown()),
  /** Its models, by numbers that stand for them: the same for the same. */
  models: z.partialRecord(z.enum(["vad", "stt", "llm", "tts", "model"]), z.number()),
  /** Its own tools, where it has any. */
  tools: z.array(tool).optional(),
  stt: model.extend({ elsewhere: z.boolean() }),
  llm: model.extend({ hearsVoice: z.literal(true).exactOptional() }),
  tts: model.extend({ verbatim: z.literal(true).exactOptional() }),
  turnDetector: z.object({ model: z.string(), windowMs: ms, silenceMs: ms }).optional(),
});

const header = z.object({
  type: z.literal("header"),
  format: z.literal("repartee-recording"),
  version: z.number(),
  /** The version of the runtime. */
  deno: z.string(),
  startedAt: z.string(),
  sessionId: z.string(),
  /** The agent that begins, which has the number 0. */
  ...equipped.shape,
  /** What the configuration said of turn-taking. */
  turnTaking: z.object({
    endpointing: z.record(z.string(), z.unknown()),
    interruption: z.record(z.string(), z.unknown()),
    speculate: z.boolean(),
  }),
  /** The identity that was waited for, where there was one. */
  participant: z.string().optional(),
  maxCallMs: z.number().optional(),
});

const mark = z.union([
  z.object({ type: z.literal("speech-start"), atMs: ms, voicedMs: ms }),
  z.object({ type: z.enum(["speech-pause", "speech-resume", "speech-end"]), atMs: ms }),
]);

/** One of several people who are heard. */
const speaker = z.object({ identity: z.string(), name: z.string() });

const message = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), text: z.string(), from: speaker.optional() }),
  z.object({ type: z.literal("transcript"), text: z.string(), final: z.boolean() }),
  z.object({ type: z.literal("interrupt") }),
  z.object({ type: z.literal("turn"), action: z.enum(["start", "commit", "cancel"]) }),
  z.object({ type: z.literal("dtmf"), digit: z.string() }),
]);

const expectation = z.object({
  kind: z.enum(["email", "phone", "date", "digits"]),
  length: z.number().exactOptional(),
});

const call = z.discriminatedUnion("method", [
  /** `run`: the stream it says, where it is one. */
  z.object({
    method: z.literal("say"),
    text: z.string().optional(),
    run: z.number().optional(),
    options: z.looseObject({}),
  }),
  z.object({ method: z.literal("generateReply"), options: z.looseObject({}) }),
  z.object({ method: z.literal("updateHistory"), items: z.array(z.unknown()) }),
  z.object({ method: z.literal("cut"), replyId: z.string() }),
  z.object({ method: z.literal("expect"), expected: expectation.optional() }),
  z.object({ method: z.enum(["interrupt", "startUserTurn", "commitUserTurn", "clearUserTurn"]) }),
  z.object({ method: z.literal("close"), reason: z.string() }),
  /** A task, by its number. */
  z.object({ method: z.literal("run"), task: z.number() }),
]);

/** What a tool of the agent's, or its entry, does in its time. */
const step = z.discriminatedUnion("type", [
  z.object({ type: z.literal("called"), call }),
  /** A task that it has run is over. */
  z.object({ type: z.literal("ran"), task: z.number() }),
  z.object({ type: z.literal("progress"), text: z.string() }),
  z.object({ type: z.enum(["heartbeat", "keep"]) }),
  z.object({ type: z.literal("result"), text: z.string() }),
  /** Another agent goes on, by its number; `result`: what the models are told of it. */
  z.object({ type: z.literal("handoff"), agent: z.number(), result: z.string().exactOptional() }),
  /** The task is over whose tool it is; `text`: what the models are told of it. */
  z.object({ type: z.literal("task-over"), text: z.string() }),
]);

/** What comes from a provider, or from the agent's own code; each stream is opened once, and known by its number. */
const of = z.enum(["vad", "stt", "llm", "tts", "text", "say", "turn", "tool", "entry"]);

const entry = z.discriminatedUnion("type", [
  z.object({
    type: z.enum(["room-joined", "participant-audible", "farewell-began", "farewell-ended"]),
    atMs: ms,
  }),
  z.object({ type: z.literal("room-ended"), atMs: ms, reason: z.string() }),
  /** `tookMs`: since it was about to be left. */
  z.object({ type: z.literal("room-left"), atMs: ms, tookMs: ms }),
  z.object({ type: z.literal("room-failed"), atMs: ms, error: failure }),
  /** An agent is ready to take the conversation, or the version of it for a task. */
  z.object({ type: z.literal("agent-equipped"), atMs: ms, number: z.number(), ...equipped.shape }),
  /** It could not be had. */
  z.object({ type: z.literal("agent-missing"), atMs: ms, number: z.number(), message: z.string() }),
  /** A task is in charge; `agent`: the number of the agent that it makes of the one before. */
  z.object({ type: z.literal("task-begun"), atMs: ms, task: z.number(), agent: z.number() }),
  z.object({ type: z.literal("participant-came"), atMs: ms, identity: z.string() }),
  z.object({ type: z.literal("participant-told"), atMs: ms, message }),
  /** One of several people who are heard has come, or is gone for good. */
  z.object({ type: z.enum(["voice-joined", "voice-left"]), atMs: ms, ...speaker.shape }),
  z.object({ type: z.literal("voice-marked"), atMs: ms, microphone, mark }),
  /**
   * Frames: when each came, its timestamp, its length (ms), its loudness (RMS of samples; of each of the pieces that it is
   * measured by, in older recordings of the whole), whether it lies in speech.
   */
  z.object({
    type: z.literal("microphone-heard"),
    atMs: ms,
    microphone,
    frames: z.array(
      z.tuple([
        ms,
        ms,
        ms,
        z.union([z.array(z.number()), z.number()]),
        z.union([z.literal(0), z.literal(1)]),
      ]),
    ),
  }),
  /** An MCP server offers a tool. */
  z.object({ type: z.literal("tool-offered"), atMs: ms, tool }),
  /** The arguments that a tool was called with were checked; `issues`: what was wrong with them. */
  z.object({
    type: z.literal("tool-checked"),
    atMs: ms,
    input: z.string(),
    issues: z.array(z.object({
      message: z.string(),
      path: z.array(z.string()),
    })),
  }),
  /** The user was asked before a tool was used. */
  z.object({ type: z.literal("tool-asked"), atMs: ms, name: z.string(), question: z.string() }),
  /** `input`: the last of what the model was told, the tool's name, or the number of the agent whose entry it is. */
  z.object({ type: z.literal("stream-opened"), atMs: ms, of, run: z.number(), input: z.string().optional() }),
  /** `askedMs`: when it was asked for, where whoever takes it is not always ready. */
  z.object({
    type: z.literal("stream-brought"),
    atMs: ms,
    of,
    run: z.number(),
    item: z.unknown(),
    askedMs: ms.optional(),
  }),
  z.object({ type: z.literal("stream-ended"), atMs: ms, of, run: z.number() }),
  z.object({ type: z.literal("stream-failed"), atMs: ms, of, run: z.number(), error: failure }),
  z.object({ type: z.literal("session-called"), atMs: ms, call }),
  z.object({ type: z.enum(["speaker-paused", "speaker-resumed", "speaker-started"]), atMs: ms }),
  /** `tookMs`: since it began to be heard, without pauses; missing when nothing of it was heard. */
  z.object({
    type: z.literal("speaker-ended"),
    atMs: ms,
    playedMs: ms,
    interrupted: z.boolean(),
    tookMs: ms.exactOptional(),
  }),
  z.object({ type: z.literal("session-told"), atMs: ms, event: z.looseObject({ type: z.string() }) }),
  /** A timer of the session's fired late, or was given up after it was due. */
  z.object({ type: z.literal("timer-late"), atMs: ms, dueMs: ms }),
  z.object({ type: z.literal("lines-lost"), atMs: ms, count: z.number() }),
  z.object({ type: z.literal("end"), atMs: ms }),
]);

export type Failure = z.infer<typeof failure>;
export type Header = z.infer<typeof header>;
export type Entry = z.infer<typeof entry>;
export type Source = z.infer<typeof of>;
/** An agent and what it works with. */
export type EquippedThen = z.infer<typeof equipped>;
export type Step = z.infer<typeof step>;
/** What `item` of the stream of a tool, or an entry, says. */
export const stepFrom = (item: unknown): Step => step.parse(item);
/** A call of one of the session's methods, by the agent's own code or over HTTP. */
export type Call = z.infer<typeof call>;

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** An Entry before its time is stamped on it. */
export type EntryBody = Without<Entry, "atMs">;

export interface Recording {
  readonly header: Header;
  readonly entries: readonly Entry[];
}

/** Reads a recording; throws a ConfigError, one sentence that begins with `name`, when it is none or not whole. */
export function readRecording(text: string, name: string): Recording {
  const lines = text.split("\n");
  const whole = lines.pop() === "";
  const cutOff = (where: string) =>
    new ConfigError(
      `${name} is cut off ${where}; expected a whole recording, with a last line of type "end"`,
    );
  const read = (line: string, at: number): unknown => {
    try {
      return JSON.parse(line);
    } catch {
      throw new ConfigError(
        `${name}: line ${at + 1} is no JSON; expected a recorded session, a JSON object a line`,
      );
    }
  };
  const first = lines[0] === undefined ? undefined : read(lines[0], 0);
  const { data: { version } = {} } = z.object({ version: z.number() }).safeParse(first);
  if (version !== undefined && version !== VERSION) {
    throw new ConfigError(`${name} is a recording of version ${version}; expected version ${VERSION}`);
  }
  const parsed = header.safeParse(first);
  if (!parsed.success) {
    throw new ConfigError(
      `${name} does not begin with a recording's header; expected a file that RECORD has written`,
    );
  }
  const entries = lines.slice(1).map((line, at) => {
    const found = entry.safeParse(read(line, at + 1));
    if (found.success) return found.data;
    throw new ConfigError(
      `${name}: line ${at + 2} is nothing that a recording holds; expected a file as RECORD wrote it`,
    );
  });
  if (!whole) throw cutOff(`in line ${lines.length + 1}`);
  if (entries.at(-1)?.type !== "end") throw cutOff(`after line ${lines.length}`);
  const lost = entries.find((one) => one.type === "lines-lost");
  if (lost) {
    throw new ConfigError(
      `${name} has lost ${lost.count} lines at ${
        Math.round(lost.atMs)
      } ms, since the disk did not take them in time; ` +
        "expected a whole recording",
    );
  }
  return { header: parsed.data, entries };
}
