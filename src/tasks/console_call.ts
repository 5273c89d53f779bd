/** A conversation in a terminal: lines in, the agent's words out. */
import type { AudioFrame } from "../audio/frame.ts";
import type { AudioDevice } from "../audio/playout.ts";
import type { Clock } from "../clock.ts";
import type { CloseReason, SessionEvent } from "../events.ts";
import { silentLog } from "../log.ts";
import { memoryRoom } from "../room/memory.ts";
import { type SessionOptions, startSession } from "../session.ts";
import { watch } from "../testing/watch.ts";
import { createScreen } from "./console_screen.ts";

/** The agent that the user talks with, and what it works with. */
export interface ConsoleOptions
  extends Pick<SessionOptions, "agent" | "agentName" | "providers" | "turnTaking" | "equip"> {
  readonly device: AudioDevice;
  /** The user's voice; missing where there is only what they type. */
  readonly microphone?: ReadableStream<AudioFrame>;
  /** What is typed; its end ends the call when everything was answered. */
  readonly input: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Whether somebody types it now; otherwise each line waits for the answer to the one before. */
  readonly isTerminal: boolean;
  readonly write: (text: string) => void;
  readonly clock: Clock;
}

/** What an agent says by itself it begins to say at once; milliseconds. */
const firstWordsMs = 100;
/** `deno task` passes on a ctrl-c that the terminal has sent to this process too: so soon after, it is the same one. */
const sameSignalMs = 500;

/** Talks until the user quits, the input has ended and was answered, or the session ends; returns why. */
export async function talk(
  { device, microphone, input, isTerminal, write, clock, ...options }: ConsoleOptions,
): Promise<CloseReason> {
  const screen = createScreen(write, { showsUser: microphone !== undefined || !isTerminal });
  let name = options.agentName;
  const room = memoryRoom({
    name: "console",
    clock,
    device,
    transcripts: {
      user() {},
      agent: () => ({ write: (text) => screen.words(name, text), close() {} }),
    },
  });
  const { session, joined } = startSession({
    ...options,
    id: "console",
    join: () => Promise.resolve(room),
    metadata: "",
    clock,
    log: silentLog, // what fails is shown
  });

  /** Lines that were sent and are no turns yet. */
  let sent = 0;
  let look = (): void => {};
  const isOver = () => session.state === "closed";
  const isQuiet = () => isOver() || (watched.isAtRest && sent === 0);
  const watched = watch(session, (event: SessionEvent) => {
    if (event.type === "handoff") name = event.to;
    if (event.type === "user-speech-committed") sent = Math.max(0, sent - 1);
    screen.show(event);
    if (isTerminal && isQuiet() && !isOver()) screen.prompt();
    look();
  });
  const untilQuiet = async () => {
    while (!isQuiet()) await new Promise<void>((resolve) => look = resolve);
  };

  let signalledMs = -Infinity;
  const interrupt = () => {
    if (clock.now() - signalledMs < sameSignalMs) return;
    signalledMs = clock.now();
    if (session.state === "speaking" || session.state === "thinking") session.interrupt();
    else void session.close();
  };
  Deno.addSignalListener("SIGINT", interrupt);

  room.enter("you");
  const over = new AbortController();
  const hearing = microphone?.pipeTo(new WritableStream({ write: (frame) => room.hear(frame) }), over);
  await Promise.allSettled([joined]); // a failure is shown, and ends the session
  if (!isTerminal) await clock.sleep(firstWordsMs);
  for await (const line of linesOf(input, session.done)) {
    if (isTerminal) screen.typed();
    const text = line.trim();
    if (text === "/quit") break;
    if (text === "") {
      room.tell({ type: "interrupt" });
      continue;
    }
    if (!isTerminal) await untilQuiet();
    sent++;
    room.tell({ type: "text", text });
  }
  if (!isTerminal) await untilQuiet();
  await session.close();
  over.abort();
  await Promise.allSettled([watched.done, hearing]);
  Deno.removeSignalListener("SIGINT", interrupt);
  return await session.done;
}

/** The lines of `input`, until `over` settles. */
async function* linesOf(
  input: ReadableStream<Uint8Array<ArrayBuffer>>,
  over: Promise<unknown>,
): AsyncGenerator<string> {
  const reader = input.pipeThrough(new TextDecoderStream()).getReader();
  void over.then(() => reader.cancel());
  let rest = "";
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const lines = (rest + read.value).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest) yield rest;
}
