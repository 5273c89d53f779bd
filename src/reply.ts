/** One reply of the agent's: from its first word to the last sample that was heard of it. */
import { abortable, untilAborted } from "./abort.ts";
import { createCaptions } from "./captions.ts";
import type { Clock } from "./clock.ts";
import { asStageError, type Stage, StageError } from "./errors.ts";
import type { ReplyLatency, SpeechGap } from "./events.ts";
import { speak } from "./pipeline.ts";
import { createReplyText, type Pace } from "./reply_text.ts";
import { createReplyTimes } from "./reply_times.ts";
import type { Playout, Speaker } from "./room/room.ts";
import { gapOf, silenceFinder } from "./silences.ts";
import type { Clause } from "./text/clauses.ts";
import { sentenceAt } from "./text/sentences.ts";
import type { SpokenForm } from "./text/spoken_form.ts";
import type { SpeechEvent, TextToSpeech } from "./tts/tts.ts";
import { watchdog } from "./watchdog.ts";

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
  const text = createReplyText(pace);
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
        text.write(word);
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
    text.give(clause);
  };

  const onSpeech = (event: SpeechEvent) => {
    times.voiceCame({ isAudio: event.type === "audio" });
    text.take(event);
  };

  const untilMs = (end: number): number | undefined =>
    times.startedMs === undefined ? undefined : text.untilMs(end, playout?.playedMs ?? 0);

  const findSilence = silenceFinder();
  const look = () => {
    const playedMs = playout?.playedMs ?? 0;
    if (playedMs > lastPlayedMs) times.soundPlayed();
    lastPlayedMs = playedMs;
    const silence = findSilence(clock.now(), playedMs);
    if (silence) onGap(gapOf(silence, times.silenceCauses));
    return text.heard(playedMs, false);
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
      if (text.audioMs === 0 && !signal.aborted && author === "llm" && !yields?.()) {
        failure ??= new StageError("llm", "the answer has nothing to say");
      }
    } catch (error) {
      if (!signal.aborted) failure ??= asStageError("tts", error);
    }
    watch[Symbol.dispose]();
    cut.abort(); // Whatever is still under way of this reply ends here, also when only the voice failed.
    const end = await playout?.done;
    heardMs.resolve(end?.playedMs ?? 0);
    const heard = captions.end(text.audioMs === 0 ? "" : text.heard(end?.playedMs ?? 0, complete));
    text.learnPace();
    return {
      text: heard,
      interrupted: end?.interrupted ?? true,
      ...(failure ? { error: failure } : {}),
      ...(stalledMs === undefined ? {} : { stalledMs }),
      voiced: { characters: text.characters, audioMs: text.audioMs },
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
      const heard = text.heard((playout?.playedMs ?? 0) + ms, false);
      return heard.startsWith(captions.shown) ? heard.slice(captions.shown.length) : "";
    },
    get progress() {
      return {
        text: text.written,
        whole: isWhole,
        heard: times.startedMs === undefined ? "" : text.heard(playout?.playedMs ?? 0, false),
        startedMs: times.startedMs,
      };
    },
    sentence(leadMs) {
      if (!isWhole) return undefined;
      const { written } = text;
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
      text.holdAt(end);
      times.pause();
      playout?.pause();
    },
    resume() {
      text.holdAt(undefined);
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
