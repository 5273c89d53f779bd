/** The vocabulary of turn-taking: what is known, what can happen, what is to be done. All times are clock milliseconds. */
import { type Attempts, NO_ATTEMPTS } from "./attempts.ts";
import type { WordsEndTurn } from "./end_of_turn.ts";
import type { Expectation } from "./expectation.ts";
import type { Phrases } from "./phrases.ts";
import { NO_WORDS } from "./words.ts";

/**
 * The user's voice since the last turn was committed. `sinceMs`: where the speech began; `lastVoicedMs`: the end of its
 * last voiced window.
 */
export type UserVoice =
  | { readonly is: "silent" }
  | { readonly is: "speaking"; readonly sinceMs: number }
  /** Silent inside speech, not yet for long enough to have ended it. */
  | { readonly is: "pausing"; readonly sinceMs: number; readonly lastVoicedMs: number }
  | { readonly is: "stopped"; readonly sinceMs: number; readonly lastVoicedMs: number };

/** The agent's voice: the one reply that is on its way or in the air. */
export type AgentVoice =
  | { readonly is: "silent" }
  /** A reply is being made; nothing of it was heard. */
  | {
    readonly is: "thinking";
    readonly replyId: string;
    readonly answers: boolean;
    readonly dismissedMs?: number;
    /** The user's voice does not stop it: it is played out, and the user's words are answered afterwards. */
    readonly uninterruptible?: true;
    /** It asks the user something and waits: what they say is the answer, and no interruption. */
    readonly asks?: true;
  }
  /** The reply is kept back because the user speaks. */
  | { readonly is: "held"; readonly replyId: string; readonly answers: boolean; readonly sinceMs: number }
  /** `dismissedMs`: the speech that began then was found to be no interruption. */
  | {
    readonly is: "speaking";
    readonly replyId: string;
    readonly dismissedMs?: number;
    readonly uninterruptible?: true;
    readonly asks?: true;
  }
  /** The reply is paused because the user seems to interrupt. */
  | { readonly is: "paused"; readonly replyId: string; readonly sinceMs: number };

/** One of several people who talk with the agent. */
export interface Speaker {
  readonly identity: string;
  readonly name: string;
}

/** What was said in one go; `speaker`: by whom, where there are several. */
export interface Said {
  readonly speaker?: Speaker;
  readonly text: string;
}

/** The utterance that a recognizer is at. */
export interface UnderWay {
  readonly speaker?: Speaker;
  readonly interim: string;
  /** Interim words that were committed before their final came: it brings them again. */
  readonly owed: string;
  /** The final before: when it comes twice, and no voice between, it is dropped. */
  readonly lastFinal: string;
}

/** The user's words since the last turn was committed: everybody's, where several people are the user. */
export interface Words {
  /** Of utterances that the recognizer has finished. */
  readonly final: string;
  /** Of the utterances that are under way. */
  readonly interim: string;
  /** When the latest of them arrived. */
  readonly atMs: number;
  /** When the latest final arrived. */
  readonly finalAtMs?: number;
  /** Where that ends in the audio, if it is known. */
  readonly untilMs?: number;
  /** The final ones by who said them, in the order in which they came. */
  readonly said: readonly Said[];
  /** What each recognizer is at, by its speaker's identity. */
  readonly under: Readonly<Record<string, UnderWay>>;
  /** The recognizer has but guessed all of them: a television, several voices, its own echo. */
  readonly guessed?: true;
}

/** What the user does with a key to talk: while it is down, and until the words have come, no silence ends the turn. */
export type TalkKey =
  | { readonly is: "up" }
  | { readonly is: "down" }
  | { readonly is: "released"; readonly atMs: number };

/**
 * What a recognizer says of the end of the turn. "likely": it may still take that back; "silent": it has heard the silence
 * that it takes for one; "judged": the turn is over by what was said, and how.
 */
export type RecognizedEnd = "none" | "likely" | "silent" | "judged";

/** A final that the recognizer was asked for. */
export interface AskedFinal {
  readonly answered: boolean;
  /** Whether the voice was heard since, and whether any words of it were. */
  readonly voice: "none" | "unrecognized" | "recognized";
  /** It was asked for when the voice had but faded. */
  readonly early: boolean;
}

