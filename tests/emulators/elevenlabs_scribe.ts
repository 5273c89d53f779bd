/**
 * ElevenLabs' live speech recognition with manual commits on 127.0.0.1, as strict as the real one, with faults on demand:
 * https://elevenlabs.io/docs/api-reference/speech-to-text/v-1-speech-to-text-realtime
 */
// @ts-types="npm:@types/ws@8.18.1"
import type { WebSocket } from "ws";
import * as z from "zod";
import { createEar, type EarOptions, type Heard } from "./ear.ts";
import {
  type EmulatedConnection,
  type SocketServer,
  type SocketServerOptions,
  startSocketServer,
  type Wire,
} from "./socket_server.ts";

const chunkSchema = z.strictObject({
  message_type: z.literal("input_audio_chunk"),
  audio_base_64: z.string(),
  commit: z.boolean(),
  sample_rate: z.number(),
});

export type ScribeChunk = z.infer<typeof chunkSchema>;

/** One connection as the server saw it. */
export interface ScribeConnection extends EmulatedConnection {
  readonly query: URLSearchParams;
  readonly key: string | undefined;
  /** What came, parsed, in order. */
  readonly chunks: ScribeChunk[];
  /** Milliseconds of audio that came. */
  audioMs: number;
}

export interface ScribeEmulatorOptions extends EarOptions, SocketServerOptions {
  /** How long a connection may be without audio, in milliseconds (default 15,000). */
  readonly idleMs?: number;
  /** The session is over after so much of it, in milliseconds (default: never). */
  readonly sessionMs?: number;
  /** How many commits are never answered. */
  readonly deafTo?: number;
}

export type ScribeEmulator = SocketServer<ScribeConnection>;

/** Starts one; disposing it ends its connections. */
export function startScribeEmulator(options: ScribeEmulatorOptions = {}): Promise<ScribeEmulator> {
  const { apiKey = "test-key" } = options;
  const told = { utterances: 0, unanswered: 0 };
  return startSocketServer<ScribeConnection>(options, {
    accept({ pathname, searchParams: query }, headers) {
      if (pathname !== "/v1/speech-to-text/realtime") return 404;
      if (!isValid(query)) return 400;
      const key = headers["xi-api-key"] as string | undefined;
      return { query, key, chunks: [], audioMs: 0, closed: undefined };
    },
    serve(wire) {
      const { socket, connection: { key } } = wire;
      if (apiKey === "*" || key === apiKey) listen(wire, options, told);
      else refuse(socket, "auth_error", "You must be authenticated to use this endpoint.");
    },
  });
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
  { socket, connection, clock, later, progress }: Wire<ScribeConnection>,
  { idleMs = 15_000, sessionMs = Infinity, deafTo = 0, ...options }: ScribeEmulatorOptions,
  told: { utterances: number; unanswered: number },
): void {
  const { delayMs = 60 } = options;
  const ear = createEar(16_000, options, told);
  let idle: Disposable | undefined;
  const send = (type: string, more: Record<string, unknown>) =>
    socket.send(JSON.stringify({ message_type: type, ...more }));
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
