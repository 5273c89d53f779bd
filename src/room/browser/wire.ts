/**
 * What the page and the server say to each other on `GET /room`, version 1. Text messages are JSON, one of the shapes
 * below; unknown fields are ignored. Binary messages are audio: 16-bit PCM, little-endian, one channel, no header.
 *
 * - Page → server: the microphone, 16 kHz, 20 ms (640 bytes) a message.
 * - Server → page: the agent's voice, 24 kHz, 5–100 ms a message, up to half a second ahead of what is heard. The page
 *   plays it in the order it comes.
 *
 * The page speaks first: `hello`. The server answers with its own `hello`, which carries a `resume` token: a page whose
 * socket is lost opens another one, says `hello` with that token, and goes on. What was being said is sent again from the
 * sample that the page last played.
 *
 * Each run of audio has an `epoch`, which begins with a `hello` or `clear` of the server's. At both the page forgets all
 * it has not played. It reports how far it has come in the epoch (`played`) when it begins to play, when it runs dry, and
 * every 100 ms in between.
 *
 * The server may ask the page to do something, as LiveKit's remote procedure calls do: `rpc-request`, which the page answers
 * with `rpc-result` or `rpc-error` of the same id, on whatever socket it has by then.
 *
 * Where the agent sees, the server may ask for a picture of the user's camera, at the most once a second: `picture-request`.
 * The page answers with `picture` of the same id within 2 s, without a file while the user shows nothing. A page shows
 * nothing before its user has turned the camera on.
 *
 * The server closes a socket with 1000 when the session is over (after `closed`), 1007 for what it cannot read, 1008 for a
 * page that floods it or does not say hello, 1009 for a message over 64 KiB, 1013 when there is no place, and 4001 when
 * the session goes on in another socket.
 */
import * as z from "zod";
import type { AgentState } from "../room.ts";
import { MAX_RPC_BYTES } from "../rpc.ts";

export const WIRE_VERSION = 1;
export const MICROPHONE_FORMAT = { sampleRate: 16_000, channels: 1 } as const;
export const SPEAKER_FORMAT = { sampleRate: 24_000, channels: 1 } as const;
/** The largest message that is taken, in bytes. */
export const MAX_MESSAGE_BYTES = 64 * 1024;
/** The largest picture that fits into a message, in characters of base64 (48,000 bytes). */
export const MAX_PICTURE_CHARACTERS = 64_000;
/** The longest run of microphone audio in one message, in milliseconds. */
export const MAX_AUDIO_MS = 100;

/** Why the server closed a socket. */
export const CLOSE_CODE = {
  done: 1000,
  malformed: 1007,
  policy: 1008,
  tooBig: 1009,
  noPlace: 1013,
  replaced: 4001,
} as const;

const text = z.string().trim().min(1).max(4_000);
/** A count of samples within an epoch. */
const samples = z.int().min(0).max(2 ** 40);
/** Of a request of the server's. */
const id = z.string().max(64);
const epoch = z.int().min(0).max(2 ** 31);

const helloMessage = z.object({
  type: z.literal("hello"),
  version: z.literal(WIRE_VERSION),
  /** Whom the user wants to talk with, by the name in the registry (default: the default agent). */
  agent: z.string().min(1).max(256).optional(),
  /** Goes on with the session that this token was given for. */
  resume: z.string().max(64).optional(),
  /** With `resume`: how far the page had come when it lost its socket. */
  played: z.object({ epoch, samples }).optional(),
});

/** What a page says. */
export const clientMessage = z.discriminatedUnion("type", [
  helloMessage,
  /** A typed turn. */
  z.object({ type: z.literal("text"), text }),
  /** What the browser's own speech recognition heard; each replaces the interim one before. */
  z.object({ type: z.literal("transcript"), text, final: z.boolean() }),
  /** Cuts the agent off. */
  z.object({ type: z.literal("interrupt") }),
  /** The user's key to talk was pressed, let go, or let go and what was said is to be forgotten. */
  z.object({ type: z.literal("turn"), action: z.enum(["start", "commit", "cancel"]) }),
  /** Samples of `epoch` that were heard; `running` while there are more to play. */
  z.object({ type: z.literal("played"), epoch, samples, running: z.boolean() }),
  /** The page has done what `rpc-request` asked. */
  z.object({ type: z.literal("rpc-result"), id, payload: z.string().max(MAX_RPC_BYTES) }),
  /** It has not; `code`: LiveKit's, 1400 for a method that it does not know, 1500 where something failed in it. */
  z.object({ type: z.literal("rpc-error"), id, code: z.int(), message: z.string().max(256) }),
  /** What `picture-request` asked for: a JPEG file in base64, or nothing while the camera is off. */
  z.object({
    type: z.literal("picture"),
    id,
    jpeg: z.base64().startsWith("/9j/").max(MAX_PICTURE_CHARACTERS).optional(),
  }),
  /** The user hung up: the session ends. */
  z.object({ type: z.literal("bye") }),
]);
export type ClientMessage = z.infer<typeof clientMessage>;
export type ClientHello = z.infer<typeof helloMessage>;

