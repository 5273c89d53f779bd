/** What a test has of a call, and what it is made with. */
import type { SessionEvent } from "../events.ts";
import type { HistoryItem } from "../history.ts";
import type { LanguageModel } from "../llm/llm.ts";
import type { Log } from "../log.ts";
import type { MemoryRoom, Shown } from "../room/memory.ts";
import type { VirtualClock } from "../virtual_clock.ts";
import type { VoiceSession } from "../voice_session.ts";
import type { Expectations } from "./expect.ts";
import type { Verdict } from "./judge.ts";
import type { Sound } from "./microphone.ts";
import type { ModelScript } from "./script.ts";
import type { ToolMocks } from "./tools.ts";
import type { Voicing } from "./voice.ts";

/** What a call is made with. */
export interface TestCallOptions {
  /**
   * What answers: `scripted([…])`, or what else makes a model on the call's clock; or a model, which takes real time
   * (default: the agent's own, if that is an object).
   */
  readonly llm?: ModelScript | LanguageModel;
  /**
   * What is done in place of the agent's tools and those of its MCP servers, by their names; the agent's others do what they
   * do, and take real time.
   */
  readonly tools?: ToolMocks;
  /** What the dispatch carried (default: nothing). */
  readonly metadata?: string;
  /** In place of what the agent's `userdata()` makes. */
  readonly userdata?: unknown;
  /** "silero": the user's voice is real sound, found by the server's own detector; see `userAudio()`. */
  readonly vad?: "silero";
  /**
   * Who is in the room, where the agent hears everybody (`participants: "all"`): names, which are their identities, too.
   * Each act is that of the first, or of whom its `as` names.
   */
  readonly people?: readonly string[];
  /** What the user shows, as it is at the moment: frames of their camera and their screen (default: nothing). */
  readonly shows?: Shown;
  /** How the agent's replies are voiced, in order; well when they are used up. */
  readonly voicings?: readonly Voicing[];
  /** Whether answers are prepared before it is known that the user has finished (default false): a script then has to say more. */
  readonly speculate?: boolean;
  /** What `judge()` asks (default: `judgeModel()`). */
  readonly judge?: LanguageModel;
  readonly log?: Log;
}

/** How one act of the user goes. */
export interface ActOptions {
  /** How long the act goes on: until everything is answered and said (the default), or until the agent begins to speak. */
  readonly until?: "rest" | "speaking";
  /** Whose it is: one of the call's `people` (default: the first). */
  readonly as?: string;
}

/** A call. No time passes in it but in what is awaited here; each act ends with nothing left to be said. */
export interface TestCall extends AsyncDisposable {
  readonly session: VoiceSession;
  readonly room: MemoryRoom;
  readonly clock: VirtualClock;
  readonly events: readonly SessionEvent[];
  readonly history: readonly HistoryItem[];
  readonly expect: Expectations;
  /** The user writes `text`, which is a turn at once. */
  user(text: string, options?: ActOptions): Promise<void>;
  /** The user says `text`, which takes 300 ms a word unless `durationMs` is given; when the turn is over is for the agent. */
  speak(text: string, options?: ActOptions & { readonly durationMs?: number }): Promise<void>;
  /** The user is heard: real sound, in which the recognizer finds `text` where the detector finds a voice. */
  userAudio(sound: Sound, text: string, options?: ActOptions): Promise<void>;
  /** The user says `text` over the agent, which must be speaking. */
  interrupt(text: string, options?: ActOptions & { readonly durationMs?: number }): Promise<void>;
  /** `ms` pass in which the user says nothing. */
  wait(ms: number): Promise<void>;
  /** Time passes until `work` settles; returns its result. */
  until<T>(work: PromiseLike<T>): Promise<T>;
  /** The user leaves, and the call ends. */
  hangUp(): Promise<void>;
  /**
   * Has a model judge the call so far; fails the test when that is not as `criterion` says. Without a model it prints that
   * it was skipped.
   */
  judge(criterion: string): Promise<Verdict>;
  /**
   * Ends the call, if it goes on, and fails the test for what must not be in any: failures that the test did not expect, a
   * turn without an outcome, a call of a tool without its one result.
   */
  [Symbol.asyncDispose](): Promise<void>;
}
