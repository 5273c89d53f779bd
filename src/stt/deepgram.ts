/** Speech recognition by Deepgram: https://developers.deepgram.com/reference/speech-to-text/listen-streaming */
import type { DeepgramTransportFactory } from "@deepgram/sdk";
import * as z from "zod";
import { liveStream } from "../audio/live.ts";
import type { Clock } from "../clock.ts";
import { asStageError, StageError } from "../errors.ts";
import { openSocket, type SocketEnd, socketError, type SocketListener } from "../socket.ts";
import type { SpeechInput, SpeechToText, TranscriptEvent } from "./stt.ts";
import { createUtterance, type UtterancePiece } from "./utterance.ts";

/** Deepgram closes a connection that sends nothing for 10 s (NET-0001). */
const keepAliveMs = 4_000;
/** Words whose end does not come this long after the last message are finalized. */
const waitForFinalMs = 1_000;
/** How long the last words may take after the end of the audio. */
const drainMs = 2_000;

const input = { sampleRate: 16_000, channels: 1 };

export interface DeepgramSpeechToTextOptions {
  readonly apiKey: string;
  /** A Deepgram of your own (default: Deepgram's); http: and https: stand for ws: and wss:. */
  readonly baseUrl?: string | undefined;
  readonly model?: string | undefined;
  /** BCP 47, or `multi`; Deepgram takes English when it is left out. */
  readonly language?: string | undefined;
  /** Silence that ends an utterance, in milliseconds (default 25: whether the turn is over is decided elsewhere). */
  readonly endpointingMs?: number | undefined;
  readonly clock: Clock;
}

/**
 * Recognizes speech with Deepgram's Nova models, live. An aborted `transcribe()` fails with the signal's reason; any
 * other failure is a StageError of stage "stt".
 */
export function deepgramSpeechToText(
  { apiKey, baseUrl = "https://api.deepgram.com", model = "nova-3", language, endpointingMs = 25, clock }:
    DeepgramSpeechToTextOptions,
): SpeechToText {
  const query = {
    model,
    ...(language && { language }),
    encoding: "linear16",
    sample_rate: input.sampleRate,
    channels: input.channels,
    interim_results: "true",
    punctuate: "true", // not smart_format: it holds words back to see whether they become a number or a date
    endpointing: endpointingMs,
  } as const;

  const transcribe: SpeechToText["transcribe"] = (voice, { signal }) => {
    const over = new AbortController();
    const out = liveStream<TranscriptEvent>({ limit: Infinity, onCancel: () => end() });
    const utterance = createUtterance();
    const opened = Promise.withResolvers<void>();
    let socket: Awaited<ReturnType<typeof connect>> | undefined;
    let speaking = false;
    let finalizing = false;
    let drained = false;
    let audioSent = false;
    let keepAlive: Disposable | undefined;
    let wait: Disposable | undefined;

    /** Ends everything; the first call counts. */
    const end = (error?: unknown) => {
      if (over.signal.aborted) return;
      over.abort();
      opened.reject(over.signal.reason);
      keepAlive?.[Symbol.dispose]();
      wait?.[Symbol.dispose]();
      socket?.close();
      if (error === undefined) out.close();
      else out.error(error);
    };
    const keepOpen = () => {
      if (!audioSent) socket?.sendKeepAlive({ type: "KeepAlive" });
      audioSent = false;
      keepAlive = clock.after(keepAliveMs, keepOpen);
    };
    const waitFor = (ms: number, then: () => void) => {
      wait?.[Symbol.dispose]();
      wait = clock.after(ms, then);
    };
    const emit = (event: TranscriptEvent | undefined) => {
      if (event) out.push(event);
    };
    /**
     * Has Deepgram make the words there are final (https://developers.deepgram.com/docs/finalize); when it does not
     * answer, which it need not, they are taken as they are.
     */
    const finalize = () => {
      finalizing = true;
      socket?.sendFinalize({ type: "Finalize" });
      waitFor(waitForFinalMs, () => {
        finalizing = false;
        emit(utterance.finish());
      });
    };
    const onMessage = (message: unknown) => {
      const { data: said } = messageSchema.safeParse(message);
      if (said && said.type !== "Results") return; // Metadata
      const results = resultsSchema.safeParse(message);
      if (!results.success) {
        return end(new StageError("stt", "Deepgram sent a message that is none", { retryable: true }));
      }
      emit(utterance.take(pieceFrom(results.data)));
      if (drained) return;
      if (!utterance.pending) {
        finalizing = false;
        wait?.[Symbol.dispose]();
      } else if (!speaking && !finalizing) waitFor(waitForFinalMs, finalize);
    };
    const onEnd = (why: SocketEnd) => {
      const clean = drained && why.type === "closed" && why.code === 1000;
      if (drained) emit(utterance.finish());
      end(clean ? undefined : socketError("stt", "Deepgram", why));
    };

    const write = (event: SpeechInput) => {
      if (event.type === "finalize") return finalize();
      if (event.type === "audio") {
        const { buffer, byteOffset, byteLength } = event.frame.samples;
        audioSent = true;
        return socket?.sendMedia(new Uint8Array(buffer, byteOffset, byteLength));
      }
      speaking = event.type !== "speech-end";
      if (!speaking && utterance.pending && !finalizing) finalize();
    };
    const drain = () => {
      drained = true;
      socket?.sendCloseStream({ type: "CloseStream" });
      waitFor(drainMs, () => {
        emit(utterance.finish());
        end(new StageError("stt", `Deepgram did not send its last words within ${drainMs / 1000} s`));
      });
    };

    const onOpen = () => {
      opened.resolve();
      keepAlive = clock.after(keepAliveMs, keepOpen);
    };
    const fail = (error: unknown) => end(asStageError("stt", error));

    signal.addEventListener("abort", () => end(signal.reason), { signal: over.signal });
    if (signal.aborted) end(signal.reason);
    // Until the socket is open, the audio waits where it comes from.
    const sink = new WritableStream({ start: () => opened.promise, write, close: drain });
    voice.pipeTo(sink, { signal: over.signal }).catch(fail);
    const listener = { open: onOpen, message: onMessage, end: onEnd };
    connect(query, listener, { apiKey, baseUrl, clock }).then((connecting) => {
      socket = connecting;
      if (over.signal.aborted) socket.close();
      else socket.connect();
    }).catch(fail);
    return out.readable;
  };
  return { provider: "deepgram", model, input, transcribe };
}

