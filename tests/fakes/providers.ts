/** Recognizer, model and voice that follow a script, on any clock. */
import type { Clock } from "../../src/clock.ts";
import { StageError } from "../../src/errors.ts";
import type { LanguageEvent, LanguageModel, Message } from "../../src/llm/llm.ts";
import { wireMessages } from "../../src/llm/openai.ts";
import { refusalOfMessages } from "../emulators/openai_requests.ts";

export {
  type ScriptedSpeechToText,
  scriptedSpeechToText,
  type Utterance,
} from "../../src/testing/recognizer.ts";
export { msPerWord, scriptedTextToSpeech, type Voicing } from "../../src/testing/voice.ts";

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
