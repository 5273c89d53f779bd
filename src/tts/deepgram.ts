/** Voices by Deepgram: https://developers.deepgram.com/docs/tts-websocket */
import * as z from "zod";
import { abortable } from "../abort.ts";
import type { AudioFormat } from "../audio/frame.ts";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import { parseJson } from "../json.ts";
import type { Log } from "../log.ts";
import { createConnection, keepOpen } from "./connection.ts";
import { audioWriter, speak } from "./speaking.ts";
import type { TextToSpeech } from "./tts.ts";

/**
 * Deepgram processes at most 20 Flush messages in 60 s: https://developers.deepgram.com/docs/tts-ws-flush. A reply takes
 * two, for its beginning and its end; a connection that has few left is replaced between two replies.
 */
const flushLimit = { count: 20, replaceFrom: 16, withinMs: 60_000 };
/** A connection that does not confirm a Clear by then is given up. */
const clearMs = 1_000;

export interface DeepgramTextToSpeechOptions {
  readonly apiKey: string;
  /** A Deepgram of your own (default: Deepgram's); http: and https: stand for ws: and wss:. */
  readonly baseUrl?: string | undefined;
  /** The voice, which is the language as well. */
  readonly model?: string | undefined;
  /** 8000, 16000, 24000, 32000 or 48000. */
  readonly sampleRate?: number | undefined;
  readonly clock: Clock;
  /** Told what Deepgram warns of. */
  readonly log?: Log | undefined;
}

/**
 * Speaks with Deepgram's Aura voices. Not through its SDK: that one wraps every piece of audio in a Blob, which can only be
 * read later, out of step with the messages between the pieces. Replies on one connection wait for each other. An
 * aborted `synthesize()` fails with the signal's reason; any other failure is a StageError of stage "tts".
 */
export function deepgramTextToSpeech(
  {
    apiKey,
    baseUrl = "https://api.deepgram.com",
    model = "aura-2-thalia-en",
    sampleRate = 24_000,
    clock,
    log,
  }: DeepgramTextToSpeechOptions,
): TextToSpeech {
  const output = { sampleRate, channels: 1 };
  const query = new URLSearchParams({ model, encoding: "linear16", sample_rate: String(sampleRate) });
  const newLine = () => createLine(`${baseUrl}/v1/speak?${query}`, { apiKey, clock, log });
  const facts = { provider: "deepgram", model, output };
  return {
    ...facts,
    synthesize(text, { signal }) {
      const line = newLine();
      return speakOn(text, { line, output, signal, free: Promise.resolve(), onEnd: line.close }).events;
    },
    connect(session) {
      const line = newLine();
      let free: Promise<void> = Promise.resolve();
      keepOpen(line, session);
      return {
        ...facts,
        synthesize(text, { signal }) {
          const reply = speakOn(text, { line, output, signal, free });
          free = reply.done;
          return reply.events;
        },
      };
    },
  };
}

interface SpeakOptions {
  readonly line: ReturnType<typeof createLine>;
  readonly output: AudioFormat;
  readonly signal: AbortSignal;
  /** Settles when the reply before is off the line. */
  readonly free: Promise<void>;
  readonly onEnd?: () => void;
}

/** Speaks one reply; `done` settles when it is off the line. */
function speakOn(text: ReadableStream<string>, { line, output, signal, free, onEnd }: SpeakOptions) {
  /** For each Flush that was not answered yet: how much text came before it. */
  const marks: number[] = [];
  let characters = 0;
  let flushedCharacters = 0;
  let textEnded = false;

  return speak(text, signal, (reply) => {
    const flush = () => {
      marks.push(characters);
      line.flush();
    };
    const listener = {
      audio: audioWriter(reply, output).write,
      flushed() {
        const mark = marks.shift();
        if (mark === undefined) return;
        flushedCharacters = mark;
        reply.push({ type: "mark", characters: mark });
        if (textEnded && marks.length === 0) reply.spoken();
      },
      flushRefused() {
        marks.pop();
        const message = "Deepgram refused to speak the end of the text: too many Flush messages in a minute";
        if (textEnded) reply.fail(new StageError("tts", message, { retryable: true }));
      },
      fail: reply.fail,
    };
    return {
      async start() {
        await abortable(free, reply.signal);
        await abortable(line.open(), reply.signal);
        line.take(listener);
      },
      write(clause) {
        line.speak(clause);
        const first = characters === 0;
        characters += clause.length;
        if (first && line.canFlushEarly) flush();
      },
      close() {
        textEnded = true;
        if (characters > (marks.at(-1) ?? flushedCharacters)) flush();
        if (marks.length === 0) reply.spoken();
      },
      async release() {
        await free; // a reply that gave up waiting has nothing on the line
        await line.release(characters > flushedCharacters);
        onEnd?.();
      },
    };
  });
}

