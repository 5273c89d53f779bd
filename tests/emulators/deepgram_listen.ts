/** /v1/listen: whatever is loud is speech, and what it says is read from a list. */
import type { Wire } from "./deepgram.ts";

export interface ListenOptions {
  /** What is said, an utterance each, again from the first when used up; "|" parts pieces that become final by themselves. */
  readonly transcripts?: readonly string[];
  /** Tells what is said from how it sounds (16-bit PCM of so many samples a second), in place of the list. */
  readonly read?: (samples: Int16Array, rate: number) => string;
  /** Milliseconds from audio to the message about it (default 60). */
  readonly listenDelayMs?: number;
  /** Silence that ends an utterance, at least; real recognizers smooth (default 100). Infinity: only Finalize does. */
  readonly minEndpointMs?: number;
  /** Milliseconds of speech between interims, and for each word of them (default 200 and 280). */
  readonly interimMs?: number;
  readonly interimWordMs?: number;
  /** Close with NET-0001 after so many milliseconds without a message (default 10,000). */
  readonly idleMs?: number;
}

/** A window louder than this (RMS) is speech; two in a row begin an utterance. */
const loudness = 200;
const windowMs = 20;

/** Serves one connection. `told`: how many utterances were told as final, over all connections. */
export function listen(wire: Wire, options: ListenOptions, told: { utterances: number }): void {
  const { socket, connection, clock, later } = wire;
  const { transcripts = ["Hello there."], read, listenDelayMs = 60, minEndpointMs = 100 } = options;
  const { interimMs = 200, interimWordMs = 280, idleMs = 10_000 } = options;
  const rate = Number(connection.query.get("sample_rate"));
  const endpointMs = Math.max(minEndpointMs, Number(connection.query.get("endpointing") ?? 10) || Infinity);
  const windowBytes = rate * windowMs / 1000 * 2;
  let rest = new Uint8Array(0);
  let atMs = 0;
  let loudWindows = 0;
  /** Utterances that have ended and are not told yet. */
  let ending = 0;
  let speech: { readonly fromMs: number; untilMs: number; interimMs: number } | undefined;
  /** What was heard since then, or in the last two windows. */
  let sound: Int16Array[] = [];
  let idle: Disposable | undefined;

  const tell = (text: string, fromMs: number, untilMs: number, flags: Record<string, boolean>) =>
    socket.send(JSON.stringify(results(text, fromMs, untilMs, flags)));
  const spoken = () =>
    read
      ? read(Int16Array.from(sound.flatMap((samples) => [...samples])), rate)
      : transcripts[(told.utterances + ending) % transcripts.length] ?? "";

  const endUtterance = (end: "speech_final" | "from_finalize") => {
    const { fromMs, untilMs } = speech ?? { fromMs: atMs, untilMs: atMs };
    const pieces = speech ? spoken().split("|").map((piece) => piece.trim()) : [""];
    const count = speech ? 1 : 0;
    ending += count;
    speech = undefined;
    loudWindows = 0;
    later(listenDelayMs, () => {
      told.utterances += count;
      ending -= count;
      const pieceMs = (untilMs - fromMs) / pieces.length;
      pieces.forEach((piece, i) => {
        const startMs = fromMs + i * pieceMs;
        const last = i === pieces.length - 1;
        tell(piece, startMs, startMs + pieceMs, { is_final: true, ...(last && { [end]: true }) });
      });
    });
  };
  const hearWindow = (samples: Int16Array) => {
    const fromMs = atMs;
    atMs += windowMs;
    const rms = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    loudWindows = rms > loudness ? loudWindows + 1 : 0;
    if (!speech) sound = sound.slice(-1);
    if (read) sound.push(samples);
    if (!speech && loudWindows === 2) {
      speech = { fromMs: fromMs - windowMs, untilMs: atMs, interimMs: fromMs };
    }
    if (!speech) return;
    if (loudWindows > 0) speech.untilMs = atMs;
    else if (atMs - speech.untilMs >= endpointMs) return endUtterance("speech_final");
    if (loudWindows === 0 || atMs - speech.interimMs < interimMs) return;
    speech.interimMs = atMs;
    const said = spoken().replaceAll("|", " ").split(/\s+/);
    const { fromMs: startMs } = speech;
    const words = read ? said : said.slice(0, Math.max(1, Math.floor((atMs - startMs) / interimWordMs)));
    const untilMs = atMs;
    later(listenDelayMs, () => tell(words.join(" "), startMs, untilMs, {}));
  };
  const hear = (bytes: Uint8Array) => {
    connection.audioBytes += bytes.length;
    const all = new Uint8Array(rest.length + bytes.length);
    all.set(rest);
    all.set(bytes, rest.length);
    let at = 0;
    for (; at + windowBytes <= all.length; at += windowBytes) {
      hearWindow(new Int16Array(all.buffer, at, windowBytes / 2));
    }
    rest = all.slice(at);
    wire.progress(connection.audioBytes / rate / 2 * 1000);
  };
  const obey = (message: { type: string }) => {
    connection.messages.push(message);
    if (message.type === "Finalize") endUtterance("from_finalize");
    if (message.type !== "CloseStream") return;
    if (speech) endUtterance("speech_final");
    later(listenDelayMs, () => {
      socket.send(JSON.stringify({ type: "Metadata", request_id: "emulator", duration: atMs / 1000 }));
      socket.close(1000);
    });
  };
  const restartIdle = () => {
    idle?.[Symbol.dispose]();
    idle = clock.after(idleMs, () => {
      const reason =
        "Deepgram did not receive audio data or a text message within the timeout window. NET-0001";
      socket.close(1011, reason);
    });
  };
  restartIdle();
  socket.on("message", (data: Uint8Array, isBinary: boolean) => {
    restartIdle();
    if (isBinary) hear(data);
    else obey(JSON.parse(new TextDecoder().decode(data)));
  });
  socket.on("close", () => {
    idle?.[Symbol.dispose]();
  });
}

function results(text: string, fromMs: number, untilMs: number, flags: Record<string, boolean>) {
  const words = text.split(/\s+/).filter(Boolean);
  const wordMs = (untilMs - fromMs) / words.length;
  const confidence = words.length > 0 ? 0.99 : 0;
  return {
    type: "Results",
    channel_index: [0, 1],
    start: fromMs / 1000,
    duration: (untilMs - fromMs) / 1000,
    is_final: false,
    speech_final: false,
    from_finalize: false,
    ...flags,
    channel: {
      alternatives: [{
        transcript: text,
        confidence,
        words: words.map((word, i) => ({
          word: word.toLowerCase().replace(/[^\w']/g, ""),
          punctuated_word: word,
          start: (fromMs + i * wordMs) / 1000,
          end: (fromMs + (i + 1) * wordMs) / 1000,
          confidence,
        })),
      }],
    },
    metadata: { request_id: "emulator", model_uuid: "emulator", model_info: { name: "emulator" } },
  };
}
