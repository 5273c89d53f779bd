/** /v1/speak: so many milliseconds of sound for each word, a sentence at a time. */
import type { Wire } from "./deepgram.ts";
import { voice } from "./voice.ts";

export interface SpeakOptions {
  /** Milliseconds from a whole sentence, or Flush, to its first audio (default 80). */
  readonly firstAudioMs?: number;
  /** How many times faster than real time the audio comes (default 20). */
  readonly speed?: number;
  readonly msPerWord?: number;
  /** Bytes of audio in a message (default: 100 ms); may be odd. */
  readonly chunkBytes?: number;
  /** Milliseconds from Clear to Cleared (default 0); the cleared audio goes on coming until then. */
  readonly clearMs?: number;
  /** The sound of a text, in place of the default voice: `count` samples from the `from`th on. */
  readonly sound?: (text: string, from: number, count: number) => Int16Array;
}

/** Deepgram processes this many Flush messages in this time. */
const flushLimit = { count: 20, withinMs: 60_000 };

/** Serves one connection. */
export function speak({ socket, connection, clock, progress }: Wire, options: SpeakOptions): void {
  const { firstAudioMs = 80, speed = 20, msPerWord = 130, clearMs = 0 } = options;
  const rate = Number(connection.query.get("sample_rate"));
  const { chunkBytes = rate / 10 * 2, sound = (_, from, count) => voice(rate, from, count) } = options;
  const jobs: { readonly text: string; readonly readyAtMs: number; readonly flushed: boolean }[] = [];
  const gone = new AbortController();
  let cleared = new AbortController();
  let flushes: number[] = [];
  let buffer = "";
  let sentMs = 0;
  let sequence = 0;
  let busy = false;

  const send = (message: Record<string, unknown>) => {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
  };
  const sendAudio = async (text: string, readyAtMs: number, signal: AbortSignal) => {
    await clock.sleep(readyAtMs - clock.now(), { signal });
    const words = text.match(/\S+/g)?.length ?? 0;
    const total = Math.round(words * msPerWord * rate / 1000);
    const bytes = new Uint8Array(sound(text, 0, total).buffer);
    for (let at = 0; at < bytes.length && socket.readyState === socket.OPEN; at += chunkBytes) {
      const chunk = bytes.subarray(at, at + chunkBytes);
      socket.send(chunk.slice());
      sentMs += chunk.length / 2 / rate * 1000;
      progress(sentMs);
      await clock.sleep(chunk.length / 2 / rate * 1000 / speed, { signal });
    }
  };
  const work = async () => {
    if (busy) return;
    busy = true;
    for (let job = jobs.shift(); job && !gone.signal.aborted; job = jobs.shift()) {
      const { signal } = cleared;
      try {
        if (job.flushed) send({ type: "Flushed", sequence_id: sequence++ });
        else await sendAudio(job.text, job.readyAtMs, AbortSignal.any([signal, gone.signal]));
      } catch (error) {
        if (!signal.aborted && !gone.signal.aborted) throw error;
      }
    }
    busy = false;
  };
  const cut = (all: boolean) => {
    const whole = all ? buffer : buffer.match(/^[\s\S]*[.?!](?=\s|$)\s*/)?.[0] ?? "";
    buffer = buffer.slice(whole.length);
    if (whole.trim()) jobs.push({ text: whole, readyAtMs: clock.now() + firstAudioMs, flushed: false });
  };
  const flush = () => {
    flushes = flushes.filter((atMs) => clock.now() - atMs < flushLimit.withinMs);
    if (flushes.length >= flushLimit.count) {
      const description = `no more than ${flushLimit.count} Flush messages in 60 s are processed`;
      return send({ type: "Warning", code: "EXCESSIVE_FLUSH", description });
    }
    flushes.push(clock.now());
    cut(true);
    jobs.push({ text: "", readyAtMs: 0, flushed: true });
  };
  const clear = async () => {
    buffer = "";
    if (clearMs > 0) await clock.sleep(clearMs, { signal: gone.signal });
    jobs.length = 0;
    cleared.abort();
    cleared = new AbortController();
    send({ type: "Cleared", sequence_id: sequence++ });
  };
  const obey = (message: { type: string; text?: string }) => {
    connection.messages.push(message);
    if (message.type === "Speak") {
      buffer += message.text ?? "";
      cut(false);
    } else if (message.type === "Flush") flush();
    else if (message.type === "Clear") clear().catch((error) => gone.signal.aborted || Promise.reject(error));
    else if (message.type === "Close") socket.close(1000);
    else socket.close(1008, `unknown message type ${message.type}`);
    void work();
  };
  socket.on("message", (data: Uint8Array) => obey(JSON.parse(new TextDecoder().decode(data))));
  socket.on("close", () => gone.abort());
  send({ type: "Metadata", request_id: "emulator", model_name: connection.query.get("model") });
}
