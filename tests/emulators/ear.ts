/** What an emulated recognizer hears between two commits: whatever is loud is speech, and what it says is read from a list. */

/** A window louder than this (RMS) is speech. */
const loudness = 200;
const windowMs = 10;

export interface EarOptions {
  /** What is said, a commit each, again from the first when used up (default: "Hello there."). */
  readonly transcripts?: readonly string[];
  /** Milliseconds of speech between interims, and for each word of them (default 200 and 280). */
  readonly interimMs?: number;
  readonly interimWordMs?: number;
  /** Milliseconds from audio to the message about it (default 60). */
  readonly delayMs?: number;
}

/** What was heard since the last commit. */
export interface Heard {
  /** "" where nothing was loud. */
  readonly text: string;
  /** Where it began and ended; milliseconds from the first audio. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** One connection's. `told`: how many commits had speech in them, over all connections. */
export function createEar(
  rate: number,
  { transcripts = ["Hello there."], interimMs = 200, interimWordMs = 280 }: EarOptions,
  told: { utterances: number },
) {
  const size = rate * windowMs / 1000;
  let rest = new Int16Array();
  let atMs = 0;
  let uncommittedMs = 0;
  let speech: { readonly fromMs: number; untilMs: number; interimMs: number } | undefined;
  const spoken = () => transcripts[told.utterances % transcripts.length] ?? "";
  return {
    /** Audio since the last commit, in milliseconds. */
    get uncommittedMs() {
      return uncommittedMs;
    },
    /** Takes in 16-bit PCM; returns what the words are so far when it is time to tell them. */
    hear(bytes: Uint8Array): string | undefined {
      const came = new Int16Array(bytes.slice().buffer);
      const all = new Int16Array(rest.length + came.length);
      all.set(rest);
      all.set(came, rest.length);
      uncommittedMs += came.length / rate * 1000;
      let interim: string | undefined;
      let at = 0;
      for (; at + size <= all.length; at += size, atMs += windowMs) {
        const window = all.subarray(at, at + size);
        const rms = Math.sqrt(window.reduce((sum, sample) => sum + sample * sample, 0) / size);
        if (rms <= loudness) continue;
        speech ??= { fromMs: atMs, untilMs: atMs, interimMs: atMs };
        speech.untilMs = atMs + windowMs;
        if (speech.untilMs - speech.interimMs < interimMs) continue;
        speech.interimMs = speech.untilMs;
        const words = Math.max(1, Math.floor((speech.untilMs - speech.fromMs) / interimWordMs));
        interim = spoken().split(/\s+/).slice(0, words).join(" ");
      }
      rest = all.slice(at);
      return interim;
    },
    commit(): Heard {
      const heard = {
        text: speech ? spoken() : "",
        fromMs: speech?.fromMs ?? 0,
        untilMs: speech?.untilMs ?? 0,
      };
      if (speech) told.utterances++;
      speech = undefined;
      uncommittedMs = 0;
      return heard;
    },
  };
}
