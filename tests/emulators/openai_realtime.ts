/**
 * OpenAI's realtime transcription on 127.0.0.1, as strict as the real one, with faults on demand:
 * https://developers.openai.com/api/docs/guides/realtime-transcription
 */
// @ts-types="npm:@types/ws@8.18.1"
import type { WebSocket } from "ws";
import * as z from "zod";
import { type Clock, systemClock } from "../../src/clock.ts";
import { createEar, type EarOptions } from "./ear.ts";
import { type Fault, type SocketServer, startSocketServer } from "./socket_server.ts";

const transcription = z.strictObject({
  model: z.string(),
  language: z.string().regex(/^[a-z]{2}$/).optional(),
  languages: z.array(z.string().regex(/^[a-z]{2}$/)).optional(),
});
const messageSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("session.update"),
    session: z.strictObject({
      type: z.literal("transcription"),
      audio: z.strictObject({
        input: z.strictObject({
          format: z.strictObject({ type: z.literal("audio/pcm"), rate: z.literal(24_000) }),
          transcription,
          turn_detection: z.null(),
        }),
      }),
    }),
  }),
  z.strictObject({ type: z.literal("input_audio_buffer.append"), audio: z.base64().min(1) }),
  z.strictObject({ type: z.literal("input_audio_buffer.commit") }),
]);

export type RealtimeMessage = z.infer<typeof messageSchema>;

