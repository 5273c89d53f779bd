/** A call with one provider under test: the caller says two things, and what became of them is looked at. */
import { defineAgent } from "../../src/agent.ts";
import type { Clock } from "../../src/clock.ts";
import type { SessionEvent } from "../../src/events.ts";
import { memoryRoom } from "../../src/room/memory.ts";
import { type Providers, startSession } from "../../src/session.ts";
import { silentLog as log } from "../fakes/log.ts";
import { scriptedLanguageModel, scriptedSpeechToText, scriptedTextToSpeech } from "../fakes/providers.ts";
import { frameMs, loudnessDetector, microphoneFrame } from "../fakes/speech.ts";
import { turnTaking } from "../fakes/call.ts";
import { createModels } from "../../src/models.ts";
import { createVoicePool } from "../../src/tts/pool.ts";
import { countLeaks } from "./leaks.ts";
import type { Row, Served } from "./providers.ts";

/** From the end of a turn until somebody speaks, if only to apologize; and until a session is closed; milliseconds. */
const budget = { silentMs: 12_000, closeMs: 5_000 };

/** What the caller says. */
export const utterances = ["Where is my order?", "And when will it come?"];
/** How an emulated voice speaks here. */
export const fastVoice = { msPerWord: 130 };

const answer = "It left on Monday. It will be with you in two days.";
const speechMs = 1_000;
/** How long a turn may take to meet its end, and to be begun. */
const patienceMs = 30_000;
/** What a session leaves behind may take so long to end: a socket whose peer does not answer the close, for one. */
const leftMs = 3_000;

/** What became of a call. */
export interface Outcome {
  /** The caller was answered in the end, by the session that it began with. */
  readonly survived: boolean;
  /** Of the two things that the caller said, how many were not heard. */
  readonly lost: number;
  /** The longest time from the end of a turn to the agent's voice. */
  readonly silentMs: number;
  /** How long the session took to close. */
  readonly closeMs: number;
  /** What was left open, in words. */
  readonly left: readonly string[];
  /** What the session was told had failed. */
  readonly errors: readonly string[];
}

/** The stage that a provider of a kind is tried as. */
export const stageOf = { STT: "stt", LLM: "llm", TTS: "tts" } as const;

/** Makes the call, on a clock that may be fast. */
export async function callWith({ kind, name }: Row, served: Served, clock: Clock): Promise<Outcome> {
  const leaks = countLeaks(clock);
  const voicePool = createVoicePool(leaks);
  const models = createModels({ ...served.keys, voicePool, clock: leaks.clock, log });
  const provider = kind === "speech" ? models.speech(name) : { [stageOf[kind]]: models[stageOf[kind]](name) };
  const room = memoryRoom({ name: "room", clock });
  const over = new AbortController();
  const events: SessionEvent[] = [];
  /** The stretches in which the caller speaks: clock milliseconds. */
  const spoken: { readonly fromMs: number; readonly toMs: number; readonly words: readonly string[] }[] = [];
  const scripted: Providers = {
    vad: loudnessDetector(),
    stt: scriptedSpeechToText(spoken, clock),
    llm: scriptedLanguageModel([{ text: answer, ttftMs: 200, tokenMs: 20 }], clock),
    tts: scriptedTextToSpeech([], clock),
  };
  const { session, joined } = startSession({
    id: "session",
    agentName: "test",
    agent: defineAgent({ instructions: "You tell callers where their orders are." }),
    providers: { ...scripted, ...leaks.watch(provider) },
    turnTaking,
    join: () => Promise.resolve(room),
    metadata: "",
    clock: leaks.clock,
    log,
  });
  const told = session.events().pipeTo(new WritableStream({ write: (event) => void events.push(event) }));
  /** A microphone is never late: what the machine was too busy for follows at once. */
  const listen = async () => {
    for (let atMs = clock.now(); !over.signal.aborted; atMs += frameMs) {
      const voiced = spoken.some(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
      room.hear(microphoneFrame(atMs, voiced));
      if (atMs > clock.now()) await clock.sleep(atMs - clock.now());
    }
  };
  const until = async (isSo: () => boolean, ms = patienceMs) => {
    const giveUpMs = clock.now() + ms;
    while (!isSo() && clock.now() < giveUpMs) await clock.sleep(50);
    return isSo();
  };
  const committed = () => events.filter((event) => event.type === "user-speech-committed");
  const outcomes = () => events.filter((event) => event.type === "turn-ended").map(({ outcome }) => outcome);
  /** Says it, and waits until it was answered, or will not be. */
  const say = async (text: string) => {
    const before = outcomes().length;
    const fromMs = clock.now() + 100;
    spoken.push({ fromMs, toMs: fromMs + speechMs, words: text.split(" ") });
    // Of what was not heard nothing comes: that is waited for no longer than the agent may be silent.
    const overMs = fromMs + speechMs + budget.silentMs;
    const isLost = () => clock.now() > overMs && !committed().some(({ atMs }) => atMs > fromMs);
    await until(() => outcomes().length > before || isLost());
    await until(() => session.state === "listening" || session.state === "closed");
  };
  const microphone = listen();
  room.enter("caller");
  await joined;
  for (const text of utterances) await say(text);
  const survived = session.state !== "closed" && outcomes().at(-1) === "answered";
  const closingMs = clock.now();
  await session.close();
  const closeMs = clock.now() - closingMs;
  over.abort();
  await Promise.all([microphone, told]);
  voicePool[Symbol.dispose]();
  const left =
    () => [...leaks.left(), ...(served.open() > 0 ? [`${served.open()} sockets or requests`] : [])];
  await until(() => left().length === 0, leftMs);
  return {
    survived,
    lost: utterances.length - wordsHeard(events),
    silentMs: longestSilence(events),
    closeMs,
    left: left(),
    errors: events.filter((event) => event.type === "error").map(({ error }) => error.message),
  };
}

/** What of an outcome is not as it must be, in words; `troubled`: something went wrong on purpose. */
export function problemsOf(outcome: Outcome, troubled: boolean): string[] {
  const { survived, lost, silentMs, closeMs, left, errors } = outcome;
  const problems: string[] = [];
  if (!survived) problems.push("the second question was not answered");
  if (lost > (troubled ? 1 : 0)) problems.push(`${lost} utterances were lost`);
  if (silentMs > budget.silentMs) problems.push(`it was silent for ${Math.round(silentMs)} ms`);
  if (closeMs > budget.closeMs) problems.push(`it took ${Math.round(closeMs)} ms to close`);
  if (left.length > 0) problems.push(`${left.join(", ")} were left`);
  if (!troubled && errors.length > 0) problems.push("something failed");
  if (problems.length > 0) problems.push(`errors: ${errors.join(" | ") || "none"}`);
  return problems;
}

/** How many of the two things stand in what was committed. */
function wordsHeard(events: readonly SessionEvent[]): number {
  const said = events.filter((event) => event.type === "user-speech-committed").map(({ text }) => text);
  return utterances.filter((text) => said.some((words) => plain(words).includes(plain(text)))).length;
}

/** Not every recognizer brings capitals and marks. */
const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z ]/g, "");

/** From the end of a turn to the next time that the agent speaks, or to the end. */
function longestSilence(events: readonly SessionEvent[]): number {
  const ended = events.filter((event) => event.type === "user-speech-committed");
  return Math.max(
    0,
    ...ended.map(({ atMs }) => {
      const next = events.find((event) => event.type === "agent-started-speaking" && event.atMs >= atMs);
      return (next ?? events.at(-1))!.atMs - atMs;
    }),
  );
}
