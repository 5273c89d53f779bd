/** A recognizer for several people that costs nothing while they are quiet, and never has more than so many connections. */
import { durationMs } from "../audio/frame.ts";
import { type LiveStream, liveStream } from "../audio/live.ts";
import type { Clock } from "../clock.ts";
import type { SpeechInput, SpeechToText, TranscriptEvent } from "./stt.ts";

/** A connection of somebody who has said nothing for so long is closed; milliseconds of audio. */
const idleMs = 30_000;
/** After so much silence the last words have come: others may have the connection. */
const settledMs = 3_000;
/** A connection that has not ended so long after its last audio is cut. */
const lastWordsMs = 5_000;
/** What is kept for a connection that is yet to be opened: from before speech, and of speech that waits for one. */
const keptMs = { silence: 1_000, speech: 30_000 };

/** One connection and whose it is. */
interface Seat {
  readonly input: LiveStream<SpeechInput>;
  /** For how long they have said nothing, in milliseconds. */
  silentMs: number;
  /** It ends as soon as its last words have come; this cuts it when they do not. */
  leaving: Disposable | undefined;
  readonly cut: AbortController;
}

/**
 * Wraps recognizers for a room of people, one `transcribe()` each. Of everybody's audio they are sent what is said, from a
 * second before on, until that person has been silent for 30 s. At most `most` connections are open, of all of them
 * together; who speaks when all are taken waits until one of somebody silent is free, and what they have said by then (the
 * last 30 s of it) is sent at once.
 */
export function onDemand(
  { most, clock }: { readonly most: number; readonly clock: Clock },
): (stt: SpeechToText) => SpeechToText {
  const seats = new Set<Seat>();
  /** Those whose voice has ended before there was a connection for it: told whenever there may be one. */
  const late = new Set<() => void>();
  const tellLate = () => late.forEach((look) => look());
  const release = (seat: Seat) => {
    seat.leaving ??= clock.after(lastWordsMs, () => seat.cut.abort());
    seat.input.close();
  };
  /** Whether a connection may be opened now; if not, that of whoever has been silent for longest is given up. */
  const isFree = (): boolean => {
    if (seats.size < most) return true;
    const [quietest] = [...seats].toSorted((a, b) => b.silentMs - a.silentMs);
    const oneLeaves = [...seats].some(({ leaving }) => leaving);
    if (!oneLeaves && quietest && quietest.silentMs >= settledMs) release(quietest);
    return false;
  };

  return (stt) => ({ ...stt, transcribe: (voice, options) => transcribe(stt, voice, options) });

  function transcribe(
    stt: SpeechToText,
    voice: ReadableStream<SpeechInput>,
    options: Parameters<SpeechToText["transcribe"]>[1],
  ): ReadableStream<TranscriptEvent> {
    const over = new AbortController();
    const out = liveStream<TranscriptEvent>({ limit: Infinity, onCancel: () => over.abort() });
    const waiting = waitingVoice();
    const connections = new Set<Promise<void>>();
    let seat: Seat | undefined;
    /** Milliseconds of silence since somebody spoke for whom there was no connection; undefined: nobody did. */
    let unheardMs: number | undefined;
    let heardMs = 0;

    const open = () => {
      const { events, ms } = waiting.take();
      const input = liveStream<SpeechInput>({ limit: Infinity });
      const cut = new AbortController();
      const taken: Seat = { input, silentMs: unheardMs ?? 0, leaving: undefined, cut };
      seat = taken;
      unheardMs = undefined;
      seats.add(taken);
      for (const event of events) input.push(event);
      const signal = AbortSignal.any([over.signal, cut.signal]);
      const transcripts = stt.transcribe(input.readable, { ...options, signal });
      const failed = (error: unknown) => {
        if (!signal.aborted) out.error(error);
      };
      const done = forward(transcripts, heardMs - ms, out.push).catch(failed).finally(() => {
        taken.leaving?.[Symbol.dispose]();
        seats.delete(taken);
        if (seat === taken) seat = undefined;
        connections.delete(done);
        tellLate();
      });
      connections.add(done);
    };
    const hear = (event: SpeechInput) => {
      tellLate();
      heardMs += lengthMs(event);
      if (seat && !seat.leaving) {
        seat.silentMs = silenceAfter(seat.silentMs, event);
        seat.input.push(event);
        if (seat.silentMs >= idleMs) release(seat);
        return;
      }
      if (event.type === "finalize") return; // there is nothing to ask
      if (speaks(event)) unheardMs = 0;
      else if (unheardMs !== undefined) unheardMs += lengthMs(event);
      if (unheardMs !== undefined && unheardMs >= keptMs.speech) unheardMs = undefined;
      waiting.push(event, unheardMs === undefined ? keptMs.silence : keptMs.speech);
      if (unheardMs !== undefined && isFree()) open();
    };
    /** Settles when what waits has its connection, or is not wanted any more. */
    const openLate = () =>
      new Promise<void>((resolve) => {
        const look = () => {
          const aborted = over.signal.aborted;
          if (!aborted && !isFree()) return;
          late.delete(look);
          if (!aborted) open();
          resolve();
        };
        late.add(look);
        over.signal.addEventListener("abort", look, { once: true });
        look();
      });
    const run = async () => {
      try {
        await voice.pipeTo(new WritableStream({ write: hear }), { signal: over.signal });
        if (unheardMs !== undefined) await openLate();
        if (seat) release(seat);
      } catch (error) {
        if (!over.signal.aborted) out.error(error);
      }
      await Promise.all(connections);
      out.close();
    };
    if (options.signal.aborted) over.abort();
    options.signal.addEventListener("abort", () => over.abort(), { signal: over.signal });
    void run().finally(() => over.abort());
    return out.readable;
  }
}

const speaks = (event: SpeechInput): boolean =>
  event.type === "speech-start" || (event.type === "audio" && event.speech);

const silenceAfter = (silentMs: number, event: SpeechInput): number =>
  speaks(event) ? 0 : silentMs + lengthMs(event);

/** Hands on what a connection brings that was opened `fromMs` after the voice began. */
async function forward(
  transcripts: ReadableStream<TranscriptEvent>,
  fromMs: number,
  each: (event: TranscriptEvent) => void,
): Promise<void> {
  for await (const event of transcripts) {
    if (event.type === "interim" || !event.words) each(event);
    else {
      const words = event.words.map((word) => ({
        ...word,
        startMs: word.startMs + fromMs,
        endMs: word.endMs + fromMs,
      }));
      each({ ...event, words });
    }
  }
}

/** What of a voice waits for a connection. */
function waitingVoice() {
  let events: SpeechInput[] = [];
  let ms = 0;
  return {
    /** Keeps `event`, and of what came before it so much that all is no longer than `limitMs`. */
    push(event: SpeechInput, limitMs: number): void {
      events.push(event);
      ms += lengthMs(event);
      for (let first = events[0]; first && ms - lengthMs(first) >= limitMs; first = events[0]) {
        ms -= lengthMs(first);
        events.shift();
      }
    },
    /** All that waits, and its length; nothing waits then. */
    take() {
      const taken = { events, ms };
      events = [];
      ms = 0;
      return taken;
    },
  };
}

const lengthMs = (event: SpeechInput): number => event.type === "audio" ? durationMs(event.frame) : 0;
