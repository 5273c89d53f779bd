/** One reply of the agent's: from its first word to the last sample that was heard of it. */
import { abortable, untilAborted } from "./abort.ts";
import { durationMs } from "./audio/frame.ts";
import { createCaptions } from "./captions.ts";
import type { Clock } from "./clock.ts";
import { asStageError, type Stage, StageError } from "./errors.ts";
import type { ReplyLatency, SpeechGap } from "./events.ts";
import { speak } from "./pipeline.ts";
import { createReplyTimes } from "./reply_times.ts";
import type { Playout, Speaker } from "./room/room.ts";
import { createSentenceEnds } from "./sentence_ends.ts";
import { gapOf, silenceFinder } from "./silences.ts";
import type { Clause } from "./text/clauses.ts";
import { heardText, usualSpeed } from "./text/heard.ts";
import { sentenceAt } from "./text/sentences.ts";
import type { SpokenForm } from "./text/spoken_form.ts";
import type { SpeechEvent, TextToSpeech, WordTime } from "./tts/tts.ts";
import { watchdog } from "./watchdog.ts";

/** A voice's speed is taken from this much of it, at least. */
const learnedFromMs = 1_000;

/** What the voice has not delivered yet is heard so much after what it has, at least. */
const unplayedMs = 100;

/** How fast a voice speaks, as far as its replies have shown: what tells which words are heard before it says so. */
export interface Pace {
  charactersPerMs?: number;
}

export interface ReplyOptions {
  readonly id: string;
  /** The reply's words as they are made; called once. When they fail, what there is of them is spoken. */
  readonly words: (signal: AbortSignal) => ReadableStream<string>;
  /** When something was last done for the reply other than making words: now, while it is. Clock milliseconds. */
  readonly workedMs?: (() => number) | undefined;
  /** Who makes the words: a model, which owes some, or the agent's own code. */
  readonly author: Extract<Stage, "llm" | "agent">;
  /** Whether somebody else goes on in its place: then it owes no words. */
  readonly yields?: (() => boolean) | undefined;
  readonly tts: TextToSpeech;
  /** What of the words is read aloud, and how. */
  readonly spokenForm: SpokenForm;
  readonly pace: Pace;
  readonly speaker: Speaker;
  /** Settles when the reply before has left the speaker. */
  readonly speakerFree: Promise<unknown>;
  readonly clock: Clock;
  /** Aborting it cuts the reply off. */
  readonly signal: AbortSignal;
  /** Made, but not heard before `resume()`. */
  readonly held?: boolean;
  /** Told when the first sample is played (clock milliseconds), and where the time went until then. */
  readonly onStart: (latency: ReplyLatency, playedMs: number) => void;
  /** Told the reply's text piece by piece as it is heard; all pieces together are the result's text. */
  readonly onText: (text: string) => void;
  /** Told of a silence inside the reply once it is over. */
  readonly onGap: (gap: SpeechGap) => void;
}

export interface ReplyResult {
  /** What was heard of the reply. */
  readonly text: string;
  readonly interrupted: boolean;
  readonly error?: StageError;
  /** It was ended because it got no further for this long, in milliseconds. */
  readonly stalledMs?: number;
  /** Characters that were sent to the voice, and milliseconds of audio that came, heard or not. */
  readonly voiced: { readonly characters: number; readonly audioMs: number };
}

/** A reply by now: its text as far as it is made, to its end (`whole`) or not, and as far as it was heard. */
export interface ReplyProgress {
  readonly text: string;
  readonly whole: boolean;
  readonly heard: string;
  /** When its first sample was played (clock milliseconds). */
  readonly startedMs: number | undefined;
}

/** Where a sentence ends that is being said, or is to be. */
export interface SentenceEnd {
  readonly replyId: string;
  /** In characters of the reply's text. */
  readonly end: number;
}

