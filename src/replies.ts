/** The agent's replies: one that is being said, one that may be prepared, and what waits in line. */
import type { Clock } from "./clock.ts";
import type { ReplyLatency } from "./events.ts";
import { type Reply, type ReplyResult, startReply } from "./reply.ts";
import type { Room } from "./room/room.ts";
import type { TextToSpeech } from "./tts/tts.ts";

/** The user's turn that a reply answers. */
export interface CommittedTurn {
  readonly turnId: string;
  /** Last voiced sample → commit, and → final transcript; milliseconds. */
  readonly waited: { readonly endpointingMs: number; readonly sttMs?: number };
}

/** Something to say. */
export interface Job {
  readonly id: string;
  readonly words: (signal: AbortSignal) => ReadableStream<string>;
  /** Missing when it answers no turn; "none yet" while it is only prepared, and nobody is told of it. */
  answers?: CommittedTurn | "none yet";
  /** It stands in for a reply that failed: when it fails too, nothing stands in for it. */
  readonly recovery: boolean;
  readonly settle: (result: { readonly text: string; readonly interrupted: boolean }) => void;
}

export interface RepliesOptions {
  readonly room: Room;
  readonly tts: TextToSpeech;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told when the first sample of a reply is played. */
  readonly onStart: (job: Job, latency: ReplyLatency) => void;
  /** Told when a reply has ended; `startedMs`: when it began to be heard, if it was. */
  readonly onEnd: (job: Job, result: ReplyResult, startedMs: number | undefined) => void;
}

export const unheard = { text: "", interrupted: true } as const;

export class Replies {
  readonly #options: RepliesOptions;
  readonly #waiting: Job[] = [];
  readonly #running = new Set<Promise<void>>();
  #current: Reply | undefined;
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

  /** Says `job`, or what was prepared of it. */
  start(job: Job): void {
    const prepared = this.#prepared?.job === job ? this.#prepared.reply : undefined;
    this.#prepared = undefined;
    this.#current = prepared ?? this.#begin(job);
    this.#current.resume();
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

  dropPrepared(): void {
    this.#prepared?.reply.abort();
    this.#prepared = undefined;
  }

  pause(): void {
    this.#current?.pause();
  }

  resume(): void {
    this.#current?.resume();
  }

  /** Puts `job` in line. */
  wait(job: Job): void {
    this.#waiting.push(job);
  }

  /** The first in line, which leaves it. */
  next(): Job | undefined {
    return this.#waiting.shift();
  }

  /** Cuts off what is being said, and all that waits. */
  interrupt(): void {
    this.dropWaiting();
    this.#current?.abort();
    this.#current = undefined;
  }

  dropWaiting(): void {
    for (const job of this.#waiting.splice(0)) job.settle(unheard);
  }

  #begin(job: Job, { held = false } = {}): Reply {
    const { clock, tts, room, signal, onStart, onEnd } = this.#options;
    let startedMs: number | undefined;
    let segment: ReturnType<Room["transcripts"]["agent"]> | undefined;
    const reply = startReply({
      id: job.id,
      words: job.words,
      tts,
      speaker: room.speaker,
      speakerFree: this.#speakerFree,
      clock,
      signal,
      held,
      onStart: (latency) => {
        startedMs = clock.now();
        onStart(job, latency);
      },
      onText: (text) => {
        segment ??= room.transcripts.agent(job.id);
        segment.write(text);
      },
    });
    this.#speakerFree = reply.done;
    const ended = reply.done.then((result) => {
      segment?.close();
      if (this.#prepared?.job === job) this.#prepared = undefined; // it failed too early to be told of
      if (this.#current === reply) this.#current = undefined;
      if (job.answers !== "none yet") onEnd(job, result, startedMs);
      this.#running.delete(ended);
    });
    this.#running.add(ended);
    return reply;
  }
}