/** Loads the SDK, which takes a tenth of a second: before the first call, if that is not to wait for it. */
export const loadDeepgram = (): Promise<typeof import("@deepgram/sdk")> => import("@deepgram/sdk");

/**
 * Prepares a connection through Deepgram's SDK, on a socket of ours: it ends when told to, says why it failed, and does
 * not reconnect by itself. The SDK is loaded with the first call, so that a start does not wait for it.
 */
async function connect(
  query: { readonly model: string },
  listener: { open(): void; message(message: unknown): void; end(why: SocketEnd): void },
  { apiKey, baseUrl, clock }: { readonly apiKey: string; readonly baseUrl: string; readonly clock: Clock },
) {
  const { DeepgramClient } = await loadDeepgram();
  const transportFactory: DeepgramTransportFactory = (url, headers) => {
    const sdk: SocketListener = { open() {}, message() {}, end: listener.end };
    const socket = openSocket(url, headers, sdk, { clock });
    return {
      isOpen: () => socket.isOpen,
      send: (data) => socket.send(data as string | Uint8Array),
      close: () => socket.close(),
      onOpen: (told) => sdk.open = told,
      onMessage: (told) => sdk.message = told,
      // How the socket ends, and why, is told to our listener; closing the connection then tells the SDK.
      onError: () => {},
      onClose: () => {},
    };
  };
  const client = new DeepgramClient({ apiKey, baseUrl, transportFactory, reconnect: false });
  const connection = await client.listen.v1.createConnection({ ...query, reconnectAttempts: 0 });
  connection.on("open", listener.open);
  connection.on("message", listener.message);
  return connection;
}

const messageSchema = z.object({ type: z.string() });

/** Times are seconds from the first audio of the connection: https://developers.deepgram.com/docs/live-streaming-audio */
const resultsSchema = z.object({
  type: z.literal("Results"),
  start: z.number(),
  duration: z.number(),
  is_final: z.boolean().default(false),
  speech_final: z.boolean().default(false),
  from_finalize: z.boolean().default(false),
  channel: z.object({
    alternatives: z.tuple([z.object({
      transcript: z.string(),
      confidence: z.number(),
      languages: z.array(z.string()).optional(),
      words: z.array(z.object({
        word: z.string(),
        punctuated_word: z.string().optional(),
        start: z.number(),
        end: z.number(),
        confidence: z.number(),
      })).default([]),
    })], z.unknown()),
  }),
});

function pieceFrom({ start, duration, channel, ...flags }: z.infer<typeof resultsSchema>): UtterancePiece {
  const [{ transcript, confidence, languages, words }] = channel.alternatives;
  return {
    text: transcript.trim(),
    words: words.map(({ word, punctuated_word, start, end, confidence }) => ({
      text: punctuated_word ?? word,
      startMs: Math.round(start * 1000),
      endMs: Math.round(end * 1000),
      confidence,
    })),
    confidence,
    language: languages?.[0],
    endMs: Math.round((start + duration) * 1000),
    isFinal: flags.is_final,
    endOfTurn: flags.speech_final,
    asked: flags.from_finalize,
  };
}
