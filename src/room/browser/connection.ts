/** One socket of a page: what comes in is checked and limited, what goes out is encoded. */
import { type LiveStream, liveStream } from "../../audio/live.ts";
import type { Clock } from "../../clock.ts";
import { parseJson } from "../../json.ts";
import type { Log } from "../../log.ts";
import {
  type ClientMessage,
  clientMessage,
  CLOSE_CODE,
  MAX_AUDIO_MS,
  MAX_MESSAGE_BYTES,
  MAX_PICTURE_CHARACTERS,
  MICROPHONE_FORMAT,
  type ServerMessage,
} from "./wire.ts";

/** What a page sends: a message, or microphone audio (16 kHz, one channel). */
export type Incoming = ClientMessage | { readonly type: "audio"; readonly samples: Int16Array };

export interface PageConnection {
  /** What the page sends, in order; it ends when the socket does. */
  readonly incoming: ReadableStream<Incoming>;
  /** Messages and audio to a socket that is closing go nowhere. */
  send(message: ServerMessage): void;
  play(samples: Int16Array<ArrayBuffer>): void;
  /** Closes the socket; `reason` is for the page's developer. */
  close(code: number, reason: string): void;
}

/** What is needed of a WebSocket. */
export type PageSocket = Pick<WebSocket, "binaryType" | "readyState" | "send" | "close" | "addEventListener">;

const BYTES_PER_MS = MICROPHONE_FORMAT.sampleRate / 1000 * 2;
/** Three times the microphone's bytes a second and a picture, and eight seconds of it at once after a stall of the network. */
const BYTES_PER_SECOND = 3 * 1000 * BYTES_PER_MS + MAX_PICTURE_CHARACTERS;
const BURST_BYTES = 8 * 1000 * BYTES_PER_MS;
/** What a message costs at least: tiny ones are work too. */
const MIN_COST_BYTES = 512;
/** How many messages wait for the room to read them; it reads at once. */
const BACKLOG = 1_000;

/** A connection over `socket`, from now on. */
export function openConnection(
  socket: PageSocket,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): PageConnection {
  const incoming: LiveStream<Incoming> = liveStream<Incoming>({ limit: BACKLOG });
  const affordable = budget(clock);
  let over = false;

  const end = () => {
    over = true;
    incoming.close();
  };
  const close = (code: number, reason: string) => {
    if (over) return;
    end();
    if (socket.readyState <= WebSocket.OPEN) socket.close(code, reason);
  };
  const refuse = (code: number, reason: string) => {
    log.warn({ code, reason }, "a page's socket was closed");
    close(code, reason);
  };
  const take = (data: unknown) => {
    if (over) return;
    const bytes = typeof data === "string"
      ? data.length
      : data instanceof ArrayBuffer
      ? data.byteLength
      : NaN;
    if (bytes > MAX_MESSAGE_BYTES) {
      return refuse(CLOSE_CODE.tooBig, `expected up to ${MAX_MESSAGE_BYTES} bytes`);
    }
    if (!affordable(Math.max(MIN_COST_BYTES, bytes))) {
      return refuse(CLOSE_CODE.policy, "too much at once; expected one microphone in real time");
    }
    const message = data instanceof ArrayBuffer ? parseAudio(data) : parseJson(data, clientMessage);
    if (message) incoming.push(message);
    else refuse(CLOSE_CODE.malformed, "expected JSON of version 1, or 2–3200 bytes of 16-bit PCM");
  };

  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => take(data));
  socket.addEventListener("close", end, { once: true });
  socket.addEventListener("error", () => log.debug({}, "a page's socket failed"), { once: true }); // "close" follows

  return {
    incoming: incoming.readable,
    send(message) {
      if (!over && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    },
    play(samples) {
      if (!over && socket.readyState === WebSocket.OPEN) socket.send(samples);
    },
    close,
  };
}

function parseAudio(data: ArrayBuffer): Incoming | undefined {
  const { byteLength } = data;
  if (byteLength === 0 || byteLength % 2 !== 0 || byteLength > MAX_AUDIO_MS * BYTES_PER_MS) return undefined;
  return { type: "audio", samples: new Int16Array(data) };
}

/** A token bucket of bytes: whether what costs `bytes` is affordable now. */
function budget(clock: Clock): (bytes: number) => boolean {
  let left = BURST_BYTES;
  let atMs = clock.now();
  return (bytes) => {
    const nowMs = clock.now();
    left = Math.min(BURST_BYTES, left + (nowMs - atMs) / 1000 * BYTES_PER_SECOND) - bytes;
    atMs = nowMs;
    return left >= 0;
  };
}
