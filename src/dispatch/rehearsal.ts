/** What the first call would wait for otherwise: code that has never run, and a native client that was never started. */
import type { Agent } from "../agent.ts";
import { systemClock } from "../clock.ts";
import type { Config } from "../config.ts";
import { listen } from "../listen.ts";
import { type Log, silentLog } from "../log.ts";
import type { Models } from "../models.ts";
import { rehearseJoining } from "../room/livekit/rehearsal.ts";
import { memoryRoom } from "../room/memory.ts";
import { openSocket } from "../socket.ts";
import { scriptedSpeechToText } from "../testing/recognizer.ts";
import { scripted } from "../testing/script.ts";
import { scriptedTextToSpeech } from "../testing/voice.ts";
import { type VirtualClock, virtualClock } from "../virtual_clock.ts";
import { createDispatcher } from "./dispatcher.ts";
import { inWords } from "./results.ts";
import { sessionStarter } from "./start.ts";

export interface RehearsalOptions {
  readonly config: Config;
  readonly models: Models;
  readonly log: Log;
}

const name = "rehearsal";
/** By then a greeting, an answer or a goodbye was said, in milliseconds of a clock that waits for nobody. */
const actMs = 5_000;
/** However it goes, real calls may come after so many milliseconds. */
const longestMs = 1_000;

/**
 * Has a whole call go on, from the dispatch to its end, which nobody sees: no log, no models, no other machine. Never rejects.
 */
export async function rehearse({ log, ...options }: RehearsalOptions): Promise<void> {
  const late = Promise.withResolvers<void>();
  using _ = systemClock.after(longestMs, () => {
    log.warn({ longestMs }, "the rehearsal takes long: the first call does not wait for it");
    late.resolve();
  });
  const acts = [options.config.livekit && rehearseJoining(), rehearseCall(options), rehearseSocket()];
  const played = Promise.all(acts).then(() => {}, (error) => log.warn({ error }, "the rehearsal failed"));
  await Promise.race([played, late.promise]);
}

async function rehearseCall({ config, models }: Omit<RehearsalOptions, "log">): Promise<void> {
  const clock = virtualClock();
  const log = silentLog;
  const agents = { [name]: extra(clock) };
  const start = sessionStarter({ agents, config, models, clock, log });
  const dispatcher = createDispatcher({ agents, defaultAgent: name, start, maxSessions: 1, clock, log });
  const room = memoryRoom({ name, clock });
  room.enter("caller");
  const dispatched = dispatcher.dispatch({ room: name, join: () => Promise.resolve(room) });
  await clock.run(dispatched, actMs);
  const result = await dispatched;
  if (!("session" in result)) throw new Error(inWords(result));
  await clock.advance(actMs);
  room.tell({ type: "text", text: "Good morning!" });
  await clock.advance(actMs);
  const over = dispatcher.drain({ budgetMs: actMs });
  await clock.run(over, Infinity);
}

/** Has messages come and go as a provider's do. */
async function rehearseSocket(): Promise<void> {
  const said = "Good morning!";
  const server = listen({ variable: "any port", port: 0, host: "127.0.0.1" }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => {
      socket.send(data);
      socket.send(new Uint8Array(said.length));
    };
    return response;
  });
  const over = Promise.withResolvers<void>();
  const socket = openSocket(`ws://127.0.0.1:${server.addr.port}`, {}, {
    open: () => socket.send(said),
    message: (data) => typeof data === "string" ? undefined : over.resolve(),
    end: () => over.resolve(),
  }, { clock: systemClock });
  await over.promise;
  socket.close();
  await server.shutdown();
}

/** Who takes part in it; the model is asked for more than it has when the call goes another way than it should. */
const extra = (clock: VirtualClock): Agent => ({
  instructions: "You rehearse a call.",
  greeting: "Hello! What can I do for you?",
  stt: scriptedSpeechToText([], clock),
  llm: scripted([{ text: "Nothing yet. Tell me more!" }])(clock),
  tts: scriptedTextToSpeech([], clock),
});
