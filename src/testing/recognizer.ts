/** A recognizer that knows what is going to be said, on any clock. */
import { type AudioFrame, durationMs } from "../audio/frame.ts";
import { liveStream } from "../audio/live.ts";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import type { SpeechToText, TranscriptEvent } from "../stt/stt.ts";
import { voiceIn } from "./speech.ts";

/** Words that are spoken, and when (clock milliseconds of the frames they are in). */
export interface Utterance {
  readonly fromMs: number;
  readonly toMs: number;
  readonly words: readonly string[];
  /** Whose they are: the number of the voice in the frames (default 0). */
  readonly voice?: number;
  /** How sure the recognizer is of them; left out, it does not say. */
  readonly confidence?: number;
  /** It is real sound: its words are heard where the detector finds a voice in it. */
  readonly sound?: true;
}

export interface ScriptedSpeechToText extends SpeechToText {
  /** Whether new connections are refused. */
  down: boolean;
  /** Whether every final comes twice. */
  twice: boolean;
  /** Whether it judges the end of a turn for itself, and says when it is likely. */
  judges: boolean;
  /** Drops every connection there is. */
  drop(): void;
}

/** How long the recognizer takes for anything, and the silence after which it calls an utterance final. */
const recognitionMs = 60;
const endpointMs = 100;
/** One that judges for itself: the silence after which it calls the end of a turn likely, and sure. */
const judgedMs = { likely: 60, sure: 260 };

/** Recognizes the words of whichever utterance a voiced frame lies in: an interim for each word, a final after silence. */
export function scriptedSpeechToText(utterances: readonly Utterance[], clock: Clock): ScriptedSpeechToText {
  const connections = new Set<(error: StageError) => void>();
  const stt: ScriptedSpeechToText = {
    provider: "scripted",
    model: "script",
    input: { sampleRate: 16_000, channels: 1 },
    down: false,
    twice: false,
    judges: false,
    drop() {
      for (const fail of connections) {
        fail(new StageError("stt", "the connection was dropped", { retryable: true }));
      }
    },
    transcribe(voice, { signal }) {
      const out = liveStream<TranscriptEvent>({ limit: Infinity });
      const timers = new Set<Disposable>();
      const later = (act: () => void) => {
        const timer = clock.after(recognitionMs, () => {
          timers.delete(timer);
          act();
        });
        timers.add(timer);
      };
      const over = new AbortController();
      const end = () => {
        connections.delete(fail);
        for (const timer of timers) timer[Symbol.dispose]();
        over.abort();
      };
      const fail = (error: unknown) => {
        end();
        out.error(error);
      };
      if (stt.down) {
        out.error(new StageError("stt", "the connection was refused", { retryable: true }));
        return out.readable;
      }
      connections.add(fail);
      signal.addEventListener("abort", () => fail(signal.reason), { signal: over.signal });
      const hear = recognizer(utterances, stt, (event) => {
        later(() => out.push(event));
        if (stt.twice && event.type === "final") later(() => out.push(event));
      });
      voice.pipeTo(
        new WritableStream({ write: (event) => event.type === "audio" ? hear(event) : undefined }),
        { signal: over.signal },
      ).then(() => later(() => (end(), out.close())), (error) => {
        if (!over.signal.aborted) fail(error);
      });
      return out.readable;
    },
  };
  return stt;
}

function recognizer(
  utterances: readonly Utterance[],
  stt: Pick<ScriptedSpeechToText, "judges">,
  emit: (event: TranscriptEvent) => void,
) {
  let heard: string[] = [];
  let told = 0;
  let silentMs = 0;
  let sure: Pick<Utterance, "confidence"> = {};
  return ({ frame, speech }: { readonly frame: AudioFrame; readonly speech: boolean }): void => {
    const atMs = frame.timestampMs;
    const utterance = utterances.find(({ fromMs, toMs, voice = 0, sound }) =>
      atMs >= fromMs && atMs < toMs && (sound ? speech : voiceIn(frame) === voice)
    );
    if (utterance) {
      const { fromMs, toMs, words, confidence } = utterance;
      sure = confidence === undefined ? {} : { confidence };
      const count = Math.ceil(words.length * (atMs + durationMs(frame) - fromMs) / (toMs - fromMs));
      const before = heard.filter((word) => !words.includes(word));
      heard = [...before, ...words.slice(0, count)];
      silentMs = 0;
      if (heard.length > told) emit({ type: "interim", text: heard.join(" "), ...sure });
      told = heard.length;
      return;
    }
    if (heard.length === 0) return;
    const text = heard.join(" ");
    const beforeMs = silentMs;
    silentMs += durationMs(frame);
    if (stt.judges && beforeMs < judgedMs.likely && silentMs >= judgedMs.likely) {
      emit({ type: "interim", text, ...sure, eager: true });
    }
    if (silentMs >= (stt.judges ? judgedMs.sure : endpointMs)) {
      emit({ type: "final", text, ...sure, ...(stt.judges && { endOfTurn: true, judged: true }) });
      heard = [];
      told = 0;
    }
  };
}
