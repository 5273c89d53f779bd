/** What the author of an agent writes, and what the agent's own code is handed. */
import type { StageError } from "./errors.ts";
import type { CloseReason, SessionEvent } from "./events.ts";
import type { HistoryItem } from "./history.ts";
import type { LanguageModel } from "./llm/llm.ts";
import {
  type LanguageModelSpec,
  problemOfModels,
  type SpeechToTextSpec,
  type TextToSpeechSpec,
} from "./model_specs.ts";
import type { AgentState, Participant, Room } from "./room/room.ts";
import type { SpeechToText } from "./stt/stt.ts";
import type { TextTransform } from "./text/spoken_form.ts";
import type { TextToSpeech } from "./tts/tts.ts";
import type { VoiceActivityDetector, VoiceOptions } from "./vad/vad.ts";

/** When a user's turn counts as over; milliseconds from the last voiced sample. */
export interface EndpointingOptions {
  /** Never answered before this much silence (default 350). */
  readonly minDelayMs?: number;
  /** Answered after this much silence (1000 at least) even when no final transcript came, with the words there are (default 3000). */
  readonly maxDelayMs?: number;
}

/** When a user who speaks over the agent stops it; both minimums must be reached. */
export interface InterruptionOptions {
  /** Whether the user can interrupt at all (default true). */
  readonly allowed?: boolean;
  /** Milliseconds of speech (default 300). */
  readonly minDurationMs?: number;
  /** Words in the transcript so far (default 0). */
  readonly minWords?: number;
}

/** One agent: what it is told, with what it hears, thinks and speaks, and what it does by itself. */
export interface AgentDefinition {
  /** The system prompt. */
  readonly instructions: string;
  /** When a voice counts as speech, or a detector of your own. */
  readonly vad?: VoiceOptions | VoiceActivityDetector;
  /** A model string such as `deepgram/nova-3:en`, the same with options, or a recognizer of your own (default: `STT`). */
  readonly stt?: string | SpeechToTextSpec | SpeechToText;
  /** A model string such as `openai/gpt-4o-mini`, the same with options, or a model of your own (default: `LLM`). */
  readonly llm?: string | LanguageModelSpec | LanguageModel;
  /** A model string such as `deepgram/aura-2-thalia-en`, the same with options, or a voice of your own (default: `TTS`). */
  readonly tts?: string | TextToSpeechSpec | TextToSpeech;
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
  /** What is said when an answer failed, or the user could not be understood. */
  readonly apology?: string;
  readonly endpointing?: EndpointingOptions;
  readonly interruption?: InterruptionOptions;
  /** What to receive from the room: only audio (the default), or video too. */
  readonly autoSubscribe?: "audio" | "all";
  /** What the agent does by itself, from the moment it is in the room. A throw ends the session with reason "error". */
  readonly entry?: (ctx: AgentContext) => void | Promise<void>;
  /** Told of every failure that the session survived. A throw here is logged and changes nothing. */
  readonly onError?: (error: StageError) => void | Promise<void>;
}

/** An agent as the registry holds it: checked once, when its file is loaded. */
export type Agent = AgentDefinition;

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
  const problem = problemOfModels(definition);
  if (problem) throw new TypeError(`defineAgent(): ${problem}`);
  for (const transform of definition.textTransforms ?? []) {
    if (typeof transform === "function" || transform === "markup" || transform === "numbers") continue;
    throw new TypeError(
      `defineAgent(): a text transform is ${JSON.stringify(transform)}; expected "markup", "numbers" or a function`,
    );
  }
  return definition;
}

/** What an agent's `entry` works with. */
export interface AgentContext {
  readonly room: Room;
  readonly session: VoiceSession;
  /** What the dispatch carried, as it was sent; empty when it carried nothing. */
  readonly metadata: string;
  /** Waits for the participant the session talks with (`identity`: that one). Rejects when the session ends before. */
  waitForParticipant(identity?: string): Promise<Participant>;
  /** Runs `callback` when the session ends, while the room is still there: it may say goodbye. All share 10 s. */
  addShutdownCallback(callback: (reason: CloseReason) => void | Promise<void>): void;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
}

/** What is being said: awaitable until it was played out, or cut off. */
export interface SpeechHandle {
  readonly replyId: string;
  /** Settles when the speech left the speaker or was cut off; never rejects. */
  readonly done: Promise<{ readonly text: string; readonly interrupted: boolean }>;
}

/** One conversation. */
export interface VoiceSession {
  readonly id: string;
  /** "closed" once the session has ended. */
  readonly state: AgentState | "closed";
  /** The one it talks with, once there. */
  readonly participant?: Participant | undefined;
  /** What was said so far, as it was heard. */
  readonly history: readonly HistoryItem[];
  /** Says `text` after what is being said now; it enters the history as far as it is heard. */
  say(text: string): SpeechHandle;
  /** Cuts off what is being said and what waits to be said. */
  interrupt(): void;
  /** What happens from now on. A reader that falls behind by 1,000 events loses the oldest. */
  events(): ReadableStream<SessionEvent>;
  /** Ends the session; shutdown callbacks run first. Settles within 5 s after them, from any state. */
  close(reason?: CloseReason): Promise<void>;
  /** Settles when the session and everything it started has ended. */
  readonly done: Promise<CloseReason>;
}
