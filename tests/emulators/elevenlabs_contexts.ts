/** Up to five replies at a time on one connection: so many milliseconds of sound for each word, with the characters' times. */
import type { Connection, ContextMessage } from "./elevenlabs.ts";
import type { Wire } from "./socket_server.ts";
import { voice } from "./voice.ts";

export interface SpeakOptions {
  /** Milliseconds from text that is to be spoken to its first audio (default 80). */
  readonly firstAudioMs?: number;
  /** How many times faster than real time the audio comes (default 20). */
  readonly speed?: number;
  readonly msPerWord?: number;
  /** Milliseconds of audio in a message (default 100). */
  readonly chunkMs?: number;
  /** The sound of a text, in place of the default voice: `count` samples. */
  readonly sound?: (text: string, count: number) => Int16Array;
  /** What the characters' times come with: each piece of audio with its own (default), or all with a text's first. */
  readonly times?: "piece" | "text" | "none";
  /** How names are spelt (default "camel"). */
  readonly names?: "camel" | "snake";
  /** Nothing is spoken: the quota is used up. */
  readonly spent?: boolean;
}

interface Context {
  readonly settings: string;
  buffer: string;
  readonly texts: string[];
  busy: boolean;
  /** Audio of it was sent. */
  sounded: boolean;
  closing: boolean;
}

const mostContexts = 5;
const bufferedCharacters = 120;
const known = ["text", "context_id", "flush", "close_context", "close_socket", "voice_settings"];

/** Serves one connection. */
export function speakInContexts(
  { socket, connection, clock, progress }: Wire<Connection>,
  options: SpeakOptions,
): void {
  const { firstAudioMs = 80, speed = 20, msPerWord = 130, chunkMs = 100, times = "piece" } = options;
  const { query } = connection;
  const rate = Number(query.get("output_format")?.slice(4));
  const autoMode = query.get("auto_mode") === "true";
  const timeoutS = Number(query.get("inactivity_timeout") ?? 20);
  const sound = options.sound ?? ((_, count) => voice(rate, 0, count));
  const contexts = new Map<string, Context>();
  const gone = new AbortController();
  let sentMs = 0;
  let idle: Disposable | undefined;

  const send = (message: Record<string, unknown>) => {
    const spelt = options.names === "snake" ? snakeKeys(message) : message;
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(spelt));
  };
  /** As the real one does: the error as a message, and the connection's end. */
  const refuse = (error: string, message: string) => {
    send({ message, error, code: 1008 });
    socket.close(1008, message.slice(0, 120));
  };
  const restartIdle = () => {
    idle?.[Symbol.dispose]();
    idle = clock.after(timeoutS * 1000, () => {
      const words = `Have not received a new text input within the timeout of ${timeoutS} seconds.`;
      refuse("input_timeout_exceeded", words);
    });
  };
  const finish = (id: string) => {
    contexts.delete(id);
    send({ isFinal: true, contextId: id });
  };
  const sendText = async (id: string, context: Context, text: string) => {
    const { signal } = gone;
    await clock.sleep(firstAudioMs, { signal });
    // Ended before it has begun to sound: it may be dropped, and then nothing tells.
    if (context.closing && !context.sounded) return;
    const all = charactersOf(text, msPerWord);
    const totalMs = (text.match(/\S+/g)?.length ?? 0) * msPerWord;
    const samples = sound(text, Math.round(totalMs * rate / 1000));
    for (let atMs = 0; atMs < totalMs; atMs += chunkMs) {
      const untilMs = Math.min(totalMs, atMs + chunkMs);
      const piece = samples.slice(Math.round(atMs * rate / 1000), Math.round(untilMs * rate / 1000));
      const inIt = times === "piece"
        ? all.filter(({ startMs }) => startMs >= atMs && startMs < untilMs)
        : times === "text" && atMs === 0
        ? all
        : [];
      const alignment = inIt.length === 0 || query.get("sync_alignment") !== "true" ? null : {
        chars: inIt.map(({ char }) => char),
        charStartTimesMs: inIt.map(({ startMs }) => Math.round(startMs - atMs)),
        charDurationsMs: inIt.map(({ durationMs }) => Math.round(durationMs)),
      };
      const audio = new Uint8Array(piece.buffer).toBase64();
      send({ audio, alignment, normalizedAlignment: alignment, contextId: id, isFinal: null });
      context.sounded = true;
      sentMs += untilMs - atMs;
      progress(sentMs);
      await clock.sleep((untilMs - atMs) / speed, { signal });
    }
  };
  const work = async (id: string, context: Context) => {
    if (context.busy) return;
    context.busy = true;
    for (let text = context.texts.shift(); text !== undefined; text = context.texts.shift()) {
      if (options.spent) return finish(id);
      await sendText(id, context, text);
    }
    context.busy = false;
    if (context.closing) finish(id);
  };
  const take = (message: ContextMessage) => {
    const { text, context_id: id = "default", voice_settings: settings } = message;
    const spelt = JSON.stringify(settings ?? {});
    let context = contexts.get(id);
    if (!context && message.close_context) return;
    if (!context) {
      if (contexts.size >= mostContexts) {
        return refuse(
          "max_contexts",
          `Maximum simultaneous contexts per WebSocket connection exceeded (${mostContexts}).`,
        );
      }
      context = { settings: spelt, buffer: "", texts: [], busy: false, sounded: false, closing: false };
      contexts.set(id, context);
    } else if (settings && spelt !== context.settings) {
      return refuse(
        "invalid_voice_settings",
        "voice_settings field must be provided in the first message and then either be not provided or not change.",
      );
    }
    context.buffer += text ?? "";
    const due = message.flush || autoMode || context.buffer.length >= bufferedCharacters;
    if (due && context.buffer.trim()) {
      context.texts.push(context.buffer);
      context.buffer = "";
    }
    if (message.close_context) context.closing = true;
    work(id, context).catch((error) => gone.signal.aborted || Promise.reject(error));
  };
  socket.on("message", (data: Uint8Array) => {
    restartIdle();
    const message: ContextMessage = JSON.parse(new TextDecoder().decode(data));
    connection.messages.push(message);
    if (Object.keys(message).some((key) => !known.includes(key))) {
      return refuse(
        "invalid_input_message",
        "Could not parse input message, make sure it follows the schema.",
      );
    }
    if (message.close_socket) return socket.close(1000);
    take(message);
  });
  socket.on("close", () => {
    idle?.[Symbol.dispose]();
    gone.abort();
  });
  restartIdle();
  if (query.has("language_code") && !/_v2_5$/.test(query.get("model_id") ?? "")) {
    refuse(
      "unsupported_language_code",
      `Model '${query.get("model_id")}' does not support the language_code.`,
    );
  }
}

/** The characters of `text`; each word and the space after it share the word's time. */
function charactersOf(text: string, msPerWord: number) {
  return (text.match(/\S+\s*/g) ?? []).flatMap((word, n) => {
    const durationMs = msPerWord / word.length;
    return [...word].map((char, i) => ({ char, startMs: n * msPerWord + i * durationMs, durationMs }));
  });
}

function snakeKeys(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map((
      [key, inner],
    ) => [key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), snakeKeys(inner)]),
  );
}