/** Where the time from the user's last voiced sample to the agent's first one went, in milliseconds; stt lies inside endpointing. */
export interface WireLatency {
  readonly endpointingMs?: number;
  readonly heldMs?: number;
  readonly sttMs?: number;
  readonly llmMs?: number;
  readonly clauseMs?: number;
  readonly ttsMs?: number;
  readonly playoutMs?: number;
  readonly totalMs: number;
}

/** Why a page's session is over, or did not begin: why sessions end, and what only pages meet. */
export type PageCloseReason =
  | "closed"
  | "participant-left"
  | "room-deleted"
  | "removed"
  | "disconnected"
  | "deleted"
  | "shutdown"
  | "error"
  /** Nobody had said anything for too long. */
  | "user-away"
  /** The call has lasted as long as this agent's may. */
  | "max-duration"
  /** It has cost as much as it may. */
  | "cost-cap"
  /** It goes on in another process. */
  | "handed-over"
  /** Another process has the room's claim. */
  | "claim-lost"
  /** It has lasted as long as a page's session may. */
  | "time-limit"
  /** Too many sessions, of this address or in all. */
  | "no-place"
  /** The agent could not be set up. */
  | "failed";

/** What the server says. */
export type ServerMessage =
  | {
    readonly type: "hello";
    readonly version: typeof WIRE_VERSION;
    readonly sessionId: string;
    readonly agent: string;
    readonly resume: string;
    readonly resumed: boolean;
    readonly epoch: number;
    readonly microphone: { readonly sampleRate: number };
    readonly speaker: { readonly sampleRate: number };
    readonly state: AgentState;
  }
  | { readonly type: "state"; readonly state: AgentState }
  /** The user's words in the segment `id`; each replaces the text before it. */
  | { readonly type: "user-transcript"; readonly id: string; readonly text: string; readonly final: boolean }
  /** The next piece of the agent's reply `id`; `final` with the last, which may be empty. */
  | { readonly type: "agent-transcript"; readonly id: string; readonly text: string; readonly final: boolean }
  /** What was heard of the reply `id`; the rest of it was cut when `interrupted`. */
  | {
    readonly type: "agent-heard";
    readonly id: string;
    readonly text: string;
    readonly interrupted: boolean;
  }
  /** Where the time of the reply `id` went. */
  | { readonly type: "latency"; readonly id: string; readonly latency: WireLatency }
  /** A silence of `ms` before the reply `id` (or inside it), and what it was spent on: the parts sum to it. */
  | {
    readonly type: "why";
    readonly id: string;
    readonly inside: boolean;
    readonly ms: number;
    readonly parts: readonly { readonly cause: string; readonly ms: number; readonly words: string }[];
  }
  /** Do `method`, and answer within `timeoutMs` milliseconds. */
  | {
    readonly type: "rpc-request";
    readonly id: string;
    readonly method: string;
    readonly payload: string;
    readonly timeoutMs: number;
  }
  /** Take a picture of what the camera shows now. */
  | { readonly type: "picture-request"; readonly id: string }
  /** The agent uses the tool of that name; `tool-finished` has what it is told of it. */
  | { readonly type: "tool-called"; readonly id: string; readonly name: string }
  | {
    readonly type: "tool-finished";
    readonly id: string;
    readonly name: string;
    readonly outcome: string;
    readonly text: string;
  }
  /** Another agent goes on with the conversation. */
  | { readonly type: "handoff"; readonly from: string; readonly to: string }
  /** Discard what was not played; what follows belongs to `epoch`. */
  | { readonly type: "clear"; readonly epoch: number }
  /** Something failed and the session goes on; `text` is for the user. */
  | { readonly type: "error"; readonly text: string }
  /** The session is over; `text` is for the user. */
  | { readonly type: "closed"; readonly reason: PageCloseReason; readonly text: string };
