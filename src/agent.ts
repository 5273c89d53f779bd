/** What the author of an agent writes, and what the agent's own code is handed. */
import { type BackgroundAudio, problemOfBackground } from "./background.ts";
import type { StageError } from "./errors.ts";
import type { CloseReason, SessionEvent } from "./events.ts";
import { type EventHandlers, problemOfHandlers } from "./handlers.ts";
import type { HistoryItem } from "./history.ts";
import { type HistoryOptions, problemOfHistoryOptions } from "./history/options.ts";
import type { HistoryUpdate } from "./history/update.ts";
import type { ImagePart, LanguageModel, ToolChoice } from "./llm/llm.ts";
import {
  type Choice,
  type LanguageModelSpec,
  problemOfModels,
  type SpeechToTextSpec,
  type TextToSpeechSpec,
} from "./model_specs.ts";
import type { AgentState, Participant, Room } from "./room/room.ts";
import type { SpeechToText } from "./stt/stt.ts";
import type { Task } from "./task.ts";
import type { TextTransform } from "./text/spoken_form.ts";
import { problemOfTools, type ToolSet } from "./tool.ts";
import { type McpServer, problemOfMcpServers } from "./tools/mcp.ts";
import type { TextToSpeech } from "./tts/tts.ts";
import type { AudioTurnDetector } from "./turn/end_of_turn.ts";
import type { Expectation } from "./turn/expectation.ts";
import type { TurnLanguage } from "./turn/languages.ts";
import type { VoiceActivityDetector, VoiceOptions } from "./vad/vad.ts";
import { problemOfVideo, type VideoOptions } from "./vision/options.ts";
import type { LookOptions } from "./vision/sight.ts";

/** When a user's turn counts as over; milliseconds from the last voiced sample. */
export interface EndpointingOptions {
  /** Never answered before this much silence (default 350). */
  readonly minDelayMs?: number;
  /** Answered after this much silence (1000 at least) even when no final transcript came, with the words there are (default 3000). */
  readonly maxDelayMs?: number;
  /** "dynamic": the least delay follows this user's own pauses, up from `minDelayMs` (default "fixed"). */
  readonly mode?: "fixed" | "dynamic";
}

/**
 * What ends the user's turn, within the delays of EndpointingOptions.
 *
 * `"words"` (the default): silence, of which more is waited for after words that are plainly unfinished, and while a
 * number, a mail address or letters are dictated. `"silence"`: silence alone. `"stt"`: the recognizer, where it tells the
 * end of a turn (Deepgram's `speech_final`); what it does not tell ends as with "words". `"manual"`: only a key, or
 * `session.commitUserTurn()`. A detector of your own judges the sound of each pause; words that tell win over it.
 */
export type TurnDetection = "words" | "silence" | "stt" | "manual" | AudioTurnDetector;

/**
 * When a user who speaks over the agent stops it; both minimums must be reached. Whatever they are, words of the language's
 * `stopWords` do, and its `backchannels` and the agent's own words (an echo) do not.
 */
export interface InterruptionOptions {
  /** Whether the user can interrupt at all (default true). If not, what they say meanwhile is answered afterwards. */
  readonly allowed?: boolean;
  /** Milliseconds of speech (default 300). */
  readonly minDurationMs?: number;
  /** Words in the transcript so far (default 0). */
  readonly minWords?: number;
}

/** What becomes of a call in which nobody says anything; milliseconds of silence of both sides. */
export interface AwayOptions {
  /** After this much the user counts as away: the event `user-away` (default 15,000). */
  readonly afterMs?: number;
  /** What is said then: the first at once, the next after each `afterMs` more (default: nothing). */
  readonly prompts?: readonly string[];
  /** After this much more, or after the last prompt, the call ends with reason "user-away" (default 120,000; Infinity: never). */
  readonly closeAfterMs?: number;
}

/** What a call may cost, in US dollars, by the prices there are; what has no price counts as nothing. */
export interface CostCapOptions {
  /** When it has cost that, `model` answers from the next answer on, and the event `cost-cap` tells (default: never). */
  readonly softUsd?: number;
  /** When it has cost that, it ends with a last line and reason "cost-cap" (default: `MAX_CALL_USD`). */
  readonly hardUsd?: number;
  /** A cheaper model than `llm`, for every agent of the call. */
  readonly model?: Choice<LanguageModelSpec, LanguageModel>;
}

