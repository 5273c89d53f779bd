/** A call in real time, in a room without a network: an agent on real providers, and a caller who plays recordings. */
import type { Agent } from "../../src/agent.ts";
import { systemClock as clock } from "../../src/clock.ts";
import type { Config } from "../../src/config.ts";
import { providersFor } from "../../src/dispatch/settings.ts";
import { turnTakingFor } from "../../src/dispatch/turn_taking.ts";
import type { SessionEvent } from "../../src/events.ts";
import { createModels } from "../../src/models.ts";
import { type MemoryRoom, memoryRoom } from "../../src/room/memory.ts";
import { startSession } from "../../src/session.ts";
import type { VoiceSession } from "../../src/voice_session.ts";
import { type ClipName, framesOf, joined, loadClip, quiet, voiceOf } from "../fixtures/speech.ts";
import { silentLog as log } from "./log.ts";

const frameMs = 20;
/** Silence between the pieces of what is said, and after it. */
const pauseMs = 40;

export interface LiveCall extends AsyncDisposable {
  readonly room: MemoryRoom;
  readonly session: VoiceSession;
  /** What happened, in order. */
  readonly events: readonly SessionEvent[];
  /** Milliseconds of the agent's voice that were played by now. */
  readonly playedMs: number;
  /** Speaks the voice of a recording, or the first `ms` of it; settles when all was heard. */
  speak(name: ClipName, ms?: number): Promise<void>;
  /** Waits until `find` gives something. */
  until<T>(find: () => T | undefined | false, what: string): Promise<T>;
}

/** Starts it; the caller is there and silent. */
export async function startLiveCall(agent: Agent, config: Config): Promise<LiveCall> {
  const room = memoryRoom({ name: "room", clock });
  const models = createModels({ ...config, clock, log });
  const over = new AbortController();
  const events: SessionEvent[] = [];
  const { session, joined: set } = startSession({
    id: "session",
    agentName: "test",
    agent,
    providers: providersFor(agent, config, models),
    turnTaking: turnTakingFor(agent, config),
    join: () => Promise.resolve(room),
    metadata: "",
    clock,
    log,
  });
  const told = session.events().pipeTo(new WritableStream({ write: (event) => void events.push(event) }));
  const silence = quiet(1_000);
  let said = new Int16Array(0);
  let spoken = Promise.withResolvers<void>();

  /** A microphone is never late: what the machine was too busy for follows at once. */
  const listen = async () => {
    const beganMs = clock.now();
    for (let sentMs = 0; !over.signal.aborted; sentMs += frameMs) {
      await clock.sleep(beganMs + sentMs - clock.now());
      const length = frameMs * 16;
      const samples = said.length >= length ? said.slice(0, length) : silence.slice(0, length);
      if (said.length > 0) {
        said = said.slice(length);
        if (said.length < length) spoken.resolve();
      }
      for (const frame of framesOf(samples, { startMs: beganMs + sentMs })) room.hear(frame);
    }
  };
  const microphone = listen();
  room.enter("caller");
  await set;
  return {
    room,
    session,
    events,
    get playedMs() {
      return room.played.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
    },
    async speak(name, ms = Infinity) {
      const voice = voiceOf(await loadClip(name));
      spoken = Promise.withResolvers();
      said = joined(voice.subarray(0, ms * 16), quiet(pauseMs)) as Int16Array<ArrayBuffer>;
      await spoken.promise;
    },
    async until(find, what) {
      const giveUpMs = clock.now() + 20_000;
      for (;;) {
        const found = find();
        if (found !== undefined && found !== false) return found;
        if (clock.now() > giveUpMs) throw new Error(`waited in vain for ${what}; ${JSON.stringify(events)}`);
        await clock.sleep(10);
      }
    },
    async [Symbol.asyncDispose]() {
      await session.close();
      over.abort();
      await Promise.all([microphone, told]);
    },
  };
}
