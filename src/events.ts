import type { CloseReason } from "./close_reason.ts";
import type { Stage, StageError } from "./errors.ts";
import type { TokenUsage, ToolCall } from "./llm/llm.ts";
import type { AgentState } from "./room/room.ts";
import type { ToolResult } from "./tools/result.ts";
import type { SpareSource } from "./tts/spare.ts";
import type { Said, Speaker } from "./turn/state.ts";

export type { CloseReason } from "./close_reason.ts";

/**
 * Where the time of one answer went, in milliseconds: endpointing, llm, clause, tts and playout follow each other and sum
 * to the total; stt lies inside endpointing. Undefined where a stage did not take part (a greeting has no user).
 */
export interface ReplyLatency {
  /** Last voiced sample → the turn was committed. */
  readonly endpointingMs?: number;
  /** Commit → the reply was let go: somebody seemed to speak, or another agent took the turn over. */
  readonly heldMs?: number;
  /** Last voiced sample → final transcript. */
  readonly sttMs?: number;
  /** Commit (or say) → first token. */
  readonly llmMs?: number;
  /** First token → first speakable clause. */
  readonly clauseMs?: number;
  /** First clause → first audio of the voice. */
  readonly ttsMs?: number;
  /** First audio of the voice → first sample handed to the room. */
  readonly playoutMs?: number;
  /** Last voiced sample (or say) → first sample handed to the room. */
  readonly totalMs: number;
}

/** A silence inside a reply, in milliseconds: the parts sum to `ms`. */
export interface SpeechGap {
  readonly ms: number;
  /** The reply was kept back because the user seemed to speak. */
  readonly heldMs: number;
  /** There were no more words. */
  readonly llmMs: number;
  /** There were words, and no audio of them. */
  readonly ttsMs: number;
  /** There was audio, and the room did not play it. */
  readonly playoutMs: number;
}

/** What a session has used of a provider since it last said so. */
export type Usage =
  & {
    readonly provider: string;
    readonly model: string;
    /** In US dollars; missing where the model has no price. */
    readonly costUsd?: number;
  }
  & (
    /** Milliseconds of audio that were sent to the recognizer. */
    | { readonly stage: "stt"; readonly audioMs: number }
    /**
     * Tokens of one request, as the provider counts them, `cachedInputTokens` being those of the input that it had in its
     * cache. `uncounted`: the answer was cut off or failed before the provider told its count, which is shown as 0;
     * `estimated`: what it has probably taken, by the length of the text, where it was cut off.
     */
    | {
      readonly stage: "llm";
      readonly inputTokens: number;
      readonly outputTokens: number;
      readonly cachedInputTokens?: number;
      /** Those of them that are sound, of a model that hears and speaks. */
      readonly audio?: TokenUsage;
      readonly uncounted?: true;
      readonly estimated?: TokenUsage;
    }
    /** Of one reply: characters that were sent to the voice, and milliseconds of audio that came. */
    | { readonly stage: "tts"; readonly characters: number; readonly audioMs: number }
  );

