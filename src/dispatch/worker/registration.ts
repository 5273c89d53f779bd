/** A name under which this server is registered with LiveKit as a worker, whatever becomes of its connections. */
import { MigrateJobRequest, type RegisterWorkerResponse } from "@livekit/protocol";
import type { Clock } from "../../clock.ts";
import type { LiveKitConfig } from "../../config.ts";
import type { StageError } from "../../errors.ts";
import { signToken } from "../access.ts";
import { connect, type Connection, type FromLiveKit, type ToLiveKit } from "./connection.ts";

export interface Registration extends Disposable {
  readonly registered: boolean;
  /** Sends a message; while it is not registered, nothing, since LiveKit then knows of no job. */
  send(message: ToLiveKit): void;
  /** Settles when LiveKit has taken in all that was sent, or after half a second. */
  flush(): Promise<void>;
}

export interface RegistrationOptions {
  readonly livekit: LiveKitConfig;
  /** Empty: for rooms that ask for nobody by name. */
  readonly agentName: string;
  /** The ids of the jobs that go on, which LiveKit is told when it registers the worker again. */
  readonly jobs: () => readonly string[];
  readonly onMessage: (message: Exclude<FromLiveKit, { readonly case: "register" }>) => void;
  readonly onRegistered: (answer: RegisterWorkerResponse) => void;
  /** Told why it is not registered; it is tried again. */
  readonly onLost: (error: StageError) => void;
  /** 0–1, for the jitter. */
  readonly random?: () => number;
  readonly clock: Clock;
}

/** Pauses between attempts, doubling; less up to half of them, so that not all come back at once. Milliseconds. */
const backoffMs = { first: 500, most: 10_000 };
/** How long the token may be used, which is at once; but clocks differ. */
const ttlSeconds = 600;

/** Registers it, and again whenever the connection is lost. */
export function register(options: RegistrationOptions): Registration {
  const { livekit, agentName, jobs, onMessage, onRegistered, onLost, random = Math.random, clock } = options;
  const over = new AbortController();
  let connection: Connection | undefined;
  let registered = false;
  let failures = 0;

  const take = (message: FromLiveKit) => {
    if (message.case !== "register") return onMessage(message);
    registered = true;
    failures = 0;
    const jobIds = [...jobs()];
    if (jobIds.length > 0) {
      connection?.send({ case: "migrateJob", value: new MigrateJobRequest({ jobIds }) });
    }
    onRegistered(message.value);
  };
  const begin = async () => {
    const token = await signToken(livekit, { identity: "repartee", ttlSeconds, grant: { agent: true } });
    if (over.signal.aborted) return;
    const { url } = livekit;
    connection = connect({ url, token, agentName, onMessage: take, clock });
    const error = await connection.ended;
    registered = false;
    onLost(error);
    const pauseMs = Math.min(backoffMs.first * 2 ** failures++, backoffMs.most) * (1 - random() / 2);
    again = clock.after(pauseMs, begin);
  };
  let again = clock.after(0, begin);

  return {
    get registered() {
      return registered;
    },
    send(message) {
      if (registered) connection?.send(message);
    },
    async flush() {
      if (registered) await connection?.flush();
    },
    [Symbol.dispose]() {
      over.abort();
      again[Symbol.dispose]();
      registered = false;
      connection?.close();
    },
  };
}