/** An answer that is being prepared: to these words, and the voice that fell silent at `voicedMs`. */
export interface Prepared {
  readonly text: string;
  readonly voicedMs: number;
}

export interface TurnState {
  readonly user: UserVoice;
  readonly words: Words;
  readonly agent: AgentVoice;
  readonly key: TalkKey;
  /** What the recognizer says of the end of the turn, after the latest words. */
  readonly recognizedEnd: RecognizedEnd;
  /** How long the user's pauses within a turn are, on the average of the latest, and how many there were. */
  readonly pauses: { readonly averageMs: number; readonly count: number };
  /** Until when the user's voice was heard that the last commit, or the present pause, came after. */
  readonly voicedUntilMs: number | undefined;
  /** When the last reply ended that could be heard. */
  readonly agentUntilMs: number | undefined;
  /** When words were last heard that were the agent's own, and in how many utterances there were more than a few. */
  readonly echo: { readonly atMs: number; readonly count: number };
  /** Whether the recognizer works, as far as is known. */
  readonly hearing: boolean;
  /** When the voice faded away, though the detector is not sure of it yet. */
  readonly fadedMs: number | undefined;
  /** What the sound says of the pause that began at `atMs`: the probability (0–1) that the turn is over. */
  readonly judged: { readonly atMs: number; readonly probability: number } | undefined;
  /** What an answer is being prepared to, before it is known that the turn is over. */
  readonly prepared: Prepared | undefined;
  readonly preparations: Attempts;
  /** What became of the final that the recognizer was last asked for in this turn. */
  readonly asked: AskedFinal | undefined;
  readonly asks: Attempts;
  /** What the agent has asked for, that is dictated. */
  readonly expected: Expectation | undefined;
  /** The answer to the last turn gave way to more words before anything of it was heard, and they are in no turn yet. */
  readonly gaveWay: boolean;
  /** How many turns were committed; the last one's id is `turn-<turns>`. */
  readonly turns: number;
}

/** What turn-taking reacts to; `atMs` of a mark is where it lies in the audio, `nowMs` when it is known. */
export type TurnEvent =
  & { readonly nowMs: number }
  & (
    | {
      readonly type: "speech-start" | "speech-pause" | "speech-resume" | "speech-end";
      readonly atMs: number;
    }
    /** By its loudness alone, the user's voice has fallen silent, or is there again. */
    | { readonly type: "speech-fade" | "speech-swell" }
    /**
     * `over`: what the agent said meanwhile, as far as it was heard. `end`: what the recognizer says of the end of the turn.
     * `confidence`: how sure it is of the words, 0–1, where it says. `asked`: it is the answer to "ask-final". `untilMs`: where
     * the words of a final end in the audio.
     */
    | {
      readonly type: "transcript-interim" | "transcript-final";
      readonly text: string;
      readonly confidence?: number;
      readonly over?: string;
      readonly end?: Exclude<RecognizedEnd, "none">;
      readonly asked?: boolean;
      readonly untilMs?: number;
      readonly speaker?: Speaker;
    }
    /**
     * The user's key to talk. `turn-start`: pressed, which interrupts; what is said now is a turn. `turn-commit`: let go,
     * the turn is over (it may come without a start). `turn-cancel`: forget what was said.
     */
    | { readonly type: "turn-start" | "turn-commit" | "turn-cancel" }
    /** By its sound, the turn was over with this probability (0–1) when the voice fell silent at `atMs`. */
    | { readonly type: "turn-judged"; readonly atMs: number; readonly probability: number }
    /** The user typed: a whole turn by itself. */
    | { readonly type: "text-message"; readonly text: string; readonly speaker?: Speaker }
    | { readonly type: "hearing-lost" | "hearing-found" }
    /** From now on, this is what the user is asked for, or nothing of the kind. */
    | { readonly type: "expectation-changed"; readonly expected: Expectation | undefined }
    /** A reply that answers no turn (something to say) is being made. */
    | { readonly type: "reply-begun"; readonly replyId: string; readonly uninterruptible?: true }
    /** From now on the user's voice does not stop it. */
    | { readonly type: "reply-kept"; readonly replyId: string }
    /** It asks the user whether to do something; that is over. */
    | { readonly type: "question-asked" | "question-over"; readonly replyId: string }
    /** Its first sample left the speaker. */
    | { readonly type: "reply-started"; readonly replyId: string }
    /** It was played out, cut off or failed. */
    | { readonly type: "reply-ended"; readonly replyId: string }
    /** The agent's own code, or a client, wants silence. */
    | { readonly type: "interrupt" }
    /** The time that the last decision asked to be woken at has come. */
    | { readonly type: "wake" }
  );

