/**
 * ElevenLabs' live speech recognition with manual commits on 127.0.0.1, as strict as the real one, with faults on demand:
 * https://elevenlabs.io/docs/api-reference/speech-to-text/v-1-speech-to-text-realtime
 */
// @ts-types="npm:@types/ws@8.18.1"
import type { WebSocket } from "ws";
import * as z from "zod";
import { type Clock, systemClock } from "../../src/clock.ts";
import { createEar, type EarOptions, type Heard } from "./ear.ts";
import { type Fault, type SocketServer, startSocketServer } from "./socket_server.ts";

const chunkSchema = z.strictObject({
  message_type: z.literal("input_audio_chunk"),
  audio_base_64: z.string(),
  commit: z.boolean(),
  sample_rate: z.number(),
});

export type ScribeChunk = z.infer<typeof chunkSchema>;

/** One connection as the server saw it. */
export interface ScribeConnection {
  readonly query: URLSearchParams;
  readonly key: string | undefined;
  /** What came, parsed, in order. */
  readonly chunks: ScribeChunk[];
  /** Milliseconds of audio that came. */
  audioMs: number;
  /** The code it was closed with; undefined while it is open. */
  closed: number | undefined;
}

export interface ScribeEmulatorOptions extends EarOptions {
  /** The key it takes (default "test-key"); "*" takes any. */
  readonly apiKey?: string;
  readonly clock?: Clock;
  /** How long a connection may be without audio, in milliseconds (default 15,000). */
  readonly idleMs?: number;
  /** The session is over after so much of it, in milliseconds (default: never). */
  readonly sessionMs?: number;
  /** How many commits are never answered. */
  readonly deafTo?: number;
  /** What goes wrong with the `n`th connection, counted from 0. */
  readonly fault?: (path: string, n: number) => Fault | undefined;
}

export interface ScribeEmulator extends SocketServer {
  /** Every connection that was opened, in order. */
  readonly connections: readonly ScribeConnection[];
}

/** Starts one; disposing it ends its connections. */
export async function startScribeEmulator(options: ScribeEmulatorOptions = {}): Promise<ScribeEmulator> {
  const { apiKey = "test-key", clock = systemClock, fault } = options;
  const connections: ScribeConnection[] = [];
  const told = { utterances: 0, unanswered: 0 };
  const server = await startSocketServer({
    clock,
    fault,
    accept({ pathname, searchParams: query }, headers) {
      if (pathname !== "/v1/speech-to-text/realtime") return 404;
      if (!isValid(query)) return 400;
      const key = headers["xi-api-key"] as string | undefined;
      const connection: ScribeConnection = { query, key, chunks: [], audioMs: 0, closed: undefined };
      connections.push(connection);
      return {
        onClose: (code) => connection.closed = code,
        serve(socket, progress) {
          if (apiKey === "*" || key === apiKey) listen(socket, connection, progress, clock, options, told);
          else refuse(socket, "auth_error", "You must be authenticated to use this endpoint.");
        },
      };
    },
  });
  return {
    url: server.url,
    connections,
    get open() {
      return server.open;
    },
    idle: server.idle,
    drop: server.drop,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Whether the query asks for what the emulator can do. */
function isValid(query: URLSearchParams): boolean {
  return query.get("model_id") === "scribe_v2_realtime" && query.get("audio_format") === "pcm_16000" &&
    query.get("commit_strategy") === "manual" && query.get("include_timestamps") === "true" &&
    /^[a-z]{2,3}$/.test(query.get("language_code") ?? "en");
}

/** Every error ends the session. */
function refuse(socket: WebSocket, type: string, error: string): void {
  socket.send(JSON.stringify({ message_type: type, error }));
  socket.close(1000, type === "commit_throttled" ? type : undefined);
}

function listen(
  socket: WebSocket,
  connection: ScribeConnection,
  progress: (audioMs: number) => void,
  clock: Clock,
  { idleMs = 15_000, sessionMs = Infinity, deafTo = 0, ...options }: ScribeEmulatorOptions,
  told: { utterances: number; unanswered: number },
): void {
  const { delayMs = 60 } = options;
  const ear = createEar(16_000, options, told);
  const timers = new Set<Disposable>();
  let idle: Disposable | undefined;
  const send = (type: string, more: Record<string, unknown>) =>
    socket.send(JSON.stringify({ message_type: type, ...more }));
  const later = (ms: number, act: () => void) => {
    const timer = clock.after(ms, () => {
      timers.delete(timer);
      if (socket.readyState === socket.OPEN) act();
    });
    timers.add(timer);
  };
  const answer = ({ text, fromMs, untilMs }: Heard) => {
    if (told.unanswered < deafTo) return told.unanswered++;
    later(delayMs, () => {
      send("committed_transcript", { text });
      if (text === "") return;
      send("committed_transcript_with_timestamps", {
        text,
        language_code: "en",
        words: wordsOf(text, fromMs, untilMs),
      });
      send("partial_transcript", { text }); // it says the last thing again
    });
  };
  const restartIdle = () => {
    idle?.[Symbol.dispose]();
    idle = clock.after(idleMs, () => socket.close(1000));
  };
  const obey = ({ audio_base_64: audio, commit }: ScribeChunk) => {
    const bytes = Uint8Array.fromBase64(audio);
    if (bytes.length > 0) restartIdle();
    const interim = ear.hear(bytes);
    if (interim !== undefined) later(delayMs, () => send("partial_transcript", { text: interim }));
    connection.audioMs += bytes.length / 32;
    if (commit && ear.uncommittedMs < 300) {
      const s = (ear.uncommittedMs / 1000).toFixed(2);
      const error = `Commit request ignored: only ${s}s of uncommitted audio. You need at least 0.3s of ` +
        `uncommitted audio before committing.`;
      return refuse(socket, "commit_throttled", error);
    }
    if (commit || ear.uncommittedMs >= 35_800) answer(ear.commit());
    progress(connection.audioMs);
  };
  restartIdle();
  if (sessionMs < Infinity) {
    later(sessionMs, () => refuse(socket, "session_time_limit_exceeded", "The session is over."));
  }
  send("session_started", { session_id: "emulator", config: Object.fromEntries(connection.query) });
  socket.on("message", (data: Uint8Array) => {
    const chunk = chunkSchema.safeParse(JSON.parse(new TextDecoder().decode(data)));
    if (!chunk.success) return refuse(socket, "input_error", "That is no input_audio_chunk.");
    connection.chunks.push(chunk.data);
    obey(chunk.data);
  });
  socket.on("close", () => {
    idle?.[Symbol.dispose]();
    for (const timer of timers) timer[Symbol.dispose]();
  });
}

function wordsOf(text: string, fromMs: number, untilMs: number) {
  const words = text.split(" ");
  const wordS = (untilMs - fromMs) / 1000 / words.length;
  return words.flatMap((text, i) => {
    const start = fromMs / 1000 + i * wordS;
    const word = { text, start, end: start + wordS, type: "word", logprob: -0.01 };
    return i === 0 ? [word] : [{ text: " ", start, end: start, type: "spacing", logprob: -0.01 }, word];
  });
}