/** The models that bring words before the commit. */
const live = ["gpt-live-transcribe", "gpt-realtime-whisper"];
const models = [...live, "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "whisper-1"];

/** One connection as the server saw it. */
export interface RealtimeConnection {
  readonly authorization: string | undefined;
  /** What came, parsed, in order. */
  readonly messages: RealtimeMessage[];
  /** Milliseconds of audio that came. */
  audioMs: number;
  /** The code it was closed with; undefined while it is open. */
  closed: number | undefined;
}

export interface RealtimeEmulatorOptions extends EarOptions {
  /** The key it takes (default "test-key"); "*" takes any. */
  readonly apiKey?: string;
  readonly clock?: Clock;
  /** How long a session lasts, in milliseconds (default: an hour). */
  readonly sessionMs?: number;
  /** How long the words of the `n`th commit take, in milliseconds, counted from 0 (default `delayMs`); Infinity: they fail. */
  readonly commitMs?: (n: number) => number;
  /** What goes wrong with the `n`th connection, counted from 0. */
  readonly fault?: (path: string, n: number) => Fault | undefined;
}

export interface RealtimeEmulator extends SocketServer {
  /** The base URL to give a client: http://127.0.0.1:port/v1. */
  readonly url: string;
  /** Every connection that was opened, in order. */
  readonly connections: readonly RealtimeConnection[];
}

/** Starts one; disposing it ends its connections. */
export async function startRealtimeEmulator(
  options: RealtimeEmulatorOptions = {},
): Promise<RealtimeEmulator> {
  const { apiKey = "test-key", clock = systemClock, fault } = options;
  const connections: RealtimeConnection[] = [];
  const told = { utterances: 0, commits: 0 };
  const server = await startSocketServer({
    clock,
    fault,
    accept({ pathname, search }, { authorization }) {
      if (pathname !== "/v1/realtime") return 404;
      if (apiKey !== "*" && authorization !== `Bearer ${apiKey}`) return 401;
      if (search !== "?intent=transcription") return 400; // a model in it makes another kind of session
      const connection: RealtimeConnection = { authorization, messages: [], audioMs: 0, closed: undefined };
      connections.push(connection);
      return {
        onClose: (code) => connection.closed = code,
        serve: (socket, progress) => listen(socket, connection, progress, clock, options, told),
      };
    },
  });
  return {
    url: `${server.url}/v1`,
    connections,
    get open() {
      return server.open;
    },
    idle: server.idle,
    drop: server.drop,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function listen(
  socket: WebSocket,
  connection: RealtimeConnection,
  progress: (audioMs: number) => void,
  clock: Clock,
  options: RealtimeEmulatorOptions,
  told: { utterances: number; commits: number },
): void {
  const { delayMs = 60, sessionMs = 3_600_000, commitMs = () => delayMs } = options;
  const ear = createEar(24_000, options, told);
  const timers = new Set<Disposable>();
  let model = "";
  let items = 0;
  /** What was told of the item that is not committed. */
  let toldWords = 0;
  const send = (type: string, more: Record<string, unknown> = {}) =>
    socket.send(JSON.stringify({ type, event_id: "event_emulator", ...more }));
  const complain = (code: string | null, message: string) =>
    send("error", { error: { type: "invalid_request_error", code, message, param: null, event_id: null } });
  const later = (ms: number, act: () => void) => {
    const timer = clock.after(ms, () => {
      timers.delete(timer);
      if (socket.readyState === socket.OPEN) act();
    });
    timers.add(timer);
  };
  const about = (id: string) => ({ item_id: id, content_index: 0 });
  const transcriptionEvent = (kind: string) => `conversation.item.input_audio_transcription.${kind}`;

  const append = (bytes: Uint8Array) => {
    const id = `item_${items}`;
    const words = ear.hear(bytes)?.split(" ");
    connection.audioMs += bytes.length / 48;
    if (words && live.includes(model)) {
      const delta = words.slice(toldWords).map((word) => `${word} `).join("");
      toldWords = words.length;
      if (delta !== "") later(delayMs, () => send(transcriptionEvent("delta"), { ...about(id), delta }));
    }
    progress(connection.audioMs);
  };
  const commit = () => {
    if (ear.uncommittedMs < 100) {
      const message = `Error committing input audio buffer: buffer too small. Expected at least 100ms of ` +
        `audio, but buffer only has ${ear.uncommittedMs.toFixed(2)}ms of audio.`;
      return complain("input_audio_buffer_commit_empty", message);
    }
    const { text } = ear.commit();
    const id = `item_${items++}`;
    toldWords = 0;
    send("input_audio_buffer.committed", { item_id: id, previous_item_id: null });
    const ms = commitMs(told.commits++);
    const error = { type: "transcription_error", code: null, message: "Too many requests." };
    if (ms === Infinity) return send(transcriptionEvent("failed"), { ...about(id), error });
    later(ms, () => {
      if (!live.includes(model)) send(transcriptionEvent("delta"), { ...about(id), delta: text });
      send(transcriptionEvent("completed"), { ...about(id), transcript: text, usage: { type: "duration" } });
    });
  };
  const obey = (message: RealtimeMessage) => {
    connection.messages.push(message);
    if (message.type === "session.update") {
      ({ model } = message.session.audio.input.transcription);
      const { languages, language } = message.session.audio.input.transcription;
      const plural = /^gpt-(live-)?transcribe/.test(model);
      if (!models.includes(model)) complain("invalid_value", `Invalid value: '${model}'.`);
      else if (plural ? language : languages) complain("unknown_parameter", "That language is not taken.");
      else send("session.updated", { session: message.session });
    } else if (model === "") complain("invalid_request", "The session is not configured.");
    else if (message.type === "input_audio_buffer.append") append(Uint8Array.fromBase64(message.audio));
    else commit();
  };
  later(sessionMs, () => {
    const minutes = sessionMs / 60_000;
    complain("session_expired", `Your session hit the maximum duration of ${minutes} minutes.`);
    socket.close(1001);
  });
  send("session.created", { session: { type: "transcription", id: "sess_emulator" } });
  socket.on("message", (data: Uint8Array) => {
    const message = messageSchema.safeParse(JSON.parse(new TextDecoder().decode(data)));
    if (message.success) obey(message.data);
    else complain("invalid_value", z.prettifyError(message.error));
  });
  socket.on("close", () => {
    for (const timer of timers) timer[Symbol.dispose]();
  });
}
