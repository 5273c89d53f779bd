/** What the agent is to say other than its answers: it waits in line, and can be taken out of it. */
import type { Answers, Asked } from "./answers.ts";
import type { Charge } from "./charge.ts";
import type { Clock } from "./clock.ts";
import { asStageError, type StageError } from "./errors.ts";
import type { MadeSpeech } from "./greeting.ts";
import type { History } from "./history.ts";
import type { OwnCalls, Prompts } from "./history/prompts.ts";
import { createLine, unheard } from "./line.ts";
import { type Opening, openingOf } from "./opening.ts";
import type { Job, Replies } from "./replies.ts";
import { clauses } from "./text/clauses.ts";
import type { GenerateReplyOptions, SayOptions, SpeechHandle, SpeechResult } from "./voice_session.ts";

const defaultApology = "Sorry, something went wrong on my side. Could you say that again?";

export interface SpeechOptions {
  readonly charge: Pick<Charge, "current">;
  readonly answers: Answers;
  readonly history: History;
  readonly prompts: Prompts;
  readonly replies: Replies;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How long a job waits before it may be said, in milliseconds: Infinity until something happens. */
  readonly freeInMs: (job: Job) => number;
  /** How often something was to be said before, in another process (default: never). */
  readonly saidBefore?: number | undefined;
  /** Told that the apology could not be kept. */
  readonly onError: (error: StageError) => void;
  /** Something waits: `startNext()` is to be called when it may be said. */
  readonly goOn: () => void;
  /** Told what is being said from now on. */
  readonly onBegin: (job: Job) => void;
  /** Cuts off what is being said. */
  readonly cut: () => void;
}

/** A text that waits to be said, and how. */
export type WaitingText = { readonly text: string } & Readonly<Required<SayOptions>>;

export class Speech {
  readonly #options: SpeechOptions;
  readonly #line = createLine<Job>();
  /** Whether there is somebody who can hear the agent, or is about to; "nobody": there will not be. */
  #listener: "awaited" | "coming" | "there" | "nobody" = "awaited";
  #timer: Disposable | undefined;
  #said: number;
  #takeovers = 0;

  constructor(options: SpeechOptions) {
    this.#options = options;
    this.#said = options.saidBefore ?? 0;
    options.signal.addEventListener("abort", () => {
      this.#timer?.[Symbol.dispose]();
      this.drop();
    }, { once: true });
  }

  /** Whether something waits that can be said by now. */
  get waits(): boolean {
    return this.#line.first !== undefined;
  }