/** What the reply that has the line is told. */
interface LineListener {
  audio(bytes: Uint8Array): void;
  /** Everything up to a Flush has been told. */
  flushed(): void;
  /** The last Flush is not going to be answered. */
  flushRefused(): void;
  fail(error: StageError): void;
}

/** A connection, opened when it is needed; one reply at a time has it. */
function createLine(
  url: string,
  { apiKey, clock, log }: Pick<DeepgramTextToSpeechOptions, "apiKey" | "clock" | "log">,
) {
  let cleared: PromiseWithResolvers<void> | undefined;
  let listener: LineListener | undefined;
  let flushes: number[] = [];
  const connection = createConnection({
    provider: "Deepgram",
    url,
    headers: { Authorization: `Token ${apiKey}` },
    clock,
    log,
    onOpen: () => flushes = [],
    onMessage: (data) => typeof data === "string" ? obey(data) : listener?.audio(data),
    onEnd(error) {
      cleared?.resolve();
      listener?.fail(error);
    },
  });
  const { open, openAhead, send, drop } = connection;

  const recentFlushes = () => {
    flushes = flushes.filter((atMs) => clock.now() - atMs < flushLimit.withinMs);
    return flushes.length;
  };
  const obey = (text: string) => {
    const message = parseJson(text, messageSchema);
    switch (message?.type) {
      case "Metadata":
        return;
      case "Flushed":
        return listener?.flushed();
      case "Cleared":
        return cleared?.resolve();
      case "Warning":
        log?.warn({ code: message.code, description: message.description }, "Deepgram warns");
        if (/flush/i.test(`${message.code} ${message.description}`)) return listener?.flushRefused();
    }
    const said = message ? `reports ${message.code}: ${message.description}` : "sent a message that is none";
    listener?.fail(new StageError("tts", `Deepgram ${said}`, { retryable: true }));
  };

  return {
    open,
    openAhead,
    /** From now on `given` is told what comes. */
    take(given: LineListener): void {
      listener = given;
    },
    speak: (text: string) => send({ type: "Speak", text }),
    flush(): void {
      flushes.push(clock.now());
      send({ type: "Flush" });
    },
    /** Whether there are Flush messages left for more than the end of a reply. */
    get canFlushEarly(): boolean {
      return recentFlushes() < flushLimit.count - 1;
    },
    /** Whoever has it is told nothing more. `unspoken`: what is still to come is cleared; settles when nothing is. */
    async release(unspoken: boolean): Promise<void> {
      listener = undefined;
      if (!connection.socket || connection.closed) return;
      if (recentFlushes() >= flushLimit.replaceFrom) {
        drop();
        return openAhead();
      }
      if (!unspoken) return;
      const { promise, resolve } = cleared = Promise.withResolvers<void>();
      using _ = clock.after(clearMs, () => {
        drop();
        resolve();
      });
      send({ type: "Clear" });
      await promise;
      cleared = undefined;
    },
    /** Hangs up for good. */
    close(): void {
      send({ type: "Close" });
      connection.close();
      cleared?.resolve();
    },
  };
}

const messageSchema = z.object({
  type: z.string(),
  code: z.string().optional(),
  description: z.string().optional(),
});
