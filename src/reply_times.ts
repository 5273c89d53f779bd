/** When what happened in a reply: what its latency is told from, and when it has got no further for too long. */
import type { Clock } from "./clock.ts";
import { type Stage, StageError } from "./errors.ts";
import type { ReplyLatency } from "./events.ts";
import type { SilenceCauses } from "./silences.ts";

/** How long a reply may go without any progress before it counts as failed, and how long silent; milliseconds. */
const patienceMs = { firstToken: 8_000, sound: 10_000, otherwise: 5_000 };
/** Audio that comes this long after the piece before it was waited for. */
const lateMs = 300;

export interface ReplyTimesOptions {
  /** When something was last done for the reply other than making words: now, while it is. Clock milliseconds. */
  readonly workedMs: () => number;
  /** Who makes the words. */
  readonly author: Extract<Stage, "llm" | "agent">;
  /** It is kept back from the beginning. */
  readonly held: boolean;
  readonly clock: Clock;
}

/** Told of each thing as it happens. */
export interface ReplyTimes {
  tokenCame(): void;
  /** `isSpoken`: the voice is given it, and owes its sound. */
  clauseCame(clause: { readonly isSpoken: boolean }): void;
  /** The voice brings something: audio, or word times alone. */
  voiceCame(what: { readonly isAudio: boolean }): void;
  /** Some of it was heard. */
  soundPlayed(): void;
  /** Its first sample was played at that time (clock milliseconds); where the time went until then. */
  began(atMs: number): ReplyLatency;
  pause(): void;
  resume(): void;
  /** Whether it is kept back. */
  readonly paused: boolean;
  /** Whether a word of it has come. */
  readonly hasToken: boolean;
  /** When its first sample was played (clock milliseconds). */
  readonly startedMs: number | undefined;
  /** When it last got any further; now, while it is kept back. */
  readonly progressMs: number;
  /** What a silence in it may be due to. */
  readonly silenceCauses: SilenceCauses;
  /** When it counts as stalled, unless it gets further: whichever stage it waits for. */
  dueMs(): number;
  /** How long it has been stalled (milliseconds), and whose fault that is. */
  stall(): { readonly stalledMs: number; readonly error: StageError };
}

/** The times of one reply, which begins now. */
export function createReplyTimes({ workedMs, author, held, clock }: ReplyTimesOptions): ReplyTimes {
  const beganMs = clock.now();
  let paused = held;
  /** What a held reply had ready by then has taken no time. */
  let releasedMs = beganMs;
  const firstMs: { token?: number; clause?: number; audio?: number; played?: number } = {};
  const lastMs = { clause: beganMs, audio: beganMs, heard: beganMs };
  let lastProgressMs = beganMs;
  /** The voice was given words, and has brought nothing since. */
  let owesSound = false;
  const holds: { fromMs: number; toMs: number }[] = [];
  let late: SilenceCauses["late"];

  const progress = () => lastProgressMs = clock.now();
  const progressMs = () => paused ? clock.now() : Math.max(lastProgressMs, workedMs());
  const silentSinceMs = () => Math.max(releasedMs, workedMs(), lastMs.heard);

  return {
    tokenCame() {
      const nowMs = progress();
      firstMs.token ??= nowMs;
    },
    clauseCame({ isSpoken }) {
      lastMs.clause = progress();
      owesSound ||= isSpoken;
      firstMs.clause ??= lastMs.clause;
    },
    voiceCame({ isAudio }) {
      const nowMs = progress();
      owesSound = false;
      if (!isAudio) return;
      firstMs.audio ??= nowMs;
      // Audio is taken in as it is played: a wait for it is one of the voice's, or of the words before it.
      if (nowMs - lastMs.audio > lateMs) late = { atMs: nowMs, clauseMs: lastMs.clause };
      lastMs.audio = nowMs;
    },
    soundPlayed() {
      lastMs.heard = progress();
    },
    began(atMs) {
      firstMs.played = atMs;
      const since = (ms = releasedMs) => Math.max(ms, releasedMs) - releasedMs;
      const token = since(firstMs.token);
      const clause = Math.max(token, since(firstMs.clause));
      const audio = Math.max(clause, since(firstMs.audio));
      const played = since(atMs);
      return {
        llmMs: token,
        clauseMs: clause - token,
        ttsMs: audio - clause,
        playoutMs: played - audio,
        totalMs: played,
      };
    },
    pause() {
      if (!paused) holds.push({ fromMs: clock.now(), toMs: Infinity });
      paused = true;
    },
    resume() {
      const hold = holds.at(-1);
      if (paused && hold) hold.toMs = clock.now();
      if (firstMs.played === undefined) releasedMs = clock.now();
      paused = false;
      lastMs.heard = progress();
    },
    get paused() {
      return paused;
    },
    get hasToken() {
      return firstMs.token !== undefined;
    },
    get startedMs() {
      return firstMs.played;
    },
    get progressMs() {
      return progressMs();
    },
    get silenceCauses() {
      return { holds, late };
    },
    dueMs() {
      // After a tool the model begins anew.
      const begins = firstMs.token === undefined || workedMs() >= lastProgressMs;
      const allowedMs = begins ? patienceMs.firstToken : patienceMs.otherwise;
      // A model may crawl along, word by word: silence has an end of its own.
      const soundMs = paused ? Infinity : silentSinceMs() + patienceMs.sound;
      // A voice that owes sound is not excused by a tool that is at work.
      const voiceMs = paused || !owesSound ? Infinity : lastProgressMs + patienceMs.sound;
      return Math.min(progressMs() + allowedMs, soundMs, voiceMs);
    },
    stall() {
      const nowMs = clock.now();
      const silentMs = nowMs - silentSinceMs();
      const isSilent = firstMs.played !== undefined && silentMs >= patienceMs.sound;
      const stalledMs = isSilent
        ? silentMs
        : nowMs - (firstMs.played === undefined ? releasedMs : lastProgressMs);
      const stage = firstMs.clause === undefined || (isSilent && !owesSound) ? author : "tts";
      const what = isSilent ? "no sound" : "no progress";
      const error = new StageError(stage, `${what} for ${Math.round(stalledMs)} ms`, { retryable: true });
      return { stalledMs, error };
    },
  };
}
