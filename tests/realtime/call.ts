/** A call in a memory room with a model that hears and speaks, on the emulator of its wire protocol. */
import { type Agent, type AgentDefinition, defineAgent } from "../../src/agent.ts";
import type { Equipped } from "../../src/charge.ts";
import type { SessionEvent, SessionEventOf } from "../../src/events.ts";
import { saidIn } from "../../src/history.ts";
import { openaiRealtime } from "../../src/realtime/openai.ts";
import { memoryRoom } from "../../src/room/memory.ts";
import { type SessionOptions, startSession } from "../../src/session.ts";
import {
  type SpeechEmulator,
  type SpeechEmulatorOptions,
  startSpeechEmulator,
} from "../emulators/openai_realtime_speech.ts";
import { consentIn } from "../../src/turn/consent.ts";
import { turnLanguage } from "../../src/turn/languages.ts";
import { turnTaking } from "../fakes/call.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog as log } from "../fakes/log.ts";
import {
  type Answer,
  scriptedLanguageModel,
  scriptedSpeechToText,
  scriptedTextToSpeech,
} from "../fakes/providers.ts";
import { frameMs, loudnessDetector, microphoneFrame } from "../fakes/speech.ts";

const instructions = "You are a test.";

export interface RealtimeCallOptions extends Pick<SessionOptions, "costCaps" | "priceOf"> {
  readonly definition?: Partial<AgentDefinition>;
  readonly transcription?: string;
  readonly speculate?: boolean;
  /** Works with scripts in place of the model, when the conversation is handed over to it. */
  readonly pipeline?: Agent;
  /** There will be no connection. */
  readonly unreachable?: boolean;
  /** What that answers. */
  readonly answers?: readonly Answer[];
  /** What starts the session. */
  readonly start?: typeof startSession;
}

/** Starts one; the user is there. */
export async function startRealtimeCall(
  options: SpeechEmulatorOptions = {},
  {
    definition,
    transcription,
    speculate = true,
    pipeline,
    answers = [],
    unreachable = false,
    start = startSession,
    ...more
  }: RealtimeCallOptions = {},
) {
  const clock = fakeClock();
  const emulator: SpeechEmulator = await startSpeechEmulator({ clock, ...options });
  const room = memoryRoom({ name: "room", clock });
  const vad = loudnessDetector();
  const spoken: { readonly fromMs: number; readonly toMs: number; readonly words: string[] }[] = [];
  const llm = scriptedLanguageModel(answers, clock);
  const equip = (agent: Agent): Equipped => {
    const model = openaiRealtime({
      apiKey: "test-key",
      baseUrl: emulator.url,
      model: "gpt-realtime",
      transcription,
      clock,
      log,
    });
    const scripted = {
      stt: scriptedSpeechToText(spoken, clock),
      llm,
      tts: scriptedTextToSpeech([], clock),
    };
    return {
      agent,
      agentName: agent.name ?? "test",
      providers: { vad, ...(agent === pipeline ? scripted : model.stages()) },
      turnTaking: { ...turnTaking, speculate, consent: consentIn(turnLanguage()) },
    };
  };
  const agent = defineAgent({ instructions, model: "openai-realtime/gpt-realtime", ...definition });
  const { session, joined } = start({
    ...more,
    ...equip(agent),
    id: "session",
    equip,
    join: () => Promise.resolve(room),
    metadata: "",
    clock,
    log,
  });
  const events: SessionEvent[] = [];
  const told = session.events().pipeTo(new WritableStream({ write: (event) => void events.push(event) }));
  let heardMs = 0;
  /** Time passes, here as at the emulator, and the microphone with it. */
  const advance = async (ms: number) => {
    const untilMs = clock.now() + ms;
    while (clock.now() < untilMs) {
      for (; heardMs <= clock.now(); heardMs += frameMs) {
        const voiced = spoken.some(({ fromMs, toMs }) => heardMs >= fromMs && heardMs < toMs);
        room.hear(microphoneFrame(heardMs, voiced));
      }
      await clock.advance(5);
      await new Promise((resolve) => setTimeout(resolve, 0)); // what comes over the socket
    }
  };
  const until = async <T>(found: () => T | undefined | false, what: string): Promise<T> => {
    for (let waitedMs = 0; waitedMs < 30_000; waitedMs += 20) {
      const it = found();
      if (it) return it;
      await advance(20);
    }
    const told = events.map((event) => JSON.stringify(event)).join("\n");
    throw new Error(`${what} did not come; ${told}`);
  };
  const all = <Type extends SessionEvent["type"]>(type: Type) =>
    events.filter((event): event is SessionEventOf<Type> => event.type === type);
  room.enter("caller");
  if (!unreachable) await until(() => emulator.connections.length > 0, "the connection");
  await joined;
  return {
    session,
    room,
    clock,
    emulator,
    events,
    all,
    advance,
    until,
    /** What was said, a line each. */
    said: () => saidIn(session.history).map(({ role, text }) => `${role}: ${text}`),
    /** The user speaks from now on, for so long; what they say, the emulator knows. */
    speak(ms = 1_000, words: string[] = []) {
      const fromMs = clock.now() + frameMs;
      spoken.push({ fromMs, toMs: fromMs + ms, words });
    },
    /** The user speaks, and their turn is answered to its end. */
    async ask(ms = 1_000, words: string[] = []) {
      const before = all("turn-ended").length;
      this.speak(ms, words);
      await until(() => all("turn-ended").length > before, "the end of the turn");
      await until(() => session.state === "listening", "silence");
    },
    async [Symbol.asyncDispose]() {
      let closed = false;
      void session.close().then(() => closed = true);
      await until(() => closed, "the end of the session");
      await told;
      await emulator[Symbol.asyncDispose]();
    },
  };
}
