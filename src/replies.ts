/** The agent's replies: one that is being said, and one that may be prepared. */
import type { Charge } from "./charge.ts";
import type { Clock } from "./clock.ts";
import type { ReplyLatency, SessionEventOf, SpeechGap } from "./events.ts";
import type { Waiting } from "./line.ts";
import {
  type Reply,
  type ReplyOptions,
  type ReplyProgress,
  type ReplyResult,
  type SentenceEnd,
  startReply,
} from "./reply.ts";
import type { Room } from "./room/room.ts";
import type { SpareSource, SpareVoice } from "./tts/spare.ts";
import type { TextToSpeech } from "./tts/tts.ts";
import type { SpeechPriority, SpeechResult } from "./voice_session.ts";

/** The user's turn that a reply answers. */
export interface CommittedTurn {
  readonly turnId: string;
  /** Last voiced sample → commit, and → final transcript; milliseconds. */
  readonly waited: { readonly endpointingMs: number; readonly sttMs?: number };
  /** Clock milliseconds. */
  readonly committedMs: number;
}

/** Something to say. */
export interface Job extends Waiting, Pick<ReplyOptions, "words" | "author" | "workedMs" | "yields"> {
  readonly id: string;
  readonly priority: SpeechPriority;
  readonly interruptible: boolean;
  readonly addToHistory: boolean;
  /** Missing when it answers no turn; "none yet" while it is only prepared, and nobody is told of it. */
  answers?: CommittedTurn | "none yet";
  /** Its text, where it is the first that is said by who has taken over: see Opening. */
  readonly opens?: string | undefined;
  /** Its words, where they are there already, and are the same whenever they are asked for. */
  readonly text?: string | undefined;
  /** What speaks it, if not the voice of who is in charge. */
  readonly tts?: TextToSpeech | undefined;
  /** It stands in for a reply that failed: when it fails too, nothing stands in for it. */
  readonly recovery: boolean;
  readonly settle: (result: SpeechResult) => void;
  /** Where something was done between its words. */
  readonly breaks?: () => readonly Break[];
  /** What its words took, once they are whole. */
  readonly spent?: () => Spent;
  /** The turn is sure to be over that it was prepared for. */
  readonly commit?: () => void;
}

/** What a model took for a reply: tokens, as far as they were counted, and how often it called tools. */
export type Spent = Pick<SessionEventOf<"turn-metrics">, "tokens" | "steps">;

/** A place in a reply's words, after so many characters, at which something else was done until then (clock milliseconds). */
export interface Break {
  readonly characters: number;
  readonly atMs: number;
}

export interface RepliesOptions {
  readonly room: Room;
  /** Who says what is begun now. */
  readonly charge: Pick<Charge, "current">;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told when the first sample of a reply is played (clock milliseconds), and where the time went until then. */
  readonly onStart: (job: Job, latency: ReplyLatency, playedMs: number) => void;
  /** Told when a reply has ended; `startedMs`: when it began to be heard, if it was. */
  readonly onEnd: (job: Job, result: ReplyResult, startedMs: number | undefined) => void;
  /** Told of a silence inside a reply once it is over. */
  readonly onGap: (job: Job, gap: SpeechGap) => void;
  /** Told what is said piece by piece, when it is heard. */
  readonly onSaid: (text: string) => void;
  /** Told that something else says a job than the agent's voice. */
  readonly onSpare: (job: Job, by: SpareSource) => void;
}

/** What was prepared in vain is let go of so much later, in milliseconds. */
const letGoMs = 20;

export class Replies {
  readonly #options: RepliesOptions;
  readonly #running = new Set<Promise<void>>();
  #current: { readonly job: Job; readonly reply: Reply } | undefined;
  #prepared: { readonly job: Job; readonly reply: Reply } | undefined;
  #speakerFree: Promise<unknown> = Promise.resolve();

  constructor(options: RepliesOptions) {
    this.#options = options;
  }

  /** Whether a reply is on its way or in the air. */
  get busy(): boolean {
    return this.#current !== undefined;
  }