export interface Reply {
  readonly id: string;
  /** When it last got any further; now, while it is kept back. */
  readonly progressMs: number;
  /** What is heard of it within the next `ms`, and was not told yet. */
  upcoming(ms: number): string;
  /** How far it is. */
  readonly progress: ReplyProgress;
  /** The first sentence that ends in `leadMs` or later, and is not the last; undefined when that is not known. */
  sentence(leadMs: number): SentenceEnd | undefined;
  /**
   * In how many milliseconds the first `end` characters were heard, at a pause behind them; estimated while their audio is
   * not there. Undefined before anything is heard.
   */
  untilMs(end: number): number | undefined;
  /** Keeps the reply back, before or after it began to be heard; `end`: it is known that it was heard up to there. */
  pause(end?: number): void;
  resume(): void;
  /** Cuts the reply off: nothing of it is played from now on. */
  abort(): void;
  /** Settles when everything the reply started has ended; never rejects. */
  readonly done: Promise<ReplyResult>;
}

/** Begins a reply at once; it is heard as soon as the speaker is free. */
export function startReply(
  {
    id,
    words,
    workedMs = () => -Infinity,
    author,
    yields,
    tts,
    spokenForm,
    pace,
    speaker,
    clock,
    ...options
  }: ReplyOptions,
): Reply {
  const { onStart, onText, onGap } = options;
  const cut = new AbortController();
  const signal = AbortSignal.any([options.signal, cut.signal]);
  let written = "";
  const clauses: Clause[] = [];
  const marks: { characters: number; audioMs: number }[] = [];
  const wordTimes: WordTime[] = [];
  let audioMs = 0;
  /** Where it was kept back, in characters of what is written. */
  let heldAt: number | undefined;
  let playout: Playout | undefined;
  let failure: StageError | undefined;
  let stalledMs: number | undefined;
  let isWhole = false;
  let lastPlayedMs = 0;

  const times = createReplyTimes({ workedMs, author, held: options.held ?? false, clock });
  const onStall = () => {
    ({ stalledMs, error: failure } = times.stall());
    cut.abort(failure);
  };
  const watch = watchdog({ clock, dueMs: times.dueMs, onStall });

  async function* spokenWords(): AsyncGenerator<string> {
    try {
      for await (const word of source) {
        times.tokenCame();
        written += word;
        yield word;
      }
      isWhole = true;
    } catch (error) {
      if (signal.aborted) return;
      failure ??= asStageError(author, error);
      if (!times.hasToken) cut.abort(failure); // there is nothing to speak
    }
  }

  const onClause = (clause: Clause) => {
    times.clauseCame({ isSpoken: clause.spoken !== "" });
    clauses.push(clause);
  };

  const onSpeech = (event: SpeechEvent) => {
    times.voiceCame({ isAudio: event.type === "audio" });
    if (event.type === "words") wordTimes.push(...event.words);
    else if (event.type === "mark") marks.push({ audioMs, ...event });
    else {
      audioMs += durationMs(event.frame);
      sentenceEnds.take(event.frame);
    }
  };

  const spoken = (playedMs: number, complete: boolean) => ({
    clauses,
    marks,
    words: wordTimes,
    audioMs,
    complete,
    playedMs,
    ...pace,
  });
  const sentenceEnds = createSentenceEnds(() => ({ text: written, ...spoken(0, false) }));
  /** What was heard by now; `complete`: there is no more to come. */
  const heard = (playedMs: number, complete: boolean) =>
    heldAt === undefined ? heardText(spoken(playedMs, complete)) : written.slice(0, heldAt);

  const untilMs = (end: number): number | undefined => {
    if (times.startedMs === undefined) return undefined;
    const playedMs = playout?.playedMs ?? 0;
    const atMs = sentenceEnds.whenMs(end);
    if (atMs !== undefined) return atMs - playedMs;
    const characters = heard(playedMs, false).length;
    const perMs = playedMs >= learnedFromMs ? characters / playedMs : pace.charactersPerMs ?? usualSpeed;
    return Math.max((end - characters) / perMs, audioMs - playedMs + unplayedMs);
  };

  const findSilence = silenceFinder();
  const look = () => {
    const playedMs = playout?.playedMs ?? 0;
    if (playedMs > lastPlayedMs) times.soundPlayed();
    lastPlayedMs = playedMs;
    const silence = findSilence(clock.now(), playedMs);
    if (silence) onGap(gapOf(silence, times.silenceCauses));
    return heard(playedMs, false);
  };
  const captions = createCaptions({ clock, look, onText });

  const onPlay = (atMs: number) => {
    onStart(times.began(atMs), atMs);
    captions.start();
  };

  const heardMs = Promise.withResolvers<number>();
  const source = begin(words, signal);
  const run = async (): Promise<ReplyResult> => {
    let complete = false;
    try {
      await abortable(options.speakerFree, signal);
      playout = speaker.open({ signal });
      if (times.paused) playout.pause();
      playout.started.then(onPlay);
      const said = speak(ReadableStream.from(spokenWords()), {
        tts,
        spokenForm,
        playout,
        heardMs: heardMs.promise,
        onClause,
        onSpeech,
        signal,
      });
      await abortable(said, signal);
      complete = true;
      if (audioMs === 0 && !signal.aborted && author === "llm" && !yields?.()) {
        failure ??= new StageError("llm", "the answer has nothing to say");
      }
    } catch (error) {
      if (!signal.aborted) failure ??= asStageError("tts", error);
    }
    watch[Symbol.dispose]();
    cut.abort(); // Whatever is still under way of this reply ends here, also when only the voice failed.
    const end = await playout?.done;
    heardMs.resolve(end?.playedMs ?? 0);
    const text = captions.end(audioMs === 0 ? "" : heard(end?.playedMs ?? 0, complete));
    learn(pace, marks.at(-1));
    return {
      text,
      interrupted: end?.interrupted ?? true,
      ...(failure ? { error: failure } : {}),
      ...(stalledMs === undefined ? {} : { stalledMs }),
      voiced: { characters: clauses.reduce((sum, { spoken }) => sum + spoken.length, 0), audioMs },
    };
  };

  return {
    id,
    done: run(),
    get progressMs() {
      return times.progressMs;
    },
    upcoming(ms) {
      if (times.startedMs === undefined) return "";
      const text = heard((playout?.playedMs ?? 0) + ms, false);
      return text.startsWith(captions.shown) ? text.slice(captions.shown.length) : "";
    },
    get progress() {
      return {
        text: written,
        whole: isWhole,
        heard: times.startedMs === undefined ? "" : heard(playout?.playedMs ?? 0, false),
        startedMs: times.startedMs,
      };
    },
    sentence(leadMs) {
      if (!isWhole) return undefined;
      const whole = written.trimEnd().length;
      for (let end = 0; (end = sentenceAt(written, end)?.end ?? whole) < whole;) {
        const ms = untilMs(end);
        if (ms === undefined) return undefined;
        if (ms >= leadMs) return { replyId: id, end };
      }
      return undefined;
    },
    untilMs,
    pause(end) {
      heldAt = end;
      times.pause();
      playout?.pause();
    },
    resume() {
      heldAt = undefined;
      times.resume();
      playout?.resume();
    },
    abort: () => cut.abort(),
  };
}

/** The words for as long as the reply lasts, or what was thrown in place of them as the stream's failure. */
function begin(words: ReplyOptions["words"], signal: AbortSignal): ReadableStream<string> {
  try {
    return untilAborted(words(signal), signal);
  } catch (error) {
    return new ReadableStream({ start: (controller) => controller.error(error) });
  }
}

/** Takes a voice's speed from what it has said of a reply. */
function learn(
  pace: Pace,
  mark: { readonly characters: number; readonly audioMs: number } | undefined,
): void {
  if (mark && mark.audioMs >= learnedFromMs) pace.charactersPerMs = mark.characters / mark.audioMs;
}
