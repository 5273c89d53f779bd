/**
 * This server as a worker of LiveKit's: registered under every agent's name, so that LiveKit's own dispatches come here
 * and are spread over all that are registered. https://docs.livekit.io/agents/server/
 */
import {
  type Job,
  type RegisterWorkerResponse,
  ServerInfo_Edition,
  UpdateWorkerStatus,
  WorkerStatus,
} from "@livekit/protocol";
import type { Clock } from "../../clock.ts";
import type { LiveKitConfig } from "../../config.ts";
import type { Log } from "../../log.ts";
import type { Automatic } from "../automatic.ts";
import type { Dispatcher, DispatchRequest } from "../dispatcher.ts";
import type { Rooms } from "../rooms.ts";
import { createJobs, type JobOutcome, type Jobs } from "./jobs.ts";
import { register, type Registration } from "./registration.ts";

export interface Worker extends Disposable {
  /** Under how many of its names it is registered. */
  readonly registered: number;
  /** Tells LiveKit at once whether a session would be taken; it is told anyway when that changes, half a second later. */
  report(): void;
}

export interface WorkerOptions {
  readonly livekit: LiveKitConfig;
  /** The names in the registry; while agents are being written, they come and go. */
  readonly agents: readonly string[];
  /** The agent of rooms that ask for nobody by name; without it they are left to others. */
  readonly autoAgent: string | undefined;
  readonly automatic: Automatic;
  readonly dispatcher: Pick<Dispatcher, "dispatch" | "refusal" | "load">;
  readonly rooms: Pick<Rooms, "dispatches">;
  /** Told what became of a job, by the agent's name. */
  readonly onJob?: (job: { readonly agent: string; readonly outcome: JobOutcome }) => void;
  /** Told whenever LiveKit has registered a name. */
  readonly onRegistered?: (answer: RegisterWorkerResponse) => void;
  /** 0–1, for the jitter. */
  readonly random?: () => number;
  readonly clock: Clock;
  readonly log: Log;
}

/** What LiveKit knows the server by. */
interface Name {
  readonly link: Registration;
  readonly jobs: Jobs;
}

/** How often the load is looked at, and reported though it is the same; milliseconds. */
const loadMs = { look: 500, report: 2_500 };
/** A load that differs by so much is reported at once. */
const notable = 0.05;

export function createWorker(options: WorkerOptions): Worker {
  const { livekit, agents, autoAgent, automatic, dispatcher, onJob, onRegistered, random, clock, log } =
    options;
  let troubled = false;
  let reported = { full: false, load: 0, atMs: -Infinity };
  let timer: Disposable | undefined;

  const named = ({ room, agentName: agent, metadata }: Job): Promise<DispatchRequest | undefined> =>
    Promise.resolve(room && { room: room.name, roomSid: room.sid, agent, metadata });
  const unnamed = async ({ room, metadata }: Job): Promise<DispatchRequest | undefined> => {
    const asked = room && await automatic(room, { isNew: true });
    return asked && metadata !== "" ? { ...asked, metadata } : asked;
  };

  const tell = ({ link, jobs: { ids } }: Name) => {
    const { full, load } = reported;
    const status = full ? WorkerStatus.WS_FULL : WorkerStatus.WS_AVAILABLE;
    link.send({
      case: "updateWorker",
      value: new UpdateWorkerStatus({ status, load, jobCount: ids.length }),
    });
  };
  const report = () => {
    reported = { full: dispatcher.refusal !== undefined, load: dispatcher.load, atMs: clock.now() };
    for (const name of names.values()) tell(name);
  };
  const look = () => {
    follow();
    const changed = reported.full !== (dispatcher.refusal !== undefined) ||
      Math.abs(reported.load - dispatcher.load) >= notable;
    if (changed || clock.now() - reported.atMs >= loadMs.report) report();
    timer = clock.after(loadMs.look, look);
  };

  const enter = (agentName: string, agent: string): Name => {
    const link: Registration = register({
      livekit,
      agentName,
      jobs: () => jobs.ids,
      onMessage: (message) => jobs.take(message),
      onRegistered(answer) {
        report();
        onRegistered?.(answer);
        if ([...names.values()].some(({ link }) => !link.registered)) return;
        troubled = false;
        log.info({ agents: names.size, version: answer.serverInfo?.version }, "registered with LiveKit");
      },
      onLost(error) {
        if (!troubled) {
          log.warn({ error }, "not registered with LiveKit, which sends no jobs; it is tried again");
        }
        troubled = true;
      },
      ...(random && { random }),
      clock,
    });
    const jobs = createJobs({
      ...options,
      agent,
      asks: agentName === "" ? unnamed : named,
      link,
      onOutcome: (outcome) => onJob?.({ agent, outcome }),
    });
    return { link, jobs };
  };
  const names = new Map<string, Name>();
  /** Registers the agents that are new, and none that is gone. */
  const follow = () => {
    for (const [name, { link }] of names) {
      if (name === "" || agents.includes(name)) continue;
      link[Symbol.dispose]();
      names.delete(name);
    }
    for (const agent of agents) if (!names.has(agent)) names.set(agent, enter(agent, agent));
  };
  if (autoAgent !== undefined) names.set("", enter("", autoAgent));
  look();

  return {
    get registered() {
      return [...names.values()].filter(({ link }) => link.registered).length;
    },
    report,
    [Symbol.dispose]() {
      timer?.[Symbol.dispose]();
      for (const { link } of names.values()) link[Symbol.dispose]();
    },
  };
}

/** Whether it is LiveKit's own server that registered the name, which leaves a lost dispatch lost; its cloud does not. */
export const retriesNothing = ({ serverInfo }: RegisterWorkerResponse): boolean =>
  serverInfo?.edition === ServerInfo_Edition.Standard;