  /** Settles when every reply has ended; after the signal aborted, soon. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Settles when every reply that is under way now has ended. */
  async said(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** What is on its way or in the air. */
  get current(): Job | undefined {
    return this.#current?.job;
  }

  /** How far that is. */
  get progress(): ReplyProgress | undefined {
    return this.#current?.reply.progress;
  }

  /** When what is on its way or in the air last got any further (clock milliseconds). */
  get progressMs(): number | undefined {
    return this.#current?.reply.progressMs;
  }

  /** What is heard within the next `ms` of what is in the air, and was not told yet. */
  upcoming(ms: number): string {
    return this.#current?.reply.upcoming(ms) ?? "";
  }

  /** Says `job`, or what was prepared of it. */
  start(job: Job): void {
    if (this.#prepared?.job !== job) this.dropPrepared();
    const reply = this.#prepared?.reply ?? this.#begin(job);
    this.#prepared = undefined;
    this.#current = { job, reply };
    this.#speakerFree = reply.done;
    reply.resume();
  }

  /** Makes a reply of `job` that is not heard before it is started. */
  prepare(job: Job): void {
    this.dropPrepared();
    this.#prepared = { job, reply: this.#begin(job, { held: true }) };
  }

  /** What was prepared last, unless it has failed. */
  get prepared(): Job | undefined {
    return this.#prepared?.job;
  }

  /** Ends what was prepared, a moment later: letting go of a request is work that the next is not to wait for. */
  dropPrepared(): void {
    const reply = this.#prepared?.reply;
    this.#prepared = undefined;
    if (reply) this.#options.clock.after(letGoMs, () => reply.abort());
  }

  pause(): void {
    this.#current?.reply.pause();
  }

  /** The first sentence of what is in the air that ends in `leadMs` or later; undefined when that is not known. */
  sentence(leadMs: number): SentenceEnd | undefined {
    return this.#current?.reply.sentence(leadMs);
  }

  /** In how many milliseconds that end is heard; undefined when that is not known, or something else is in the air. */
  untilMs({ replyId, end }: SentenceEnd): number | undefined {
    return this.#current?.job.id === replyId ? this.#current.reply.untilMs(end) : undefined;
  }

  /** Keeps back what follows `end` in what is in the air, where it is now. */
  pauseBehind({ end }: SentenceEnd): void {
    this.#current?.reply.pause(end);
  }

  resume(): void {
    this.#current?.reply.resume();
  }

  /** Cuts off what is being said. */
  interrupt(): void {
    this.#current?.reply.abort();
    this.#current = undefined;
  }

  /** Gives up what cannot even be cut off: what comes next waits for it no longer. */
  abandon(): void {
    this.interrupt();
    this.#speakerFree = Promise.resolve();
  }

  #begin(job: Job, { held = false } = {}): Reply {
    const { clock, charge, room, signal, onStart, onEnd, onGap, onSaid, onSpare } = this.#options;
    const { providers: { tts, spare }, spokenForm, pace } = charge.current;
    const spareVoice = job.recovery && spare && saidBySpare(spare, (by) => onSpare(job, by));
    let startedMs: number | undefined;
    let segment: ReturnType<Room["transcripts"]["agent"]> | undefined;
    const reply = startReply({
      id: job.id,
      words: job.words,
      workedMs: job.workedMs,
      author: job.author,
      yields: job.yields,
      tts: job.tts ?? (spareVoice || tts),
      spokenForm,
      pace: spareVoice ? {} : pace,
      speaker: room.speaker,
      speakerFree: this.#speakerFree,
      clock,
      signal,
      held,
      onStart: (latency, playedMs) => {
        startedMs = playedMs;
        onStart(job, latency, playedMs);
      },
      onText: (text) => {
        onSaid(text);
        segment ??= room.transcripts.agent(job.id);
        segment.write(text);
      },
      onGap: (gap) => onGap(job, gap),
    });
    const ended = reply.done.then((result) => {
      segment?.close();
      if (this.#prepared?.job === job) this.#prepared = undefined; // it failed too early to be told of
      if (this.#current?.reply === reply) this.#current = undefined;
      if (job.answers !== "none yet") onEnd(job, result, startedMs);
      this.#running.delete(ended);
    });
    this.#running.add(ended);
    return reply;
  }
}

function saidBySpare(spare: SpareVoice, onSource: (by: SpareSource) => void): TextToSpeech {
  return { ...spare, synthesize: (text, options) => spare.synthesize(text, { ...options, onSource }) };
}
