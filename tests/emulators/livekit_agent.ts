/** `/agent` of livekit-server on 127.0.0.1: registers workers, and offers them jobs when a test says so. */
import {
  AvailabilityRequest,
  Job,
  JobAssignment,
  JobState,
  JobTermination,
  RegisterWorkerResponse,
  Room,
  ServerInfo,
  ServerMessage,
  WorkerMessage,
  WorkerPong,
} from "@livekit/protocol";
// @ts-types="npm:@types/ws@8.18.1"
import type { WebSocket } from "ws";
import type { Clock } from "../../src/clock.ts";
import { type Fault, type SocketServer, startSocketServer } from "./socket_server.ts";

type Told = WorkerMessage["message"];

/** One connection as the server sees it. */
export interface EmulatedWorker {
  readonly authorization: string | undefined;
  /** What the worker sent, in order. */
  readonly told: Told[];
  /** The code it was closed with; undefined while it is open. */
  closed: number | undefined;
  send(message: ServerMessage["message"]): void;
  /** Loses the connection. */
  drop(): void;
  /** Reads and answers nothing from now on. */
  freeze(): void;
  /** Offers a job, and assigns it when it is taken; returns its id. */
  offer(job: { readonly room: string; readonly agentName: string; readonly metadata?: string }): string;
}

export interface AgentServer extends SocketServer {
  readonly wsUrl: string;
  /** Every connection that was let in, in order. */
  readonly workers: readonly EmulatedWorker[];
  /** How many connections were begun. */
  readonly attempts: number;
}

export interface AgentServerOptions {
  readonly clock?: Clock;
  /** What goes wrong with the `n`th connection, counted from 0. */
  readonly fault?: (n: number) => Fault | undefined;
}

/** Starts one; disposing it ends its connections. */
export async function startAgentServer(
  { clock, fault }: AgentServerOptions = {},
): Promise<AgentServer> {
  let attempts = 0;
  let jobs = 0;
  const failing = (_path: string, n: number) => {
    attempts = n + 1;
    return fault?.(n);
  };
  /** What serves each, once its socket is open. */
  const serving = new WeakMap<EmulatedWorker, (socket: WebSocket) => void>();
  const server = await startSocketServer<EmulatedWorker>({ clock, fault: failing }, {
    accept({ pathname }, { authorization }) {
      if (pathname !== "/agent") return 404;
      if (!authorization?.startsWith("Bearer ")) return 401;
      let socket: WebSocket | undefined;
      const offered = new Map<string, Job>();
      const send = (message: ServerMessage["message"]) =>
        socket?.send(new ServerMessage({ message }).toBinary());
      const worker: EmulatedWorker = {
        authorization,
        told: [],
        closed: undefined,
        send,
        drop: () => socket?.terminate(),
        freeze: () => socket?.pause(),
        offer({ room, agentName, metadata = "" }) {
          const id = `AJ_${++jobs}`;
          const place = new Room({ name: room, sid: `RM_${room}` });
          const job = new Job({ id, dispatchId: `AD_${jobs}`, room: place, agentName, metadata });
          offered.set(id, job);
          send({ case: "availability", value: new AvailabilityRequest({ job }) });
          return id;
        },
      };
      const answer = ({ case: type, value }: Told) => {
        switch (type) {
          case "register": {
            const serverInfo = new ServerInfo({ version: "emulated" });
            const value = new RegisterWorkerResponse({
              workerId: `AW_${server.connections.length}`,
              serverInfo,
            });
            return send({ case: "register", value });
          }
          case "ping":
            return send({ case: "pong", value: new WorkerPong({ lastTimestamp: value.timestamp }) });
          case "availability": {
            const job = offered.get(value.jobId);
            if (!job || !value.available) return;
            job.state = new JobState({ participantIdentity: value.participantIdentity });
            return send({
              case: "assignment",
              value: new JobAssignment({ job, token: `token of ${job.id}` }),
            });
          }
        }
      };
      serving.set(worker, (opened) => {
        socket = opened;
        opened.on("message", (data: Uint8Array) => {
          const { message } = WorkerMessage.fromBinary(data);
          worker.told.push(message);
          answer(message);
        });
      });
      return worker;
    },
    serve: ({ socket, connection }) => serving.get(connection)?.(socket),
  });
  return Object.defineProperties({} as AgentServer, {
    ...Object.getOwnPropertyDescriptors(server),
    wsUrl: { value: server.url.replace("http", "ws") },
    workers: { value: server.connections },
    attempts: { get: () => attempts },
  });
}

/** LiveKit's word that a job is to end. */
export const termination = (jobId: string): ServerMessage["message"] => ({
  case: "termination",
  value: new JobTermination({ jobId }),
});
