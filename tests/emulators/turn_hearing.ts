/** How the emulated recognizers hear that tell turns: whatever is loud is speech, and what it says is read from a list. */

/** A window louder than this (RMS) is speech; two in a row begin a turn. */
const loudness = 200;
const windowMs = 20;
/** Silence that is not just between two words. */
const pauseMs = 60;

export interface SpokenWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** The turn that is being heard. */
export interface HeardTurn {
  readonly words: readonly SpokenWord[];
  /** For how long the voice has been silent. */
  readonly silentMs: number;
  /** Whether all of it was said: no piece is left. */
  readonly isWhole: boolean;
}

export interface TurnHearing {
  /** How much was heard in all. */
  readonly atMs: number;
  readonly turn: HeardTurn | undefined;
  hear(bytes: Uint8Array): void;
  /** The turn is over: the next voice is another. */
  end(): void;
}

/**
 * Hears 16-bit samples. `spoken`: what is said in the turn that begins; "|" parts pieces with a pause between. `onWindow` is
 * told of every 20 ms.
 */
export function createTurnHearing(
  { rate, spoken, wordMs = 280, onWindow }: {
    readonly rate: number;
    readonly spoken: () => string;
    readonly wordMs?: number | undefined;
    readonly onWindow: () => void;
  },
): TurnHearing {
  const windowBytes = rate * windowMs / 1000 * 2;
  let rest = new Uint8Array(0);
  let atMs = 0;
  let loudWindows = 0;
  let pieces: readonly string[] = [];
  let said: readonly SpokenWord[] = [];
  let piece: { readonly nth: number; readonly fromMs: number; readonly untilMs: number } | undefined;

  const wordsOf = (): readonly SpokenWord[] => {
    if (!piece) return said;
    const { nth, fromMs, untilMs } = piece;
    const all = (pieces[nth] ?? "").trim().split(/\s+/).filter(Boolean);
    const isOver = atMs - untilMs >= pauseMs;
    const heard = isOver ? all : all.slice(0, Math.max(1, Math.floor((untilMs - fromMs) / wordMs)));
    const eachMs = isOver ? (untilMs - fromMs) / all.length : wordMs;
    const startOf = (i: number) => Math.round(fromMs + i * eachMs);
    return [...said, ...heard.map((text, i) => ({ text, startMs: startOf(i), endMs: startOf(i + 1) }))];
  };
  const hearWindow = (samples: Int16Array) => {
    const fromMs = atMs;
    atMs += windowMs;
    const rms = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    loudWindows = rms > loudness ? loudWindows + 1 : 0;
    if (!piece && loudWindows === 2) {
      pieces = spoken().split("|");
      said = [];
      piece = { nth: 0, fromMs: fromMs - windowMs, untilMs: atMs };
    } else if (piece && loudWindows > 0) {
      const next = fromMs - piece.untilMs >= pauseMs && piece.nth + 1 < pieces.length;
      if (next) {
        atMs = fromMs; // what was said by then was whole
        said = wordsOf();
        atMs += windowMs;
        piece = { nth: piece.nth + 1, fromMs, untilMs: atMs };
      } else piece = { ...piece, untilMs: atMs };
    }
    onWindow();
  };
  return {
    get atMs() {
      return atMs;
    },
    get turn() {
      if (!piece) return undefined;
      return { words: wordsOf(), silentMs: atMs - piece.untilMs, isWhole: piece.nth + 1 >= pieces.length };
    },
    hear(bytes) {
      const all = new Uint8Array(rest.length + bytes.length);
      all.set(rest);
      all.set(bytes, rest.length);
      let at = 0;
      for (; at + windowBytes <= all.length; at += windowBytes) {
        hearWindow(new Int16Array(all.buffer, at, windowBytes / 2));
      }
      rest = all.slice(at);
    },
    end() {
      piece = undefined;
      said = [];
      loudWindows = 0;
    },
  };
}