  /** The texts that wait, in their order. */
  get texts(): readonly WaitingText[] {
    return textsOf(this.#line.waiting);
  }

  /** Whether nothing waits but texts. */
  get hasOnlyTexts(): boolean {
    return this.texts.length === this.#line.waiting.length;
  }

  /** How often something was to be said by now. */
  get asked(): number {
    return this.#said;
  }

  /** Until it is disposed, what is asked for opens for who has taken over. */
  takenOver(): Disposable {
    this.#takeovers++;
    return { [Symbol.dispose]: () => void this.#takeovers-- };
  }

  /** What opens for who has taken over, while it waits for the user. */
  opening(): Opening | undefined {
    return openingOf(this.#line.waiting, { take: (job) => void this.#line.take(job) });
  }

  /** Somebody is there, and is about to hear: what is said first is made meanwhile. */
  expect(): void {
    if (this.#listener === "awaited") this.#listener = "coming";
  }

  /** There is somebody who can hear what waits. */
  admit(): void {
    this.#listener = "there";
  }

  /** What waits for somebody to hear it is not said, nor is what else comes, unless there is somebody. */
  giveUpWaiting(): void {
    if (this.#listener === "there") return;
    this.#listener = "nobody";
    this.drop();
  }

  /** See VoiceSession. */
  say(text: string | ReadableStream<string>, options: SayOptions = {}): SpeechHandle {
    if (typeof text !== "string" && text.locked) {
      throw new TypeError("say(): the stream is being read already; expected one that nobody reads");
    }
    const discard = () => {
      if (typeof text !== "string") text.cancel().catch(() => {}); // it has failed by itself: nothing to let go of
    };
    const { interruptible = true, addToHistory = true } = options;
    const opens = this.#takeovers > 0 && typeof text === "string" && text !== "" && interruptible &&
      addToHistory;
    const made = {
      id: this.#newId("say"),
      words: wordsOf(text),
      author: "agent",
      ...(typeof text === "string" && { text }),
    } as const;
    return this.#enqueue({ ...made, ...(opens && { opens: text }) }, options, discard);
  }

  /** The same with a text that may be being made already, or is the end of what a model has said. */
  sayText(
    text: string,
    { made, author = "agent", ...options }: SayOptions & {
      readonly made?: MadeSpeech | undefined;
      readonly author?: Job["author"];
    } = {},
  ): SpeechHandle {
    const id = this.#newId("say");
    return this.#enqueue({ id, words: wordsOf(text), author, text, tts: made?.tts }, options);
  }

  /** See VoiceSession; `turnId`: see Asked. */
  generateReply(
    { instructions, userInput, toolChoice, turnId, ...options }:
      & GenerateReplyOptions
      & Pick<Asked, "turnId"> = {},
  ): SpeechHandle {
    const { answers, history, prompts } = this.#options;
    const messages = (own?: OwnCalls) => {
      if (userInput && !own) history.add({ role: "user", text: userInput, interrupted: false });
      const messages = prompts.messages([], own);
      if (instructions) messages.push({ role: "system", content: instructions });
      return messages;
    };
    const id = this.#newId("reply");
    return this.#enqueue(
      { id, ...answers.make({ id, turnId, messages, toolChoice }), author: "llm" },
      options,
    );
  }

  /** Says that something failed; when that fails too, nothing more is said of it. */
  apologize(
    text = this.#options.charge.current.agent.apology ?? defaultApology,
    { made, ...options }: Pick<SayOptions, "interruptible"> & { readonly made?: MadeSpeech | undefined } = {},
  ): void {
    const job = {
      id: this.#newId("apology"),
      words: wordsOf(text),
      author: "agent",
      tts: made?.tts,
      recovery: true,
    } as const;
    this.#enqueue(job, { priority: "high", ...options });
  }

  /** Keeps the apology as sound, for when the voice cannot say it. */
  async keepApology(): Promise<void> {
    const { charge: { current: { agent, spokenForm, providers: { spare } } }, signal, onError } =
      this.#options;
    if (!spare || signal.aborted) return;
    const text = wordsOf(agent.apology ?? defaultApology)(signal).pipeThrough(clauses()).pipeThrough(
      spokenForm(),
    );
    try {
      const spoken = (await Array.fromAsync(text)).map(({ spoken }) => spoken).filter(Boolean);
      await spare.prepare(spoken, { signal });
    } catch (error) {
      if (!signal.aborted) onError(asStageError("tts", error));
    }
  }

  /** Takes what waits out of the line, unheard: all, or what `which` says. */
  drop(which?: (job: Job) => boolean): void {
    const { replies } = this.#options;
    const opening = this.opening()?.text;
    const made = this.#line.waiting.find((job) => job === replies.prepared);
    this.#line.drop(which);
    const isDropped = made !== undefined && !this.#line.waiting.includes(made);
    // It begins with what is not said, or is that itself.
    if (isDropped || opening !== this.opening()?.text) replies.dropPrepared();
  }

  /** Begins what waits, if it may be said by now; else looks again when it may. */
  startNext(): void {
    const { clock, replies, freeInMs, onBegin } = this.#options;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    const job = this.#line.first;
    if (!job) return;
    if (this.#listener === "coming" && job.text !== undefined && replies.prepared !== job) {
      return replies.prepare(job);
    }
    if (this.#listener !== "there") return;
    const ms = freeInMs(job);
    if (ms > 0) {
      if (ms !== Infinity) this.#timer = clock.after(ms, this.#options.goOn);
      return;
    }
    this.#line.take(job);
    replies.start(job);
    onBegin(job);
  }

  #newId(kind: string): string {
    return `${kind}-${++this.#said}`;
  }

  #enqueue(
    made:
      & Pick<
        Job,
        "id" | "words" | "author" | "workedMs" | "breaks" | "yields" | "spent" | "opens" | "text" | "tts"
      >
      & {
        readonly recovery?: true;
      },
    { interruptible = true, addToHistory = true, priority = "normal" }: SayOptions,
    discard = () => {},
  ): SpeechHandle {
    const { signal, replies, goOn, cut } = this.#options;
    const { promise: done, resolve } = Promise.withResolvers<SpeechResult>();
    const settle = (result: SpeechResult) => {
      if (result === unheard) discard();
      resolve(result);
    };
    const job: Job = { recovery: false, ...made, interruptible, addToHistory, priority, settle };
    if (signal.aborted || this.#listener === "nobody") settle(unheard);
    else {
      this.#line.add(job);
      if (job.opens !== undefined) replies.dropPrepared(); // it is to begin with it
      if (priority === "immediate" && replies.busy) cut();
      goOn();
    }
    return {
      replyId: job.id,
      done,
      interrupt: () => {
        if (this.#line.waiting.includes(job)) this.drop((waiting) => waiting === job);
        else if (replies.current === job) cut();
      },
      then: (onSettled, onRejected) => done.then(onSettled, onRejected),
    };
  }
}

const textsOf = (jobs: readonly Job[]): WaitingText[] =>
  jobs.flatMap(({ text, interruptible, addToHistory, priority }) =>
    text === undefined ? [] : [{ text, interruptible, addToHistory, priority }]
  );

/** The words of `text` as a reply takes them: a stream is let go of as soon as `signal` aborts. */
export function wordsOf(
  text: string | ReadableStream<string>,
): (signal: AbortSignal) => ReadableStream<string> {
  if (typeof text === "string") return () => ReadableStream.from(text === "" ? [] : [text]);
  return () => text;
}
