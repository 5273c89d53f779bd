/** What can go wrong with a provider, by the names of the table. Each happens to the first connection or request alone. */
import type { Fault as SocketFault } from "../emulators/socket_server.ts";

export const faults = [
  /** Nobody listens, or whoever does hangs up. */
  "refused",
  "401",
  /** With Retry-After. */
  "429",
  "500",
  /** A WebSocket is closed in the middle, with this code; 1006 is a connection that was lost. */
  "1005",
  "1006",
  "1011",
  /** It takes the connection and says nothing. */
  "no answer",
  /** It answers that it will answer, and does not. */
  "headers only",
  /** A piece every 3 s. */
  "slow",
  /** The answer ends in its middle. */
  "dies",
  /** What is sent is taken; nothing comes back. */
  "half-open",
  "malformed",
  /** A message that is longer than a provider's ever is. */
  "oversized",
  /** It does not read what it is sent for 3 s. */
  "slow reader",
] as const;

export type FaultName = typeof faults[number];

/** More than is taken (see src/socket.ts). */
export const oversizedBytes = 9 * 1024 * 1024;

/** The faults that fit a provider with a WebSocket, after `afterMs` of audio where they come in the middle. */
export const socketFaults = (afterMs: number): Partial<Record<FaultName, SocketFault>> => ({
  "refused": { type: "refuse" },
  "401": { type: "status", status: 401 },
  "429": { type: "status", status: 429, retryAfter: 1 },
  "500": { type: "status", status: 500 },
  "1005": { type: "close", code: 1005, afterMs },
  "1006": { type: "close", code: 1006, afterMs },
  "1011": { type: "close", code: 1011, reason: "on purpose", afterMs },
  "no answer": { type: "no-handshake" },
  "half-open": { type: "half-open" },
  "malformed": { type: "malformed", text: "no {JSON", afterMs },
  "oversized": { type: "oversized", bytes: oversizedBytes, afterMs },
  "slow reader": { type: "slow-reader", ms: 3_000, afterMs },
});
