/** Three servers that share a Redis, and calls in them. */
import { assertEquals } from "@std/assert";
import { messageOf } from "../../src/errors.ts";
import { until } from "../e2e/caller.ts";
import { type Access, type Cluster, startCluster } from "../e2e/cluster.ts";
import type { LiveKitServer } from "../e2e/livekit_server.ts";
import { loadClip } from "../fixtures/speech.ts";
import { type FleetCall, nextAnswer, patientMs, startCall } from "./call.ts";

/** How many calls a test makes, and how often it replaces the servers: `-- --calls=20 --rounds=10`. */
export const [manyCalls, rounds] = ["calls", "rounds"].map((name) => {
  const given = Deno.args.find((arg) => arg.startsWith(`--${name}=`));
  return given === undefined ? undefined : Number(given.split("=")[1]);
});

/** A process and the calls it has. */
export interface Holder {
  /** The server's number in the cluster and, where it has several processes, the worker's name. */
  readonly server: number;
  readonly worker: string | undefined;
  readonly calls: readonly FleetCall[];
}

export interface Fleet extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly calls: readonly FleetCall[];
  /** The numbers of the servers that run, in the cluster's. */
  readonly running: number[];
  /** The process that has most of the calls, by which agents came to their rooms last. */
  busiest(): Holder;
  /** Every call asks a question, not all at the same moment; rejects when one has no answer, or more than one agent. */
  askAll(): Promise<void>;
}

/** One call in so many speaks; the others listen, and write. */
const oneSpeaksIn = 4;
/** Calls begin, and ask, so far apart, in milliseconds. */
const apartMs = 250;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function startFleet(
  livekit: LiveKitServer,
  { calls: count, redisUrl = "", servers = 3, env = {} }: {
    readonly calls: number;
    /** What they share (default: nothing, or what `env` says). */
    readonly redisUrl?: string;
    readonly servers?: number;
    readonly env?: Readonly<Record<string, string>>;
  },
): Promise<Fleet> {
  await using stack = new AsyncDisposableStack();
  const livekits: Access[] = Array.from({ length: servers }, () => livekit);
  const cluster = stack.use(
    await startCluster({
      livekits,
      redisUrl,
      env,
      agent: "assistant",
      answer: nextAnswer,
      transcripts: ["What is next?"],
    }),
  );
  const { samples: question } = await loadClip("five");
  const calls: FleetCall[] = [];
  const greeted: Promise<void>[] = [];
  for (let n = 0; n < count; n++) {
    const call = stack.use(await startCall(livekit, { n, speaks: n % oneSpeaksIn === 0, question }));
    calls.push(call);
    greeted.push(greet(cluster, call, n % servers));
  }
  await Promise.all(greeted);
  const owned = stack.move();
  return {
    cluster,
    calls,
    running: livekits.map((_, server) => server),
    busiest() {
      const holders = Map.groupBy(calls, ({ room }) => {
        const joined = cluster.told(room, "agent joined").toSorted((a, b) => a.time.localeCompare(b.time));
        const last = joined.at(-1);
        return JSON.stringify({ server: last?.server, worker: last?.worker });
      });
      const [most] = [...holders].toSorted(([, a], [, b]) => b.length - a.length);
      if (!most) throw new Error("there are no calls");
      return { ...JSON.parse(most[0]), calls: most[1] };
    },
    async askAll() {
      await Promise.all(calls.map(async (call, n) => {
        await sleep(n * apartMs);
        await told(cluster, call, call.ask());
        const [agent] = call.agents;
        await until(
          async () =>
            call.agents.length === 1 && (await cluster.agentsIn(call.room)).join() === call.agents[0],
          `${agent} alone in ${call.room}, where there are ${call.agents}`,
          patientMs,
        );
      }));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Has an agent sent by that server, and waits until it has greeted. */
async function greet(cluster: Cluster, call: FleetCall, server: number): Promise<void> {
  const { status, body } = await cluster.dispatch(server, call.room);
  if (![201, 202].includes(status)) throw new Error(`${call.room}: ${status} ${JSON.stringify(body)}`);
  await told(cluster, call, call.untilGreeted());
}

/** With what the servers' logs and the one who calls have of the call, where `work` rejects. */
export async function told<T>(
  { servers }: Cluster,
  { room, trail }: FleetCall,
  work: Promise<T>,
): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const lines = servers.flatMap(({ log }, server) =>
      log.filter((line) => line.room === room).map(({ time, msg, event, error, reason }) =>
        `${time} ${server} ${msg} ${JSON.stringify({ event, error, reason }).slice(0, 300)}`
      )
    );
    const all = [...lines, ...trail].toSorted().slice(-100).join("\n");
    throw new Error(`${messageOf(cause)}; what happened:\n${all}`, { cause });
  }
}

/** What was said in each call: the greeting, each answer once, in order; `more`: what else there may be. */
export function assertEachOnce(
  calls: readonly FleetCall[],
  answers: readonly number[],
  more: string[] = [],
): void {
  for (const [n, { room, lines }] of calls.entries()) {
    const said = lines.filter((line) => !more.includes(line));
    const expected = Array.from(
      { length: answers[n] ?? 0 },
      (_, i) => `Answer ${i + 1} is what you hear now.`,
    );
    assertEquals(said, ["Hello! How can I help you today?", ...expected], room);
  }
}
