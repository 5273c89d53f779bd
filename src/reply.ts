/** One reply of the agent's: from its first word to the last sample that was heard of it. */
import { abortable } from "./abort.ts";
import { durationMs } from "./audio/frame.ts";
import type { Clock } from "./clock.ts";
import { asStageError, StageError } from "./errors.ts";
import type { ReplyLatency } from "./events.ts";
import { speak } from "./pipeline.ts";
import type { Playout, Speaker } from "./room/room.ts";
import type { Clause } from "./text/clauses.ts";
import { heardText } from "./text/heard.ts";
import type { SpeechEvent, TextToSpeech, WordTime } from "./tts/tts.ts";

/** How long a reply may go without any progress before it counts as failed, in milliseconds. */
const patienceMs = { firstToken: 8_000, otherwise: 5_000 };
/** How often progress is looked for. */
const lookEveryMs = 500;

export interface ReplyOptions {
  readonly id: string;
  /** The reply's words as they are made; called once. When they fail, what there is of them is spoken. */
  readonly words: (signal: AbortSignal) => ReadableStream<string>;
  readonly tts: TextToSpeech;
  readonly speaker: Speaker;
  /** Settles when the reply before has left the speaker. */
  readonly speakerFree: Promise<unknown>;
  readonly clock: Clock;
  /** Aborting it cuts the reply off. */
  readonly signal: AbortSignal;
  /** Made, but not heard before `resume()`. */
  readonly held?: boolean;
  /** Told when the first sample is played, and where the time went until then. */
  readonly onStart: (latency: ReplyLatency) => void;
  /** Told the reply's text as it is spoken, from the first sample on. */
  readonly onText: (text: string) => void;
}

export interface ReplyResult {
  /** What was heard of the reply. */
  readonly text: string;
  readonly interrupted: boolean;
  readonly error?: StageError;
}

export interface Reply {
  readonly id: string;
  /** Keeps the reply back, before or after it began to be heard. */
  pause(): void;
  resume(): void;
  /** Cuts the reply off: nothing of it is played from now on. */
  abort(): void;
  /** Settles when everything the reply started has ended; never rejects. */
  readonly done: Promise<ReplyResult>;
}

/** Begins a reply at once; it is heard as soon as the speaker is free. */
export function startReply(
  { id, words, tts, speaker, clock, onStart, onText, ...options }: ReplyOptions,
): Reply {
  const cut = new AbortController();
  const signal = AbortSignal.any([options.signal, cut.signal]);
  const clauses: Clause[] = [];
  const marks: { characters: number; audioMs: number }[] = [];
  const wordTimes: WordTime[] = [];
  let audioMs = 0;
  let playout: Playout | undefined;
  let paused = options.held ?? false;
  let failure: StageError | undefined;

  const beganMs = clock.now();
  /** What a held reply had ready by then has taken no time. */
  let releasedMs = beganMs;
  const firstMs: { token?: number; clause?: number; audio?: number; played?: number } = {};
  let progressMs = beganMs;
  let playedMs = 0;

  /** Whichever stage it waits for, a reply that gets no further is ended. */
  const look = () => {
    if (paused || (playout && playout.playedMs > playedMs)) progressMs = clock.now();
    playedMs = playout?.playedMs ?? 0;
    const allowedMs = firstMs.token === undefined ? patienceMs.firstToken : patienceMs.otherwise;
    if (clock.now() - progressMs < allowedMs) return watch = clock.after(lookEveryMs, look);
    const stage = firstMs.clause === undefined ? "llm" : "tts";
    failure = new StageError(stage, `no progress for ${allowedMs} ms`, { retryable: true });
    cut.abort(failure);
  };
  let watch = clock.after(lookEveryMs, look);

  async function* spokenWords(): AsyncGenerator<string> {
    try {
      for await (const word of source) {
        progressMs = clock.now();
        firstMs.token ??= progressMs;
        yield word;
      }
    } catch (error) {
      if (signal.aborted) return;
      failure ??= asStageError("llm", error);
      if (firstMs.token === undefined) cut.abort(failure); // there is nothing to speak
    }
  }

  const onClause = (clause: Clause) => {
    progressMs = clock.now();
    firstMs.clause ??= progressMs;
    clauses.push(clause);
    if (firstMs.played !== undefined) onText(clause.text);
  };

  const onSpeech = (event: SpeechEvent) => {
    progressMs = clock.now();
    if (event.type === "words") wordTimes.push(...event.words);
    else if (event.type === "mark") marks.push({ characters: event.characters, audioMs });
    else {
      firstMs.audio ??= progressMs;
      audioMs += durationMs(event.frame);
    }
  };

  const onPlay = (atMs: number) => {
    firstMs.played = atMs;
    const since = (ms = releasedMs) => Math.max(ms, releasedMs) - releasedMs;
    const token = since(firstMs.token);
    const clause = Math.max(token, since(firstMs.clause));
    const audio = Math.max(clause, since(firstMs.audio));
    const played = since(atMs);
    onStart({
      llmMs: token,
      clauseMs: clause - token,
      ttsMs: audio - clause,
      playoutMs: played - audio,
      totalMs: played,
    });
    for (const { text } of clauses) onText(text);
  };

  const source = words(signal);
  const run = async (): Promise<ReplyResult> => {
    let complete = false;
    try {
      await abortable(options.speakerFree, signal);
      playout = speaker.open({ signal });
      if (paused) playout.pause();
      playout.started.then(onPlay);
      const spoken = speak(ReadableStream.from(spokenWords()), { tts, playout, onClause, onSpeech, signal });
      await abortable(spoken, signal);
      complete = true;
      if (audioMs === 0 && !signal.aborted) {
        failure ??= new StageError("llm", "the answer has nothing to say");
      }
    } catch (error) {
      if (!signal.aborted) failure ??= asStageError("tts", error);
    }
    watch[Symbol.dispose]();
    cut.abort(); // Whatever is still under way of this reply ends here, also when only the voice failed.
    const end = await playout?.done;
    const text = heardText({
      clauses,
      marks,
      words: wordTimes,
      audioMs,
      complete,
      playedMs: end?.playedMs ?? 0,
    });
    return { text, interrupted: end?.interrupted ?? true, ...(failure ? { error: failure } : {}) };
  };

  return {
    id,
    done: run(),
    pause() {
      paused = true;
      playout?.pause();
    },
    resume() {
      if (firstMs.played === undefined) releasedMs = clock.now();
      paused = false;
      progressMs = clock.now();
      playout?.resume();
    },
    abort: () => cut.abort(),
  };
}
