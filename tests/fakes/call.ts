/** A whole call on the fake clock: a session in a memory room, with scripted providers. */
import { type Agent, type AgentDefinition, defineAgent } from "../../src/agent.ts";
import type { Equipped } from "../../src/charge.ts";
import type { Log } from "../../src/log.ts";
import { type MemoryRoom, memoryRoom, type Shown } from "../../src/room/memory.ts";
import { type Providers, type RunningSession, type SessionOptions, startSession } from "../../src/session.ts";
import type { TurnOptions } from "../../src/turn/state.ts";
import { type FakeClock, fakeClock } from "./clock.ts";
import { silentLog } from "./log.ts";
import { scriptedLanguageModel, scriptedSpeechToText, scriptedTextToSpeech } from "./providers.ts";
import { loudnessDetector, microphoneFrame } from "./speech.ts";

export const turnTaking: TurnOptions = {
  endpointing: { minDelayMs: 350, maxDelayMs: 3000 },
  interruption: { allowed: true, minDurationMs: 300, minWords: 0, falseAfterMs: 2000 },
  speculate: true,
};

export interface Call extends RunningSession {
  readonly room: MemoryRoom;
  readonly clock: FakeClock;
}

/** Starts a call whose user says "hello there" in the first second, once `talk` lets them. */
export function startCall(
  definition: Partial<AgentDefinition> = {},
  { clock = fakeClock(), providers: given = {}, equip, shows, joinMs = 0, log = silentLog, ...more }:
    & {
      clock?: FakeClock;
      providers?: Partial<Providers>;
      /** What another agent works with (default: what the first does). */
      equip?: (agent: Agent, first: Pick<Equipped, "providers" | "turnTaking">) => Equipped;
      /** How long the agent takes to join (default: no time). */
      joinMs?: number;
      /** What the user shows. */
      shows?: Shown;
      log?: Log;
    }
    & Pick<
      SessionOptions,
      "costCaps" | "keep" | "latest" | "maxCallMs" | "onLeave" | "priceOf" | "resume"
    > = {},
): Call {
  const room = memoryRoom({ name: "room", clock, shows });
  const utterances = [{ fromMs: 0, toMs: 1000, words: ["hello", "there"] }];
  const providers: Providers = {
    vad: loudnessDetector(),
    stt: scriptedSpeechToText(utterances, clock),
    llm: scriptedLanguageModel([{ text: "Good day to you.", ttftMs: 200, tokenMs: 20 }], clock),
    tts: scriptedTextToSpeech([], clock),
    ...given,
  };
  const running = startSession({
    ...more,
    id: "session",
    agentName: "test",
    agent: defineAgent({ instructions: "You are a test.", ...definition }),
    providers,
    turnTaking,
    ...(equip && { equip: (agent) => equip(agent, { providers, turnTaking }) }),
    async join({ signal }) {
      if (joinMs > 0) await clock.sleep(joinMs, { signal });
      return room;
    },
    metadata: "",
    clock,
    log,
  });
  return { ...running, room, clock };
}

/** Lets the microphone run from `fromMs` to `untilMs`: the user speaks for a second at `voicedMs`, and is silent else. */
export async function talk(
  { clock, room }: Call,
  untilMs: number,
  { fromMs = 0, voicedMs = 0 }: { readonly fromMs?: number; readonly voicedMs?: number } = {},
): Promise<void> {
  for (let atMs = fromMs; atMs < untilMs; atMs += 20) {
    await clock.advance(20);
    room.hear(microphoneFrame(atMs, atMs >= voicedMs && atMs < voicedMs + 1000));
    await clock.settle();
  }
}

/** Closes the session and returns how long that took, in milliseconds of the clock. */
export async function timeToClose({ session, clock }: Pick<Call, "session" | "clock">): Promise<number> {
  const beganMs = clock.now();
  let tookMs: number | undefined;
  const closed = session.close().then(() => tookMs = clock.now() - beganMs);
  for (let i = 0; i < 200 && tookMs === undefined; i++) await clock.advance(100);
  await closed;
  return tookMs ?? Infinity;
}