/** What the session is to do. */
export type TurnAction =
  /**
   * The user's turn ended: answer it (or not: `declined`) under the id `turnId`. It has no words where the recognizer has taken
   * back those that the answer before gave way to: then what was said before is answered after all.
   */
  | {
    readonly type: "commit-turn";
    readonly turnId: string;
    readonly text: string;
    /** The same words, by who said them. */
    readonly said: readonly Said[];
    readonly declined: boolean;
    /** It is the answer to what the agent has asked: whether they agree. The reply that asked goes on. */
    readonly agreed?: boolean;
    /** The answer that was prepared last is the answer to these words. */
    readonly prepared: boolean;
    readonly lastVoicedMs: number;
    readonly finalAtMs?: number;
  }
  /** Begin an answer to `text`, of which nothing may be heard or shown before the turn is committed. */
  | {
    readonly type: "prepare-answer";
    readonly turnId: string;
    readonly text: string;
    readonly said: readonly Said[];
  }
  /** The prepared answer is of no use. */
  | { readonly type: "drop-answer" }
  /** Nothing but the final words is waited for: ask the recognizer for them. */
  | { readonly type: "ask-final" }
  | { readonly type: "pause-reply" | "resume-reply" | "interrupt-reply"; readonly replyId: string }
  /** A paused reply goes on: it was no interruption. */
  | { readonly type: "report-false-interruption"; readonly replyId: string }
  /** The user spoke and could not be understood, because the recognizer is down. */
  | { readonly type: "ask-again" };

/** The policies' numbers; all in milliseconds or words. */
export interface TurnOptions {
  readonly endpointing: {
    readonly minDelayMs: number;
    readonly maxDelayMs: number;
    /** The shortest delay follows the user's own pauses, from `minDelayMs` up. */
    readonly dynamic?: boolean;
    /** Judges the words; without it they only count as being there. */
    readonly words?: WordsEndTurn;
  };
  /**
   * What ends the user's turn: silence (the default), the recognizer where it says so (no shortest delay then), or only
   * the user's key.
   */
  readonly detection?: "silence" | "recognizer" | "manual";
  readonly interruption: {
    readonly allowed: boolean;
    readonly minDurationMs: number;
    readonly minWords: number;
    /** A pause without words ends after this long, and the agent goes on. */
    readonly falseAfterMs: number;
    /** What only shows that the user listens. */
    readonly backchannels?: Phrases;
    /** What interrupts whatever the minimums. */
    readonly stopWords?: Phrases;
  };
  /** Whether the user agrees, by their words; undefined when they say something else (without it: always). */
  readonly consent?: (text: string) => boolean | undefined;
  /** Whether an answer is prepared as soon as the user falls silent, and kept if the turn ends with the same words. */
  readonly speculate: boolean;
  /** Who answers hears the voice itself: an answer to it can be prepared before its words are known, and whatever they are. */
  readonly hearsVoice?: boolean;
}

export const initialTurnState: TurnState = {
  user: { is: "silent" },
  words: NO_WORDS,
  agent: { is: "silent" },
  key: { is: "up" },
  recognizedEnd: "none",
  pauses: { averageMs: 0, count: 0 },
  voicedUntilMs: undefined,
  agentUntilMs: undefined,
  echo: { atMs: -Infinity, count: 0 },
  hearing: true,
  fadedMs: undefined,
  judged: undefined,
  prepared: undefined,
  preparations: NO_ATTEMPTS,
  asked: undefined,
  asks: NO_ATTEMPTS,
  expected: undefined,
  gaveWay: false,
  turns: 0,
};
