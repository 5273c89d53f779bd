/** What OpenAI's realtime sessions have in common, those that transcribe and those that answer: hearing, and complaining. */
import * as z from "zod";
import { createEar, type EarOptions } from "./ear.ts";
import type { EmulatedConnection, SocketServerOptions, Wire } from "./socket_server.ts";

/** The models that transcribe while one speaks. */
export const live = ["gpt-live-transcribe", "gpt-realtime-whisper"];

/** How a session is told what transcribes. */
export const transcription = z.strictObject({
  model: z.string(),
  language: z.string().regex(/^[a-z]{2}$/).optional(),
  languages: z.array(z.string().regex(/^[a-z]{2}$/)).optional(),
});

export interface SessionConnection<Message> extends EmulatedConnection {
  readonly authorization: string | undefined;
  /** What came, in order. */
  readonly messages: Message[];
  /** What it was told that it cannot do. */
  readonly refused: string[];
}

export interface SessionOptions extends EarOptions, SocketServerOptions {
  /** How long a session lasts, in milliseconds (default: an hour). */
  readonly sessionMs?: number;
  /** How long the words of the `n`th commit take, in milliseconds, counted from 0 (default `delayMs`); Infinity: they fail. */
  readonly transcriptionMs?: (n: number) => number;
}

/** What is counted over all connections. */
export interface Told {
  utterances: number;
  commits: number;
}

/** Why something is not done. */
export class Refusal extends Error {
  readonly code: string | null;

  constructor(code: string | null, message: string) {
    super(message);
    this.code = code;
  }
}

/** One session, on a connection that has been let in. */
export function createSession<Message extends { readonly event_id?: string | undefined }>(
  { socket, connection, later }: Wire<SessionConnection<Message>>,
  options: SessionOptions,
  told: Told,
) {
  const { delayMs = 60, sessionMs = 3_600_000, transcriptionMs = () => delayMs } = options;
  const ear = createEar(24_000, options, told);
  let ids = 0;
  let toldWords = 0;
  const newId = (kind: string) => `${kind}_server_${++ids}`;
  let open = newId("item");

  const send = (type: string, more: Record<string, unknown> = {}) => {
    if (socket.readyState !== socket.OPEN) return;
    socket.send(JSON.stringify({ type, event_id: newId("event"), ...more }));
  };
  const complain = (code: string | null, message: string, event_id: string | null = null) => {
    connection.refused.push(message);
    send("error", { error: { type: "invalid_request_error", code, message, param: null, event_id } });
  };
  const tell = (kind: string, item_id: string, more: object) =>
    send(`conversation.item.input_audio_transcription.${kind}`, { item_id, content_index: 0, ...more });
  return {
    newId,
    send,
    complain,
    /** The model that transcribes; empty until the session is told. */
    transcriber: "",
    /** Takes in audio; returns how long it is, in milliseconds. */
    append(audio: string): number {
      const bytes = Uint8Array.fromBase64(audio);
      const words = ear.hear(bytes)?.split(" ");
      if (words && live.includes(this.transcriber)) {
        const id = open;
        const delta = words.slice(toldWords).map((word) => `${word} `).join("");
        toldWords = words.length;
        if (delta !== "") later(delayMs, () => tell("delta", id, { delta }));
      }
      return bytes.length / 48;
    },
    clear() {
      if (ear.uncommittedMs > 0) ear.commit();
    },
    /** Makes an item of what was appended, of which `keep` is told before the client is; `after`: the item before. */
    commit(
      after: string | null = null,
      keep: (item: { id: string; text: string; audioMs: number }) => void = () => {},
    ) {
      const ms = ear.uncommittedMs;
      if (ms < 100) {
        const message =
          "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but " +
          `buffer only has ${ms.toFixed(2)}ms of audio.`;
        throw new Refusal("input_audio_buffer_commit_empty", message);
      }
      const { text } = ear.commit();
      const id = open;
      open = newId("item");
      toldWords = 0;
      keep({ id, text, audioMs: ms });
      send("input_audio_buffer.committed", { item_id: id, previous_item_id: after });
      const waitMs = transcriptionMs(told.commits++);
      const error = { type: "transcription_error", code: null, message: "Too many requests." };
      if (waitMs === Infinity) return tell("failed", id, { error });
      const isLive = live.includes(this.transcriber);
      later(waitMs, () => {
        if (!isLive) tell("delta", id, { delta: text });
        tell("completed", id, { transcript: text, usage: { type: "duration", seconds: ms / 1000 } });
      });
    },
    /** Begins it: from now on what comes is read by `schema` and obeyed; a Refusal is told to the client. */
    begin(type: string, schema: z.ZodType<Message>, obey: (message: Message) => void) {
      later(sessionMs, () => {
        const minutes = sessionMs / 60_000;
        complain("session_expired", `Your session hit the maximum duration of ${minutes} minutes.`);
        socket.close(1001);
      });
      send("session.created", { session: { type, id: "sess_emulator" } });
      socket.on("message", (data: Uint8Array) => {
        const message = schema.safeParse(JSON.parse(new TextDecoder().decode(data)));
        if (!message.success) return complain("invalid_value", z.prettifyError(message.error));
        connection.messages.push(message.data);
        try {
          obey(message.data);
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          complain(error.code, error.message, message.data.event_id);
        }
      });
    },
  };
}
