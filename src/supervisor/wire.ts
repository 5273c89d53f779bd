/** What the supervisor and its workers say to each other, all of it over HTTP on the loopback interface. */
import * as z from "zod";

/** What a worker reports of itself, once a second: `POST /report` at the supervisor. */
export const workerReport = z.object({
  /** Where it listens, on 127.0.0.1. */
  port: z.int(),
  rssBytes: z.number(),
  /** 0–1, as LiveKit is told. */
  load: z.number(),
  /** Whether a new session would be taken. */
  takesCalls: z.boolean(),
  /** Those that go on. */
  sessions: z.array(z.object({ sessionId: z.string(), room: z.string() })),
  /** For the one at the terminal: who is talked with, and what will not work. */
  about: z.string(),
  warnings: z.array(z.string()),
});
export type WorkerReport = Readonly<z.infer<typeof workerReport>>;

/** How often a worker reports, in milliseconds. */
export const reportMs = 1_000;

/** Headers of requests that the supervisor passes on; none of this name comes in from outside. */
export const passedOn = {
  /** The secret between the two. */
  token: "x-repartee-token",
  /** What the client called the server: the `Host` of its request. */
  host: "x-repartee-host",
  /** Who has connected to the supervisor. */
  address: "x-repartee-address",
  /** "metrics": the supervisor itself asks, for those. */
  wanted: "x-repartee-wanted",
} as const;
