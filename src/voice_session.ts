/** One conversation, as an agent's own code has it. */
import type { StageError } from "./errors.ts";
import type { CloseReason, SessionEvent } from "./events.ts";
import type { HistoryItem } from "./history.ts";
import type { HistoryUpdate } from "./history/update.ts";
import type { ImagePart, ToolChoice } from "./llm/llm.ts";
import type { AgentState, Participant } from "./room/room.ts";
import type { Task } from "./task.ts";
import type { Expectation } from "./turn/expectation.ts";
import type { LookOptions } from "./vision/sight.ts";

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
