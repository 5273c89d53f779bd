/** Recognizer, model and voice that follow a script, on any clock. */
import { type AudioFrame, durationMs } from "../../src/audio/frame.ts";
import { liveStream } from "../../src/audio/live.ts";
import type { Clock } from "../../src/clock.ts";
import { StageError } from "../../src/errors.ts";
import type { LanguageEvent, LanguageModel, Message } from "../../src/llm/llm.ts";
import { wireMessages } from "../../src/llm/openai_tools.ts";
import type { SpeechToText, TranscriptEvent } from "../../src/stt/stt.ts";
import type { SpeechEvent, TextToSpeech } from "../../src/tts/tts.ts";
import { refusalOfMessages } from "../emulators/openai_requests.ts";
import { isVoiced } from "./speech.ts";

/** Words that are spoken, and when (clock milliseconds of the frames they are in). */
export interface Utterance {
  readonly fromMs: number;
  readonly toMs: number;
  readonly words: readonly string[];
  /** How sure the recognizer is of them; left out, it does not say. */
  readonly confidence?: number;
}

export interface ScriptedSpeechToText extends SpeechToText {
  /** Whether new connections are refused. */
  down: boolean;
  /** Whether every final comes twice. */
  twice: boolean;
  /** Drops every connection there is. */
  drop(): void;
}

/** How long the recognizer takes for anything, and the silence after which it calls an utterance final. */
const recognitionMs = 60;
const endpointMs = 100;

/** Recognizes the words of whichever utterance a voiced frame lies in: an interim for each word, a final after silence. */
export function scriptedSpeechToText(utterances: readonly Utterance[], clock: Clock): ScriptedSpeechToText {
  const connections = new Set<(error: StageError) => void>();
  const stt: ScriptedSpeechToText = {
    provider: "scripted",
    model: "script",
    input: { sampleRate: 16_000, channels: 1 },
    down: false,
    twice: false,
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
      const hear = recognizer(utterances, (event) => {
        later(() => out.push(event));
        if (stt.twice && event.type === "final") later(() => out.push(event));
      });
      voice.pipeTo(
        new WritableStream({ write: (event) => event.type === "audio" ? hear(event.frame) : undefined }),
        { signal: over.signal },
      ).then(() => later(() => (end(), out.close())), (error) => {
        if (!over.signal.aborted) fail(error);
      });
      return out.readable;
    },
  };
  return stt;
}

function recognizer(utterances: readonly Utterance[], emit: (event: TranscriptEvent) => void) {
  let heard: string[] = [];
  let told = 0;
  let silentMs = 0;
  let sure: Pick<Utterance, "confidence"> = {};
  return (frame: AudioFrame): void => {
    const atMs = frame.timestampMs;
    const utterance = utterances.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
    if (isVoiced(frame) && utterance) {
      const { fromMs, toMs, words, confidence } = utterance;
      sure = confidence === undefined ? {} : { confidence };
      const count = Math.ceil(words.length * (atMs + durationMs(frame) - fromMs) / (toMs - fromMs));
      const before = heard.filter((word) => !words.includes(word));
      heard = [...before, ...words.slice(0, count)];
      silentMs = 0;
      if (heard.length > told) emit({ type: "interim", text: heard.join(" "), ...sure });
      told = heard.length;
    } else if (heard.length > 0 && (silentMs += durationMs(frame)) >= endpointMs) {
      emit({ type: "final", text: heard.join(" "), ...sure });
      heard = [];
      told = 0;
    }
  };
}

/** One answer of the model: its words, or how it fails. */
export interface Answer {
  readonly text: string;
  readonly ttftMs: number;
  readonly tokenMs: number;
  /** "fail": an error in place of the first token; "die": after the last; "hang": nothing, for ever; "deaf": not even an end when it is told to. */
  readonly then?: "fail" | "die" | "hang" | "deaf";
  /** The tools it calls behind its words. */
  readonly calls?: readonly { readonly name: string; readonly arguments?: unknown }[];
}

export interface ScriptedLanguageModel extends LanguageModel {
  /** What it was asked, in order. */
  readonly requests: readonly (readonly Message[])[];
}

/** Gives the answers in order; the last one again when there are no more. Refuses what OpenAI refuses to be asked. */
export function scriptedLanguageModel(answers: readonly Answer[], clock: Clock): ScriptedLanguageModel {
  const requests: (readonly Message[])[] = [];
  return {
    provider: "scripted",
    model: "script",
    requests,
    generate({ messages }, { signal }) {
      const answer = answers[Math.min(requests.length, answers.length - 1)];
      requests.push(messages);
      const refusal = refusalOfMessages(wireMessages(messages) as never);
      if (refusal) throw new StageError("llm", refusal.message, { refused: true });
      if (answer?.then === "deaf") return new ReadableStream();
      const { length } = requests;
      return ReadableStream.from(
        generate(answer ?? { text: "", ttftMs: 0, tokenMs: 0 }, `call-${length}`, clock, signal),
      );
    },
  };
}

async function* generate(
  answer: Answer,
  id: string,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<LanguageEvent> {
  const broken = () => new StageError("llm", "the model failed", { retryable: true });
  await clock.sleep(answer.then === "hang" ? 1e9 : answer.ttftMs, { signal });
  if (answer.then === "fail") throw broken();
  for (const text of answer.text.match(/\S+\s*/g) ?? []) {
    yield { type: "text", text };
    await clock.sleep(answer.tokenMs, { signal });
  }
  if (answer.then === "die") throw broken();
  for (const [i, call] of (answer.calls ?? []).entries()) {
    yield { type: "tool-call", id: `${id}-${i + 1}`, name: call.name, arguments: call.arguments ?? {} };
  }
  yield { type: "finish", reason: answer.calls ? "tool-calls" : "stop" };
}

/** How one reply is voiced. */
export type Voicing = "speak" | "fail" | "hang";

export const msPerWord = 250;
const firstAudioMs = 80;
const format = { sampleRate: 24_000, channels: 1 };

/** Speaks 250 ms a word, 80 ms after it was given a clause; as `voicings` say in order, and well when they are used up. */
export function scriptedTextToSpeech(voicings: readonly Voicing[], clock: Clock): TextToSpeech {
  let replies = 0;
  return {
    provider: "scripted",
    model: "script",
    output: format,
    synthesize: (text, { signal }) =>
      ReadableStream.from(synthesize(text, voicings[replies++] ?? "speak", clock, signal)),
  };
}

async function* synthesize(
  text: ReadableStream<string>,
  voicing: Voicing,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<SpeechEvent> {
  let characters = 0;
  for await (const clause of text) {
    await clock.sleep(voicing === "hang" ? 1e9 : firstAudioMs, { signal });
    if (voicing === "fail") throw new StageError("tts", "the voice failed", { retryable: true });
    const words = clause.match(/\S+/g)?.length ?? 0;
    for (let left = words * msPerWord; left > 0; left -= 100) {
      const samples = new Int16Array(Math.min(left, 100) * format.sampleRate / 1000).fill(1_000);
      yield { type: "audio", frame: { ...format, samples, timestampMs: 0 } };
    }
    characters += clause.length;
    yield { type: "mark", characters };
  }
}
