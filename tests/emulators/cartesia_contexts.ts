/** Replies at a time on one connection, a context each: so many milliseconds of sound for each word, with the words' times. */
import type { Connection, InputMessage } from "./cartesia.ts";
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
  /** Whether words come with their times (default true); the real one leaves some out. */
  readonly times?: boolean;
  /** So many contexts may be active at a time (default 15, as on the Scale plan). */
  readonly concurrency?: number;
}

interface Context {
  readonly id: string;
  /** Every field that may not change. */
  readonly fields: string;
  readonly input: InputMessage;
  buffer: string;
  readonly texts: string[];
  busy: boolean;
  closing: boolean;
  sentMs: number;
  flushes: number;
  delay?: Disposable | undefined;
  expiry?: Disposable | undefined;
}

/** A context expires so long after its last audio, an idle connection after its last message; milliseconds. */
const lifeMs = { context: 1_000, connection: 300_000 };
const defaultDelayMs = 3_000;
const known = [
  ...["context_id", "transcript", "continue", "flush", "cancel", "model_id", "voice", "output_format"],
  ...["language", "generation_config", "add_timestamps", "use_normalized_timestamps", "max_buffer_delay_ms"],
];

/** Serves one connection. */
export function speakTranscripts(
  { socket, connection, clock, progress }: Wire<Connection>,
  options: SpeakOptions,
): void {
  const { firstAudioMs = 80, speed = 20, msPerWord = 130, chunkMs = 100, times = true, concurrency = 15 } =
    options;
  const contexts = new Map<string, Context>();
  const over = new Set<string>();
  const gone = new AbortController();
  let sentMs = 0;
  let idle: Disposable | undefined;

  const send = (message: Record<string, unknown>) => {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
  };
  const refuse = (id: string | undefined, status: number, title: string, message: string) => {
    if (id !== undefined) end(id);
    send({ type: "error", done: true, title, message, status_code: status, context_id: id });
  };
  const restartIdle = () => {
    idle?.[Symbol.dispose]();
    idle = clock.after(lifeMs.connection, () => socket.close(1000, "connection idle timeout"));
  };
  const end = (id: string) => {
    const context = contexts.get(id);
    context?.delay?.[Symbol.dispose]();
    context?.expiry?.[Symbol.dispose]();
    contexts.delete(id);
    over.add(id);
  };
  const finish = (id: string) => {
    end(id);
    send({ type: "done", done: true, status_code: 206, context_id: id });
  };
  const generate = async (context: Context, text: string) => {
    const { id, input } = context;
    const { signal } = gone;
    const rate = input.output_format?.sample_rate ?? 0;
    await clock.sleep(firstAudioMs, { signal });
    const words = text.match(/\S+/g) ?? [];
    const totalMs = words.length * msPerWord;
    const count = Math.round(totalMs * rate / 1000);
    const samples = (options.sound ?? ((_, count) => voice(rate, 0, count)))(text, count);
    const from = context.sentMs;
    const common = { done: false, status_code: 206, context_id: id, flush_id: context.flushes + 1 };
    for (let atMs = 0; atMs < totalMs; atMs += chunkMs) {
      const untilMs = Math.min(totalMs, atMs + chunkMs);
      const begin = words.map((_, n) => n * msPerWord);
      const inIt = begin.flatMap((startMs, n) => startMs >= atMs && startMs < untilMs ? [n] : []);
      if (times && input.add_timestamps && inIt.length > 0) {
        const start = inIt.map((n) => (from + n * msPerWord) / 1000);
        const end = inIt.map((n) => (from + (n + 0.9) * msPerWord) / 1000);
        const word_timestamps = { words: inIt.map((n) => words[n]), start, end };
        send({ type: "timestamps", ...common, word_timestamps });
      }
      const piece = samples.slice(Math.round(atMs * rate / 1000), Math.round(untilMs * rate / 1000));
      send({ type: "chunk", ...common, step_time: 1, data: new Uint8Array(piece.buffer).toBase64() });
      context.sentMs += untilMs - atMs;
      sentMs += untilMs - atMs;
      progress(sentMs);
      await clock.sleep((untilMs - atMs) / speed, { signal });
    }
    // Without buffering each transcript is flushed by itself.
    send({ type: "flush_done", ...common, flush_id: ++context.flushes, flush_done: true });
  };
  const work = async (context: Context) => {
    if (context.busy) return;
    context.busy = true;
    context.expiry?.[Symbol.dispose]();
    for (let text = context.texts.shift(); text !== undefined; text = context.texts.shift()) {
      await generate(context, text);
    }
    context.busy = false;
    if (contexts.get(context.id) !== context) return;
    if (context.closing) finish(context.id);
    else if (context.sentMs > 0) {
      context.expiry = clock.after(lifeMs.context, () => finish(context.id));
    }
  };
  const flush = (context: Context) => {
    context.delay?.[Symbol.dispose]();
    context.delay = undefined;
    if (context.buffer.trim()) context.texts.push(context.buffer);
    context.buffer = "";
    work(context).catch((error) => gone.signal.aborted || Promise.reject(error));
  };
  const take = (input: InputMessage) => {
    const id = input.context_id;
    if (Object.keys(input).some((key) => !known.includes(key))) {
      return refuse(id, 400, "Invalid request", "The request has a field that is not known.");
    }
    if (id === undefined) return refuse(id, 400, "Invalid request", "context_id is required.");
    if (input.cancel) {
      // What is being generated is sent to its end; what was not begun is not.
      const context = contexts.get(id);
      if (context) context.texts.length = 0;
      return end(id);
    }
    const wrong = problemOf(input);
    if (wrong) return refuse(id, 400, "Invalid request", wrong);
    if (over.has(id)) return refuse(id, 400, "Context expired", "Begin a new context.");
    const { transcript = "", continue: more = false, flush: flushed, ...rest } = input;
    const fields = JSON.stringify(rest);
    let context = contexts.get(id);
    if (!context) {
      if (contexts.size >= concurrency) {
        return refuse(id, 429, "Too many requests", "The concurrency limit is reached.");
      }
      if (!transcript.trim()) return refuse(id, 400, "Invalid transcript", "The transcript is empty.");
      context = {
        ...{ id, fields, input, buffer: "", texts: [], busy: false, closing: false, sentMs: 0, flushes: 0 },
      };
      contexts.set(id, context);
    } else if (fields !== context.fields || context.closing) {
      return refuse(id, 400, "Invalid request", "Inputs on the same context must keep all fields the same.");
    }
    const wait = input.max_buffer_delay_ms ?? defaultDelayMs;
    context.buffer += transcript;
    if (!more) context.closing = true;
    if (!more || flushed || wait === 0) flush(context);
    else context.delay ??= clock.after(wait, () => flush(context));
  };
  socket.on("message", (data: Uint8Array) => {
    restartIdle();
    const input: InputMessage = JSON.parse(new TextDecoder().decode(data));
    connection.messages.push(input);
    take(input);
  });
  socket.on("close", () => {
    idle?.[Symbol.dispose]();
    for (const id of contexts.keys()) end(id);
    gone.abort();
  });
  restartIdle();
}

/** What is wrong with `input`, in words. */
function problemOf(input: InputMessage): string | undefined {
  const { model_id, voice, output_format: format, generation_config: config = {}, transcript } = input;
  const within = (value: number | undefined, min: number, max: number) =>
    value === undefined || value >= min && value <= max;
  if (!/^sonic(-[\w.-]+)?$/.test(model_id ?? "")) {
    return "The model is not valid, make sure it is a valid model ID.";
  }
  if (voice?.mode !== "id" || !voice.id) return "voice is required.";
  if (transcript === undefined) return "transcript is required.";
  if (format?.container !== "raw" || format.encoding !== "pcm_s16le") return "output_format is not valid.";
  if (![8000, 16000, 22050, 24000, 44100, 48000].includes(format.sample_rate ?? 0)) {
    return "sample_rate is not valid.";
  }
  if (!within(input.max_buffer_delay_ms, 0, 5_000)) return "max_buffer_delay_ms is not valid.";
  if (!within(config.speed, 0.6, 1.5) || !within(config.volume, 0.5, 2)) {
    return "generation_config is not valid.";
  }
  return undefined;
}