/** What happens in a session, for logs, dashboards and tests. `atMs`: milliseconds since the session began. */
export type SessionEvent =
  & { readonly atMs: number }
  & (
    | { readonly type: "state-changed"; readonly state: AgentState }
    | { readonly type: "user-started-speaking" }
    /** `silentMs`: how long ago the last voiced sample was. */
    | { readonly type: "user-stopped-speaking"; readonly silentMs?: number }
    /** Where the agent hears several people: one of them is there, or is gone for good. */
    | { readonly type: "user-joined"; readonly participant: Speaker }
    | { readonly type: "user-left"; readonly participant: Speaker }
    /**
     * The words of an utterance so far; `final` when the recognizer will not change them any more. `speaker`: whose, where
     * the agent hears several people.
     */
    | {
      readonly type: "user-transcript";
      readonly text: string;
      readonly final: boolean;
      readonly speaker?: Speaker;
    }
    /**
     * The user's turn ended; this is what is answered. `text` is "" where the answer to the turn before gave way to words that
     * the recognizer then took back: that turn is answered after all.
     */
    | {
      readonly type: "user-speech-committed";
      readonly turnId: string;
      readonly text: string;
      /** Whose words they are, where the agent hears several people and all are of one. */
      readonly speaker?: Speaker;
      /** Who said what, where they are of more than one. */
      readonly said?: readonly Said[];
      /** How long ago the last voiced sample was, in milliseconds. */
      readonly waitedMs?: number;
    }
    /** `turnId`: the turn that it answers, where that is not its own id, since the turn was another agent's. */
    | {
      readonly type: "agent-started-speaking";
      readonly replyId: string;
      readonly turnId?: string;
      readonly latency: ReplyLatency;
    }
    | { readonly type: "agent-stopped-speaking"; readonly replyId: string }
    /** What of a reply was heard; `interrupted` when it was cut. */
    | {
      readonly type: "agent-speech-committed";
      readonly replyId: string;
      readonly text: string;
      readonly interrupted: boolean;
    }
    /** A barge-in turned out to be none: the reply goes on where it was paused. */
    | { readonly type: "false-interruption"; readonly replyId: string }
    /** The reply fell silent in its middle, and goes on. */
    | { readonly type: "speech-gap"; readonly replyId: string; readonly gap: SpeechGap }
    /**
     * Something got no further for `waitedMs` and was ended: the reply of that id, which stood at `stage`. A recovery
     * line follows, unless that was one itself.
     */
    | {
      readonly type: "stall-recovered";
      readonly replyId: string;
      readonly turnId?: string;
      readonly stage: Stage;
      readonly waitedMs: number;
    }
    /** Nobody has said anything for `silentMs`. */
    | { readonly type: "user-away"; readonly silentMs: number }
    /** The user speaks or types again, `awayMs` after that. */
    | { readonly type: "user-returned"; readonly awayMs: number }
    /** A committed turn met its end. */
    | { readonly type: "turn-ended"; readonly turnId: string; readonly outcome: TurnOutcome }
    /**
     * What was prepared for the turn before it was over. `kept`: the last answer prepared is the turn's answer. `wasted`:
     * the tokens of the others, as the provider counts them or, where they were cut off, estimated; `usage` has them too,
     * as far as they were counted.
     */
    | {
      readonly type: "speculation";
      readonly turnId: string;
      readonly prepared: number;
      readonly kept: boolean;
      readonly wasted: { readonly inputTokens: number; readonly outputTokens: number };
    }
    /**
     * What the turn's answer took, behind the turn's end; of a turn that no reply was made for there is none. `latency` is
     * missing when nothing of it was heard, `tokens` when they were not all counted: it was cut off, or failed. `steps`: how
     * often the model called tools. `characters` and `audioMs`: what was sent to the voice, and what came.
     */
    | {
      readonly type: "turn-metrics";
      readonly turnId: string;
      readonly latency?: ReplyLatency;
      readonly tokens?: TokenUsage;
      readonly steps?: number;
      readonly characters: number;
      readonly audioMs: number;
    }
    /** The model has called tools, all at once, for this reply. */
    | { readonly type: "tools-called"; readonly replyId: string; readonly calls: readonly ToolCall[] }
    /** What a tool has the reply say while the user waits. */
    | {
      readonly type: "tool-progress";
      readonly replyId: string;
      readonly callId: string;
      readonly name: string;
      readonly text: string;
    }
    /**
     * What the model is told of them, in their order. Where that is "running", the reply went on without waiting for the
     * result, and the event comes once more, with the result alone.
     */
    | {
      readonly type: "tools-finished";
      readonly replyId: string;
      readonly results: readonly Omit<ToolResult, "value">[];
    }
    /** Another agent goes on with the conversation, by their names; `replyId`: the reply whose tool wanted it. */
    | { readonly type: "handoff"; readonly from: string; readonly to: string; readonly replyId: string }
    /**
     * The apology is not said by the voice, which may have failed: by its own sound from before ("kept"), or by a voice on
     * this machine ("local").
     */
    | { readonly type: "voice-replaced"; readonly replyId: string; readonly by: SpareSource }
    | { readonly type: "usage"; readonly usage: Usage }
    /**
     * The call has cost as much as its agent's `costCaps` say, in US dollars: from the next answer on `model` answers, where
     * one is named; or ("hard") the call ends.
     */
    | {
      readonly type: "cost-cap";
      readonly cap: "soft" | "hard";
      readonly spentUsd: number;
      readonly model?: string;
    }
    /** So much of the user's voice, in milliseconds, was dropped since the process was too busy to take it in. */
    | { readonly type: "microphone-dropped"; readonly ms: number }
    /** The session goes on in this process; the one before it is gone ("fault"), or has handed it over. */
    | { readonly type: "resumed"; readonly after: "fault" | "handover" }
    /**
     * A failure that the session survived, or that ends it; `provider`: whose, where the stage has one. `retried`: what failed
     * is tried again at once, by the provider that stands in, or by the same.
     */
    | {
      readonly type: "error";
      readonly error: StageError;
      readonly provider?: string;
      readonly retried?: true;
    }
    | { readonly type: "closed"; readonly reason: CloseReason }
  );

/** The event of that type. */
export type SessionEventOf<Type extends SessionEvent["type"]> = Extract<
  SessionEvent,
  { readonly type: Type }
>;

/** How a committed user turn ended; every turn has exactly one. */
export type TurnOutcome = "answered" | "interrupted" | "superseded" | "declined" | "failed";

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** A SessionEvent before the session stamps its time on it. */
export type SessionEventBody = Without<SessionEvent, "atMs">;

const types: Readonly<Record<SessionEvent["type"], true>> = {
  "state-changed": true,
  "user-started-speaking": true,
  "user-stopped-speaking": true,
  "user-joined": true,
  "user-left": true,
  "user-transcript": true,
  "user-speech-committed": true,
  "agent-started-speaking": true,
  "agent-stopped-speaking": true,
  "agent-speech-committed": true,
  "false-interruption": true,
  "speech-gap": true,
  "stall-recovered": true,
  "user-away": true,
  "user-returned": true,
  "turn-ended": true,
  "speculation": true,
  "turn-metrics": true,
  "tools-called": true,
  "tool-progress": true,
  "tools-finished": true,
  "handoff": true,
  "voice-replaced": true,
  "usage": true,
  "cost-cap": true,
  "microphone-dropped": true,
  "resumed": true,
  "error": true,
  "closed": true,
};

/** Every type of event, for what is given by them. */
export const eventTypes: ReadonlySet<string> = new Set(Object.keys(types));
