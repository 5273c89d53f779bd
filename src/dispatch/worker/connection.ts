/**
 * One connection to `/agent` of LiveKit's server, as a worker has it: Protocol Buffers both ways, in binary messages.
 * https://github.com/livekit/protocol/blob/main/protobufs/livekit_agent.proto
 */
import {
  JobType,
  ParticipantPermission,
  RegisterWorkerRequest,
  ServerMessage,
  WorkerMessage,
  WorkerPing,
} from "@livekit/protocol";
import type { Clock } from "../../clock.ts";
import { StageError } from "../../errors.ts";
import { openSocket, socketError } from "../../socket.ts";

/** What a worker tells LiveKit. */
export type ToLiveKit = Exclude<WorkerMessage["message"], { readonly case: "register" | "ping" | undefined }>;
/** What LiveKit tells a worker; `register` comes first, once. */
export type FromLiveKit = Exclude<ServerMessage["message"], { readonly case: "pong" | undefined }>;

export interface Connection {
  /** Sends a message; does nothing when the connection is no more. */
  send(message: ToLiveKit): void;
  /** Settles when LiveKit has taken in all that was sent, or after half a second. */
  flush(): Promise<void>;
  close(): void;
  /** Settles with why the connection is no more, unless it was closed. */
  readonly ended: Promise<StageError>;
}

export interface ConnectionOptions {
  /** LiveKit's address, `ws:` or `wss:`, and a token with the grant `agent`. */
  readonly url: string;
  readonly token: string;
  /** The name to register; empty: for rooms that ask for nobody by name. */
  readonly agentName: string;
  readonly onMessage: (message: FromLiveKit) => void;
  readonly clock: Clock;
}

/** How long LiveKit may take to register a worker, and to take in the last messages; milliseconds. */
const waitMs = { register: 10_000, flush: 500 };
/** A connection is asked for a sign of life this often; one that gives none by the next time is dead. */
const pingMs = 5_000;

export function connect({ url, token, agentName, onMessage, clock }: ConnectionOptions): Connection {
  const ended = Promise.withResolvers<StageError>();
  const flushing = new Set<() => void>();
  let isAlive = true;
  let timer: Disposable | undefined;

  const transmit = (message: WorkerMessage["message"]) =>
    socket.send(new WorkerMessage({ message }).toBinary());
  const close = () => {
    timer?.[Symbol.dispose]();
    for (const done of flushing) done();
    socket.close();
  };
  const fail = (error: StageError) => {
    close();
    ended.resolve(error);
  };
  const giveUp = (words: string) => fail(new StageError("room", `LiveKit ${words}`, { retryable: true }));
  const watch = () => {
    if (!isAlive) return giveUp(`gave no sign of life for ${pingMs / 1000} s`);
    isAlive = false;
    socket.ping();
    timer = clock.after(pingMs, watch);
  };
  const take = ({ message }: ServerMessage) => {
    if (message.case === undefined) return; // of a later protocol
    if (message.case === "pong") return flushing.forEach((done) => done());
    if (message.case === "register") {
      timer?.[Symbol.dispose]();
      watch();
    }
    onMessage(message);
  };

  const socket = openSocket(`${url}/agent?protocol=1`, { Authorization: `Bearer ${token}` }, {
    open() {
      timer = clock.after(waitMs.register, () => giveUp("did not register the worker within 10 s"));
      transmit({ case: "register", value: introduction(agentName) });
    },
    message(data) {
      isAlive = true;
      const message = read(data);
      if (message) take(message);
      else giveUp("sent what is no message to a worker");
    },
    pong: () => void (isAlive = true),
    end: (end) => fail(socketError("room", "LiveKit", end)),
  }, { clock });

  return {
    send: transmit,
    async flush() {
      if (!socket.isOpen) return;
      const done = Promise.withResolvers<void>();
      using _ = clock.after(waitMs.flush, done.resolve);
      flushing.add(done.resolve);
      transmit({ case: "ping", value: new WorkerPing({ timestamp: BigInt(Math.round(clock.now())) }) });
      await done.promise;
      flushing.delete(done.resolve);
    },
    close,
    ended: ended.promise,
  };
}

/** What the agents of a worker may do in their rooms is what an agent with a token of our own may. */
function introduction(agentName: string): RegisterWorkerRequest {
  return new RegisterWorkerRequest({
    type: JobType.JT_ROOM,
    agentName,
    allowedPermissions: new ParticipantPermission({
      canPublish: true,
      canSubscribe: true,
      canPublishData: true,
      canUpdateMetadata: true,
      agent: true,
    }),
  });
}

function read(data: string | Uint8Array): ServerMessage | undefined {
  if (typeof data === "string") return undefined;
  try {
    return ServerMessage.fromBinary(data);
  } catch {
    return undefined; // whatever is wrong with it, the connection is of no use
  }
}