/** One agent: what it is told, with what it hears, thinks and speaks, and what it does by itself. */
export interface AgentDefinition {
  /** What it is called in events and reports, where it is not registered (default: "agent"). */
  readonly name?: string;
  /** What it is for, in a sentence, for whoever chooses among agents on the page (default: the first of `instructions`). */
  readonly description?: string;
  /** The system prompt. */
  readonly instructions: string;
  /** When a voice counts as speech, or a detector of your own. */
  readonly vad?: VoiceOptions | VoiceActivityDetector;
  /**
   * A model string such as `deepgram/nova-3:en`, the same with options, or a recognizer of your own (default: `STT`); a list
   * of them, the best first, where the next stands in for those that fail. So `llm` and `tts`.
   */
  readonly stt?: Choice<SpeechToTextSpec, SpeechToText>;
  /** A model string such as `openai/gpt-4o-mini`, the same with options, or a model of your own (default: `LLM`). */
  readonly llm?: Choice<LanguageModelSpec, LanguageModel>;
  /** A model string such as `deepgram/aura-2-thalia-en`, the same with options, or a voice of your own (default: `TTS`). */
  readonly tts?: Choice<TextToSpeechSpec, TextToSpeech>;
  /** BCP 47 language of the conversation, for recognizers and voices that take one. */
  readonly language?: string;
  /**
   * How text becomes speech, in this order (default: `["markup", "numbers"]`); functions of your own may stand among them,
   * `[]` switches all of it off. The transcript and the history keep the text as it was written.
   */
  readonly textTransforms?: readonly TextTransform[];
  /**
   * How words are said: `{ nginx: "engine x" }`. Whole words only; one in lower case stands for any case of it, one with a
   * capital only for itself.
   */
  readonly pronunciations?: Readonly<Record<string, string>>;
  /** What is heard behind the voice: ambience, and a sound while the agent thinks; WAV files of 16-bit PCM, or samples. */
  readonly backgroundAudio?: BackgroundAudio;
  /** What is said when an answer failed, or the user could not be understood. */
  readonly apology?: string;
  readonly endpointing?: EndpointingOptions;
  readonly turnDetection?: TurnDetection;
  readonly interruption?: InterruptionOptions;
  /** Lists that take the place of the language's own (see `turnLanguage()`), such as other `backchannels`. */
  readonly turnWords?: Partial<TurnLanguage>;
  readonly away?: AwayOptions;
  /** How long a call may last, in milliseconds, before it ends with reason "max-duration" (default: `MAX_CALL_SECONDS`). */
  readonly maxCallMs?: number;
  /** What is said before a call is ended that nobody ended, by reason; empty: nothing (default: a sentence in English). */
  readonly lastLines?: Partial<Readonly<Record<"user-away" | "max-duration" | "cost-cap", string>>>;
  /** What a call may cost; the first agent's counts for the call. */
  readonly costCaps?: CostCapOptions;
  /**
   * Whom the agent hears in a LiveKit room: the one it was sent for or who comes first ("linked", the default), or everybody
   * who can talk. The first agent's counts for the call.
   */
  readonly participants?: "linked" | "all";
  /** How many of them are recognized at the same time at the most (default 5). */
  readonly maxRecognizers?: number;
  /** What to receive from the room: only audio (the default), or video too. */
  readonly autoSubscribe?: "audio" | "all";
  /** How it looks at what the participant shows (default: only when it is asked to, by a tool or `session.look()`). */
  readonly video?: VideoOptions;
  /** How much of the conversation the model is told (default: the last 20 items); `session.history` holds all of it. */
  readonly history?: HistoryOptions;
  /** What the agent can do besides talking, by the names that the model calls it by; each is made by `tool()`. */
  readonly tools?: ToolSet;
  /**
   * Servers of the Model Context Protocol whose tools the agent has besides its own, while they are connected; of equal names
   * the agent's own come first, then those of the server that is named first.
   */
  readonly mcpServers?: readonly McpServer[];
  /** Makes the data of a session, which its tools and `session.userdata` are handed. */
  readonly userdata?: () => unknown;
  /**
   * What the agent does by itself, from the moment it is in the room, or is handed the conversation. A throw ends the
   * session with reason "error".
   */
  readonly entry?: (ctx: AgentContext) => void | Promise<void>;
  /** Told of every failure that the session survived. A throw here is logged and changes nothing. */
  readonly onError?: (error: StageError) => void | Promise<void>;
  /**
   * Told of what happens in the session, from the moment the agent is in the room: `{ "user-speech-committed": (event, ctx) =>
   * … }`. Nothing waits for a handler but the session's end; a throw is logged and changes nothing.
   */
  readonly on?: EventHandlers;
}

/** An agent as the registry holds it: checked once, when its file is loaded. */
export type Agent = AgentDefinition;

const defined = new WeakSet<object>();

/** Whether `value` is what defineAgent() returned. */
export const isAgent = (value: unknown): value is Agent =>
  typeof value === "object" && value !== null && defined.has(value);

const turnDetections: readonly TurnDetection[] = ["words", "silence", "stt", "manual"];

