/**
 * OpenAI's realtime transcription on 127.0.0.1, as strict as the real one, with faults on demand:
 * https://developers.openai.com/api/docs/guides/realtime-transcription
 */
import * as z from "zod";
import {
  createSession,
  live,
  Refusal,
  type SessionConnection,
  type SessionOptions,
  type Told,
  transcription,
} from "./openai_realtime_session.ts";
import { type SocketServer, startSocketServer, type Wire } from "./socket_server.ts";

const event = { event_id: z.string().max(64).optional() };
const messageSchema = z.discriminatedUnion("type", [
  z.strictObject({
    ...event,
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
  z.strictObject({ ...event, type: z.literal("input_audio_buffer.append"), audio: z.base64().min(1) }),
  z.strictObject({ ...event, type: z.literal("input_audio_buffer.commit") }),
]);

export type RealtimeMessage = z.infer<typeof messageSchema>;

const models = [...live, "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "whisper-1"];

/** One connection as the server saw it. */
export interface RealtimeConnection extends SessionConnection<RealtimeMessage> {
  /** Milliseconds of audio that came. */
  audioMs: number;
}

export type RealtimeEmulator = SocketServer<RealtimeConnection>;

/** Starts one; disposing it ends its connections. */
export function startRealtimeEmulator(options: SessionOptions = {}): Promise<RealtimeEmulator> {
  const { apiKey = "test-key" } = options;
  const told = { utterances: 0, commits: 0 };
  return startSocketServer<RealtimeConnection>(options, {
    path: "/v1",
    accept({ pathname, search }, { authorization }) {
      if (pathname !== "/v1/realtime") return 404;
      if (apiKey !== "*" && authorization !== `Bearer ${apiKey}`) return 401;
      if (search !== "?intent=transcription") return 400; // a model in it makes another kind of session
      return { authorization, messages: [], refused: [], audioMs: 0, closed: undefined };
    },
    serve: (wire) => listen(wire, options, told),
  });
}

function listen(wire: Wire<RealtimeConnection>, options: SessionOptions, told: Told): void {
  const { connection, progress } = wire;
  const session = createSession(wire, options, told);
  session.begin("transcription", messageSchema, (message) => {
    if (message.type === "session.update") {
      const { model, languages, language } = message.session.audio.input.transcription;
      const plural = /^gpt-(live-)?transcribe/.test(model);
      session.transcriber = model;
      if (!models.includes(model)) throw new Refusal("invalid_value", `Invalid value: '${model}'.`);
      if (plural ? language : languages) {
        throw new Refusal("unknown_parameter", "That language is not taken.");
      }
      session.send("session.updated", { session: message.session });
    } else if (session.transcriber === "") {
      throw new Refusal("invalid_request", "The session is not configured.");
    } else if (message.type === "input_audio_buffer.append") {
      connection.audioMs += session.append(message.audio);
      progress(connection.audioMs);
    } else session.commit();
  });
}
