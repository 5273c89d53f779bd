/** A model, a voice and a recognizer that go wrong as a script says, and know what they have left open. */
import type { Agent } from "../../src/agent.ts";
import type { AudioFrame } from "../../src/audio/frame.ts";
import { type LiveStream, liveStream } from "../../src/audio/live.ts";
import type { Clock } from "../../src/clock.ts";
import { StageError } from "../../src/errors.ts";
import type { LanguageEvent, LanguageModel, LanguageRequest, Message } from "../../src/llm/llm.ts";
import type { SpeechToText, TranscriptEvent } from "../../src/stt/stt.ts";
import type { SpeechEvent, TextToSpeech } from "../../src/tts/tts.ts";
import type { VoiceActivityDetector, VoiceEvent, VoiceMark } from "../../src/vad/vad.ts";
import * as z from "zod";
import { task } from "../../src/task.ts";
import { tool, type ToolEffect, type ToolSet } from "../../src/tool.ts";
import type { Called, Script } from "./script.ts";

/** How many streams were begun that have not ended. */
export interface Open {
  count: number;
}

const format = { sampleRate: 24_000, channels: 1 };
const msPerWord = 200;

/** `count` words that are nobody else's. */
export const wordsFrom = (name: string, count: number): string =>
  Array.from({ length: count }, (_, i) => `${name}${i + 1}${i % 3 === 2 ? "." : ""}`).join(" ");

function counted<T>(open: Open, events: AsyncGenerator<T>): ReadableStream<T> {
  async function* each() {
    open.count++;
    try {
      yield* events;
    } finally {
      open.count--;
    }
  }
  return ReadableStream.from(each());
}

/** The tool that a call is of. */
const nameOf = ({ effect, asks }: Pick<Called, "effect" | "asks">): string =>
  `${effect}${asks ? "-asks" : ""}`;

/** The second reads back what it was told. */
const questions = [{}, { confirm: () => "Is it?" }].map((asks) =>
  task({ instructions: "Ask.", result: z.object({ n: z.number() }), ...asks })
);

/**
 * Tools that do as they are told by their arguments. `begun` is told of each use, by its idempotency key; `next`: the agents
 * to hand over to.
 */
export function toolbox(
  { clock, begun, next }: {
    readonly clock: Clock;
    readonly begun: (effect: ToolEffect, key: string) => void;
    readonly next: (n: number) => Agent;
  },
): ToolSet {
  const parameters = z.object({ n: z.number(), fate: z.string(), ms: z.number(), leads: z.string() });
  const effects: readonly ToolEffect[] = ["none", "idempotent", "once"];
  return Object.fromEntries(
    effects.flatMap((effect) =>
      [false, true].map((asks) => [
        nameOf({ effect, asks }),
        tool({
          description: "Do it",
          effect,
          parameters,
          confirm: asks && (() => "Shall I?"),
          timeoutMs: 5_000,
          async execute({ fate, ms, n, leads }, ctx) {
            const { idempotencyKey, signal, progress, disallowInterruptions, session } = ctx;
            begun(effect, idempotencyKey);
            if (n === 1) progress("Still at it.");
            if (n === 1 && ms === 400) disallowInterruptions();
            if (fate === "hang") return new Promise(() => {});
            await clock.sleep(ms, fate === "deaf" ? {} : { signal });
            if (fate === "fail") throw new Error("it failed");
            if (leads === "task") return await session.run(questions[n]!);
            return leads === "agent" ? next(n) : n;
          },
        }),
      ])
    ),
  );
}