/** Checks an agent's definition and returns it; throws a TypeError that names the field. */
export function defineAgent(definition: AgentDefinition): Agent {
  if (!definition.instructions?.trim()) {
    throw new TypeError("defineAgent(): `instructions` is empty; expected the system prompt as a string");
  }
  const { minDelayMs = 0, maxDelayMs = Infinity } = definition.endpointing ?? {};
  if (minDelayMs < 0 || maxDelayMs < minDelayMs) {
    throw new TypeError(
      `defineAgent(): endpointing is ${minDelayMs}–${maxDelayMs} ms; expected 0 ≤ minDelayMs ≤ maxDelayMs`,
    );
  }
  const { turnDetection: detection = "words" } = definition;
  if (typeof detection === "string" && !turnDetections.includes(detection)) {
    throw new TypeError(
      `defineAgent(): turnDetection is ${JSON.stringify(detection)}; expected one of ${
        turnDetections.join(", ")
      }, or a detector`,
    );
  }
  const { away: { afterMs = 1, closeAfterMs = 0 } = {}, maxCallMs = 1 } = definition;
  if (!(afterMs > 0 && closeAfterMs >= 0 && maxCallMs > 0)) {
    throw new TypeError(
      `defineAgent(): away.afterMs is ${afterMs}, away.closeAfterMs ${closeAfterMs}, maxCallMs ${maxCallMs}; ` +
        "expected milliseconds, more than 0 (closeAfterMs: 0 or more)",
    );
  }
  const { softUsd = 1, hardUsd = Infinity, model: cheaper } = definition.costCaps ?? {};
  if (!(softUsd > 0 && hardUsd > 0)) {
    throw new TypeError(
      `defineAgent(): costCaps.softUsd is ${softUsd}, costCaps.hardUsd ${hardUsd}; expected US dollars, more than 0`,
    );
  }
  const { participants = "linked", maxRecognizers = 1 } = definition;
  if (!["linked", "all"].includes(participants) || !Number.isInteger(maxRecognizers) || maxRecognizers < 1) {
    throw new TypeError(
      `defineAgent(): participants is ${JSON.stringify(participants)}, maxRecognizers ${maxRecognizers}; ` +
        'expected "linked" or "all", and a whole number from 1 on',
    );
  }
  const problem = problemOfModels(definition) ?? problemOfModels({ llm: cheaper }, "costCaps.model") ??
    problemOfBackground(definition.backgroundAudio) ??
    problemOfTools(definition.tools ?? {}) ?? problemOfMcpServers(definition.mcpServers ?? []) ??
    problemOfHistoryOptions(definition.history ?? {}) ??
    problemOfHandlers(definition.on ?? {}) ?? problemOfVideo(definition);
  if (problem) throw new TypeError(`defineAgent(): ${problem}`);
  for (const transform of definition.textTransforms ?? []) {
    if (typeof transform === "function" || transform === "markup" || transform === "numbers") continue;
    throw new TypeError(
      `defineAgent(): a text transform is ${
        JSON.stringify(transform)
      }; expected "markup", "numbers" or a function`,
    );
  }
  defined.add(definition);
  return definition;
}

/** What an agent's `entry` works with. */
export interface AgentContext {
  readonly room: Room;
  readonly session: VoiceSession;
  /** What the dispatch carried, as it was sent; empty when it carried nothing. */
  readonly metadata: string;
  /** The name of the agent that has handed the conversation over to this one; missing where the call begins with it. */
  readonly from?: string;
  /** Waits for the participant the session talks with (`identity`: that one). Rejects when the session ends before. */
  waitForParticipant(identity?: string): Promise<Participant>;
  /** Runs `callback` when the session ends, while the room is still there: it may say goodbye. All share 10 s. */
  addShutdownCallback(callback: (reason: CloseReason) => void | Promise<void>): void;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
}

/** Where something to say stands in line. */
export type SpeechPriority =
  | "normal"
  /** Before everything that waits with normal priority. */
  | "high"
  /** Before everything that waits, and what is being said is cut off for it. */
  | "immediate";

/** How something is said. */
export interface SayOptions {
  /**
   * Whether the user can stop it, by voice, in writing or with a button (default true). If not, it is played out, and
   * what they say meanwhile is answered afterwards. `interrupt()` of the session or the handle stops it all the same.
   */
  readonly interruptible?: boolean;
  /** Whether it enters the history, as far as it is heard (default true). */
  readonly addToHistory?: boolean;
  /** Where it stands in line (default "normal"); within a priority, what was asked for first is said first. */
  readonly priority?: SpeechPriority;
}

/** What a reply is made from. */
export interface GenerateReplyOptions extends SayOptions {
  /** For this reply alone, after the agent's own instructions and the conversation. */
  readonly instructions?: string;
  /** What is answered, as though the user had said it; it enters the history when the reply's turn in line comes. */
  readonly userInput?: string;
  /** Which of the agent's tools the model may use, or must. */
  readonly toolChoice?: ToolChoice;
}

