/**
 * AssemblyAI's streaming protocol on 127.0.0.1, with faults on demand.
 * https://www.assemblyai.com/docs/streaming/message-sequence
 */
import {
  type EmulatedConnection,
  type SocketServer,
  type SocketServerOptions,
  startSocketServer,
} from "./socket_server.ts";
import { createTurnHearing, type HeardTurn } from "./turn_hearing.ts";

/** One connection as the server saw it. */
export interface AssemblyAIConnection extends EmulatedConnection {
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  /** The text messages that came, parsed, in order. */
  readonly messages: { readonly type: string }[];
  /** How long each message of audio was, in milliseconds. */
  readonly audioMs: number[];
}

export interface AssemblyAIEmulatorOptions extends SocketServerOptions {
  /** What is said, a turn each, again from the first when used up; "|" parts pieces with a pause between. */
  readonly transcripts?: readonly string[];
  /** Milliseconds from audio to the message about it (default 60). */
  readonly listenDelayMs?: number;
  /** What it tells once the connection is open, in place of beginning. */
  readonly error?: { readonly error_code: number; readonly error: string };
}

export type AssemblyAIEmulator = SocketServer<AssemblyAIConnection>;

/** A message of audio is no shorter and no longer, in milliseconds. */
const audioBounds = { least: 50, most: 1_000 };
/** Milliseconds of speech between two messages. */
const updateMs = 240;
const models = /^(universal-streaming-(english|multilingual)|universal-3-5-pro|u3-rt-pro|whisper-rt)$/;

interface Silences {
  readonly min_turn_silence: number;
  readonly max_turn_silence: number;
}

/** Starts one; disposing it ends its connections. */
export function startAssemblyAIEmulator(
  options: AssemblyAIEmulatorOptions = {},
): Promise<AssemblyAIEmulator> {
  const { apiKey = "test-key" } = options;
  const { transcripts = ["Hello there."], listenDelayMs = 60 } = options;
  let told = 0;
  return startSocketServer<AssemblyAIConnection>(options, {
    accept({ pathname, searchParams: query }, { authorization }) {
      if (pathname !== "/v3/ws") return 404;
      return { query, authorization, messages: [], audioMs: [], closed: undefined };
    },
    serve(wire) {
      const { socket, connection, progress } = wire;
      const { query, authorization } = connection;
      const rate = Number(query.get("sample_rate"));
      const isPlain = query.get("speech_model")?.startsWith("universal-streaming") ?? false;
      let silences: Silences = {
        min_turn_silence: Number(query.get("min_turn_silence") ?? 400),
        max_turn_silence: Number(query.get("max_turn_silence") ?? 1_280),
      };
      let order = 0;
      let updatedMs = 0;
      let ending = 0;
      let failed = false;

      const later = (act: () => void) => wire.later(listenDelayMs, act);
      const send = (message: object) => later(() => socket.send(JSON.stringify(message)));
      const fail = (error_code: number, error: string) => {
        failed = true;
        send({ type: "Error", error_code, error });
        later(() => socket.close(error_code, "See Error message for details"));
      };
      /** The models of universal streaming do not format what they hear. */
      const spelt = (text: string) => isPlain ? text.toLowerCase().replaceAll(/[.,?!]/g, "") : text;
      const tell = ({ words }: Pick<HeardTurn, "words">, end_of_turn: boolean) => {
        updatedMs = hearing.atMs;
        const heard = words.map(({ text, startMs, endMs }, i) => ({
          text: spelt(text),
          start: startMs,
          end: endMs,
          confidence: 0.99,
          word_is_final: end_of_turn || i < words.length - 1,
        }));
        const transcript = heard.filter((word) => word.word_is_final).map(({ text }) => text).join(" ");
        send({
          type: "Turn",
          turn_order: order,
          turn_is_formatted: !isPlain,
          end_of_turn,
          transcript,
          end_of_turn_confidence: end_of_turn ? 0.8 : 0.01,
          words: heard,
          utterance: end_of_turn ? transcript : "",
        });
      };
      const endTurn = () => {
        if (!hearing.turn) return;
        tell(hearing.turn, true);
        ending++;
        later(() => {
          told++;
          ending--;
        });
        order++;
        hearing.end();
      };
      const hearing = createTurnHearing({
        rate,
        spoken: () => transcripts[(told + ending) % transcripts.length] ?? "",
        onWindow() {
          const { turn } = hearing;
          if (!turn) return;
          const { min_turn_silence, max_turn_silence } = silences;
          if (turn.silentMs >= (turn.isWhole ? min_turn_silence : max_turn_silence)) endTurn();
          else if (hearing.atMs - updatedMs >= updateMs) tell(turn, false);
        },
      });
      const obey = (message: { readonly type: string } & Partial<Silences>) => {
        connection.messages.push(message);
        const { type, ...silence } = message;
        if (type === "ForceEndpoint") endTurn();
        else if (type === "UpdateConfiguration") silences = { ...silences, ...silence };
        else if (type !== "Terminate") fail(3006, `Invalid Message Type: ${type}`);
        else {
          if (hearing.turn) endTurn();
          else tell({ words: [] }, true); // theirs, too, has no words
          send({ type: "Termination", audio_duration_seconds: 1, session_duration_seconds: 1 });
          later(() => socket.close(1000, "Session Ended"));
        }
      };
      socket.on("message", (data: Uint8Array, isBinary: boolean) => {
        if (failed) return;
        if (!isBinary) return obey(JSON.parse(new TextDecoder().decode(data)));
        const ms = data.length / 2 / rate * 1000;
        connection.audioMs.push(ms);
        if (ms < audioBounds.least || ms > audioBounds.most) {
          return fail(
            3007,
            `Input Duration Error: Input Duration Violation: ${ms} ms. Expected between 50 and 1000 ms`,
          );
        }
        hearing.hear(data);
        progress(connection.audioMs.reduce((sum, ms) => sum + ms, 0));
      });
      // The key and the query are looked at once the connection is open.
      const problem = options.error ?? problemOf(query, authorization, apiKey);
      if (problem) fail(problem.error_code, problem.error);
      else send({ type: "Begin", id: "emulator", expires_at: 0, configuration: {} });
    },
  });
}

function problemOf(query: URLSearchParams, authorization: string | undefined, apiKey: string) {
  const invalid = (what: string) => ({
    error_code: 3006,
    error: `User Input Validation Error: Invalid '${what}'`,
  });
  if (authorization !== apiKey) {
    return { error_code: 1008, error: "Unauthorized Connection: Invalid API key" };
  }
  if (!models.test(query.get("speech_model") ?? "")) return invalid("speech_model");
  if (query.get("encoding") !== "pcm_s16le") return invalid("encoding");
  if (!(Number(query.get("sample_rate")) >= 8_000)) return invalid("sample_rate");
  const threshold = Number(query.get("end_of_turn_confidence_threshold") ?? 0.4);
  return threshold >= 0 && threshold <= 1 ? undefined : invalid("end_of_turn_confidence_threshold");
}
