/** What the author of an agent writes, and what the agent's own code is handed. */
import { type BackgroundAudio, problemOfBackground } from "./background.ts";
import type { StageError } from "./errors.ts";
import type { CloseReason } from "./events.ts";
import { type EventHandlers, problemOfHandlers } from "./handlers.ts";
import { type HistoryOptions, problemOfHistoryOptions } from "./history/options.ts";
import type { LanguageModel } from "./llm/llm.ts";
import {
  type Choice,
  type LanguageModelRace,
  type LanguageModelSpec,
  problemOfModels,
  type SpeechToSpeechSpec,
  type SpeechToTextSpec,
  type TextToSpeechSpec,
} from "./model_specs.ts";
import type { Participant, Room } from "./room/room.ts";
import type { SpeechToSpeech } from "./realtime/realtime.ts";
import type { SpeechToText } from "./stt/stt.ts";
import type { TextTransform } from "./text/spoken_form.ts";
import { problemOfTools, type ToolSet } from "./tool.ts";
import { type McpServer, problemOfMcpServers } from "./tools/mcp.ts";
import type { TextToSpeech } from "./tts/tts.ts";
import type { AudioTurnDetector } from "./turn/end_of_turn.ts";
import type { TurnLanguage } from "./turn/languages.ts";
import type { EndReason } from "./turn/presence.ts";
import type { VoiceActivityDetector, VoiceOptions } from "./vad/vad.ts";
import { problemOfVideo, type VideoOptions } from "./vision/options.ts";
import type { VoiceSession } from "./voice_session.ts";

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
  /**
   * A model string such as `openai/gpt-4o-mini`, the same with options, a model of your own (default: `LLM`), or several that
   * race: `{ race: [...] }`.
   */
  readonly llm?: Choice<LanguageModelSpec | LanguageModelRace, LanguageModel>;
  /** A model string such as `deepgram/aura-2-thalia-en`, the same with options, or a voice of your own (default: `TTS`). */
  readonly tts?: Choice<TextToSpeechSpec, TextToSpeech>;
  /**
   * A model that hears and speaks by itself, in place of `stt`, `llm` and `tts`: a model string such as
   * `openai-realtime/gpt-realtime:marin`, the same with options, or what `openaiRealtime()` makes.
   */
  readonly model?: string | SpeechToSpeechSpec | SpeechToSpeech;
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
  /**
   * What is said first in a call that begins with this agent, as soon as somebody is there to hear it. It is made while the
   * agent joins the room, and so heard sooner than what `entry` says.
   */
  readonly greeting?: string;
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
  readonly lastLines?: Partial<Readonly<Record<EndReason, string>>>;
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
  /**
   * What is said first when the conversation goes on in another process, since the one before is gone (default: a sentence
   * such as "Sorry, I lost you for a second."; empty: nothing). A function is run in place of `entry`, to add its shutdown
   * callbacks again, say; it has 1 s to return the sentence. It is run, but nothing said, when the process before is to end
   * and has handed the call over.
   */
  readonly resumed?: string | ((ctx: AgentContext) => string | void | Promise<string | void>);
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
  if (definition.model !== undefined && participants === "all") {
    throw new TypeError(
      'defineAgent(): `model` hears one voice, and participants is "all"; expected "linked", or stt, llm and tts',
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