/** What became of something to say. */
export interface SpeechResult {
  /** What was heard of it. */
  readonly text: string;
  /** It was cut off, or never begun. */
  readonly interrupted: boolean;
  /** Why it could not be said to its end, when something failed. */
  readonly error?: StageError;
}

/**
 * Something to say. `await` it, or its `done`, until it was played out or cut off; neither ever rejects. Returned from
 * an async function it is awaited, as every PromiseLike is.
 */
export interface SpeechHandle extends PromiseLike<SpeechResult> {
  readonly replyId: string;
  /** Settles when the speech left the speaker or was cut off; never rejects. */
  readonly done: Promise<SpeechResult>;
  /** Cuts it off, or takes it out of the line; what else waits is said all the same. */
  interrupt(): void;
}

/** How a participant's client is asked to do something. */
export interface RpcOptions {
  /** Milliseconds that it may take (default 15,000). */
  readonly timeoutMs?: number;
  /** Aborts when the answer is not wanted any more; the client is not told. */
  readonly signal?: AbortSignal;
}

/** One conversation. */
export interface VoiceSession {
  readonly id: string;
  /** "closed" once the session has ended. */
  readonly state: AgentState | "closed";
  /** The one it talks with, once there. */
  readonly participant?: Participant | undefined;
  /** What was said so far, as it was heard, and what was done: each call of a tool, and its result once there is one. */
  readonly history: readonly HistoryItem[];
  /**
   * Takes other items in place of those of the history, or what a function makes of them; the next request to the model
   * tells them. A result that is yet to come, and a reply that is being said, enter what is there then; the result of a call
   * that was taken out does not. Throws a TypeError that says what is wrong with the items, such as a result without its
   * call, and before the agent is in the room.
   */
  updateHistory(update: HistoryUpdate): void;
  /** What the agent's `userdata()` made for this session. */
  readonly userdata?: unknown;
  /**
   * Says `text`, which may come in pieces, after what is being said now, what waits in line, and a turn that the user is
   * at; before anybody is there it waits for them. A stream that fails, or brings nothing for 8 s (5 s within it), ends
   * what is said there. After the session has ended nothing is said, and the handle settles at once. Throws before the
   * agent is in the room, and a TypeError for a stream that is being read already.
   */
  say(text: string | ReadableStream<string>, options?: SayOptions): SpeechHandle;
  /** Has the model make a reply without waiting for the user, and says it, in line as `say()` does. */
  generateReply(options?: GenerateReplyOptions): SpeechHandle;
  /**
   * Has `task` done with the user, and settles with what comes of it: meanwhile the task is in charge, with the agent's
   * voice and models, then the agent is again. The agent goes on by itself when it says nothing for 3 s after that. From a
   * tool, its answer is over, and there is another when the tool returns; elsewhere tasks are done one after the other.
   * Rejects with a TaskError when the user refuses, or the session ends before.
   */
  run<Result>(task: Task<Result>): Promise<Result>;
  /** Cuts off what is being said and what waits to be said, whether the user could or not. */
  interrupt(): void;
  /**
   * The user is asked for something that is dictated: until all of it was said, or the longest delay has passed, no silence
   * ends their turn. It holds until something else is expected, or nothing (undefined). Without it, that is known where the
   * agent asks for what one of its tools takes. Throws before the agent is in the room.
   */
  expect(expected: Expectation | undefined): void;
  /** The user begins to talk, by a key or a button: cuts off what is being said, and no silence ends the turn. */
  startUserTurn(): void;
  /** The user's turn is over: it is answered as soon as its words are final, or 1.5 s from now with those there are. */
  commitUserTurn(): void;
  /** Forgets what the user has said since the last turn. */
  clearUserTurn(): void;
  /**
   * Has the client of the linked participant carry out a method that it has registered, by LiveKit's RPC or over the page's
   * socket; settles with its answer. Payload and answer are text, 15 KiB at the most. Rejects with words that the user may
   * hear when the client cannot do it, fails, or does not answer in time, and with the signal's reason.
   */
  performRpc(method: string, payload: string, options?: RpcOptions): Promise<string>;
  /**
   * The newest picture of what the participant shows, as JPEG: of their screen while it is shared, else of their camera, or
   * of `source`. Undefined when that is not shown, or no video is received (see `autoSubscribe`). Rejects with a StageError
   * when there is none to be had of it, and with the signal's reason.
   */
  look(options?: LookOptions): Promise<ImagePart | undefined>;
  /** What happens from now on. A reader that falls behind by 1,000 events loses the oldest. */
  events(): ReadableStream<SessionEvent>;
  /** Ends the session; shutdown callbacks run first. Settles within 5 s after them, from any state. */
  close(reason?: CloseReason): Promise<void>;
  /** Settles when the session and everything it started has ended. */
  readonly done: Promise<CloseReason>;
}