export function model(
  { models }: Script,
  { clock, open, onRequest }: {
    readonly clock: Clock;
    readonly open: Open;
    readonly onRequest: (messages: readonly Message[]) => void;
  },
): LanguageModel {
  let answers = 0;
  async function* generate(
    at: number,
    { toolChoice, tools }: LanguageRequest,
    signal: AbortSignal,
  ): AsyncGenerator<LanguageEvent> {
    const { fate, words, ttftMs, tokenMs, calls } = models[at % models.length]!;
    await clock.sleep(fate === "hang" ? 1e9 : ttftMs, { signal });
    if (fate === "fail") throw new StageError("llm", "the model failed", { retryable: true });
    for (const text of wordsFrom(`answer${at}-`, words).match(/\S+\s*/g) ?? []) {
      yield { type: "text", text };
      await clock.sleep(tokenMs, { signal });
    }
    if (fate === "die") throw new StageError("llm", "the model died", { retryable: true });
    const inTask = tools?.some(({ name }) => name === "submit");
    for (const [i, { effect, asks, ...args }] of toolChoice !== "none" ? calls.entries() : []) {
      const name = !inTask ? nameOf({ effect, asks }) : args.fate === "well" ? "submit" : "refuse";
      yield { type: "tool-call", id: `call${at}-${i}`, name, arguments: args };
    }
  }
  return {
    provider: "random",
    model: "random",
    generate(request, { signal }) {
      onRequest(request.messages);
      const at = answers++;
      const { fate } = models[at % models.length]!;
      if (fate === "throw") throw new Error("the model threw");
      return fate === "deaf" ? new ReadableStream() : counted(open, generate(at, request, signal));
    },
  };
}

export function voice(
  { voices }: Script,
  { clock, open }: { readonly clock: Clock; readonly open: Open },
): TextToSpeech {
  let replies = 0;
  async function* speak(
    { fate, firstMs, marks }: Script["voices"][number],
    text: ReadableStream<string>,
    signal: AbortSignal,
  ): AsyncGenerator<SpeechEvent> {
    let characters = 0;
    for await (const clause of text) {
      await clock.sleep(fate === "hang" ? 1e9 : firstMs, { signal });
      if (fate === "fail") throw new StageError("tts", "the voice failed", { retryable: true });
      const words = clause.match(/\S+/g)?.length ?? 0;
      for (let left = words * msPerWord; left > 0; left -= 100) {
        const samples = new Int16Array(100 * format.sampleRate / 1000).fill(1_000);
        yield { type: "audio", frame: { ...format, samples, timestampMs: 0 } };
        if (fate === "die") throw new StageError("tts", "the voice died", { retryable: true });
      }
      characters += clause.length;
      if (marks) yield { type: "mark", characters };
    }
  }
  return {
    provider: "random",
    model: "random",
    output: format,
    synthesize(text, { signal }) {
      const chosen = voices[replies++ % voices.length]!;
      if (chosen.fate === "throw") throw new Error("the voice threw");
      return chosen.fate === "deaf" ? new ReadableStream() : counted(open, speak(chosen, text, signal));
    },
  };
}

/** Says the marks that are put into `marks`, one for each frame that comes. */
export function detector(marks: VoiceMark[]): VoiceActivityDetector {
  return {
    model: "scripted",
    input: { sampleRate: 16_000, channels: 1 },
    detect: () =>
      new TransformStream<AudioFrame, VoiceEvent>({
        transform(frame, controller) {
          for (const mark of marks.splice(0)) controller.enqueue(mark);
          controller.enqueue({ type: "audio", frame, speech: true });
        },
      }),
  };
}

export interface HeardByHand extends SpeechToText {
  /** When it was connected last (clock milliseconds). */
  readonly openedMs: number;
  /** Recognizes that, if there is a connection. */
  hear(event: TranscriptEvent): void;
  /** Breaks the connection off. */
  drop(): void;
}

export function recognizer(clock: Clock): HeardByHand {
  let current: LiveStream<TranscriptEvent> | undefined;
  let openedMs = -Infinity;
  return {
    provider: "random",
    model: "random",
    input: { sampleRate: 16_000, channels: 1 },
    get openedMs() {
      return openedMs;
    },
    hear: (event) => current?.push(event),
    drop: () => current?.error(new StageError("stt", "the connection was dropped", { retryable: true })),
    transcribe(voiced, { signal }) {
      const out = liveStream<TranscriptEvent>({ limit: 1_000 });
      current = out;
      openedMs = clock.now();
      signal.addEventListener("abort", () => out.error(signal.reason), { once: true });
      voiced.pipeTo(new WritableStream(), { signal }).then(() => out.close(), (error) => out.error(error));
      return out.readable;
    },
  };
}
