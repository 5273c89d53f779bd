/** What tools need of the conversation that they are called in. */
import type { Handoff } from "../handoff.ts";
import type { TaskOver } from "../task.ts";
import type { VoiceSession } from "../voice_session.ts";
import type { ToolResult } from "./result.ts";

/** What is asked before a call that the user must agree to. */
export interface ConfirmRequest {
  readonly callId: string;
  readonly name: string;
  readonly description: string;
  /** As the tool will get them. */
  readonly arguments: unknown;
  /** What the tool's author wants to be asked; otherwise it is made from the rest. */
  readonly question?: string;
}

/** What calls need of the conversation that they are made in. */
export interface ToolHost<UserData = unknown> {
  readonly session: VoiceSession;
  readonly userdata: UserData;
  /** Says `text` while the user waits for the answer that the call is made for; `call`: whose progress it is. */
  say(text: string, call: Pick<ToolResult, "callId" | "name">): void;
  /** Lets that answer be said to its end. */
  disallowInterruptions(): void;
  /** Asks the user; whether they agreed. `signal` aborts when nobody waits for that any more. */
  confirm(request: ConfirmRequest, options: { readonly signal: AbortSignal }): Promise<boolean>;
  /**
   * Somebody else goes on with the conversation, once the other calls of the step have their results; returns what the
   * models are told of that. Throws an Error in words when it cannot be.
   */
  handOff(callId: string, next: Handoff | TaskOver): string;
  /** The tool holds a conversation of its own: the answer ends with the step, and the result is told when it is there. */
  detach(callId: string): void;
  /** Whether somebody else goes on with the conversation: the answer ends with the step. */
  readonly isOver: boolean;
}
