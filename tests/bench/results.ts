/** What the measurements of a benchmark come to, and how they are shown. */
import type { LogEntry } from "../e2e/server.ts";
import type { CallEvent } from "./calls.ts";
import { type Cost, cpuPercent } from "./process.ts";

/** Percentiles of a sample, milliseconds; undefined when there is none. */
export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/** Where the time of an answer went, medians in milliseconds, as the server's log tells it: see ReplyLatency. */
export type Stages = Readonly<Record<(typeof stageNames)[number], number | undefined>>;
const stageNames = ["endpointingMs", "sttMs", "llmMs", "clauseMs", "ttsMs", "playoutMs", "totalMs"] as const;

/** How late the server's timers were, milliseconds. */
export interface Lag {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Readings of a process's cost: before the calls, and while they go on. */
export interface Costs {
  readonly idle: Cost | undefined;
  readonly busy: readonly Cost[];
}

/** Everything measured with one number of calls. */
export interface Result {
  readonly calls: number;
  readonly turns: number;
  readonly failedTurns: number;
  readonly bargeIns: number;
  readonly failedBargeIns: number;
  readonly heardMs: Spread | undefined;
  readonly silentMs: Spread | undefined;
  readonly heardAfterBargeInMs: Spread | undefined;
  readonly joinedMs: Spread | undefined;
  readonly greetedMs: Spread | undefined;
  readonly readyMs: number;
  readonly stages: Stages;
  readonly cpuPercent: number | undefined;
  readonly idlePssMb: number | undefined;
  readonly pssMb: number | undefined;
  readonly lagMs: Lag | undefined;
  /** What the measuring itself took of a core. */
  readonly callersCpuPercent: number | undefined;
  readonly emulatorsCpuPercent: number | undefined;
}

export interface Measured {
  readonly calls: number;
  readonly readyMs: number;
  readonly events: readonly CallEvent[];
  readonly log: readonly LogEntry[];
  readonly lagMs: Lag | undefined;
  readonly costs: Readonly<Record<"server" | "callers" | "emulators", Costs>>;
}

export function summarize({ calls, readyMs, events, log, lagMs, costs }: Measured): Result {
  const of = <T extends CallEvent["type"]>(type: T) =>
    events.filter((event): event is Extract<CallEvent, { type: T }> => event.type === type);
  const [greetings, turns, bargeIns] = [of("greeting"), of("turn"), of("barge-in")];
  const { idle, busy } = costs.server;
  return {
    calls,
    turns: turns.length,
    failedTurns: turns.filter(({ heardMs }) => heardMs === undefined).length,
    bargeIns: bargeIns.length,
    failedBargeIns: bargeIns.filter(({ heardMs }) => heardMs === undefined).length,
    heardMs: spread(turns.map(({ heardMs }) => heardMs)),
    silentMs: spread(bargeIns.map(({ silentMs }) => silentMs)),
    heardAfterBargeInMs: spread(bargeIns.map(({ heardMs }) => heardMs)),
    joinedMs: spread(greetings.map(({ joinedMs }) => joinedMs)),
    greetedMs: spread(greetings.map(({ heardMs }) => heardMs)),
    readyMs,
    stages: stagesIn(log),
    cpuPercent: useOf(costs.server),
    idlePssMb: idle?.pssMb,
    pssMb: busy.length ? Math.max(...busy.map(({ pssMb }) => pssMb)) : undefined,
    lagMs,
    callersCpuPercent: useOf(costs.callers),
    emulatorsCpuPercent: useOf(costs.emulators),
  };
}

/** Percentiles of `values`; what is undefined was not measured. */
export function spread(values: readonly (number | undefined)[]): Spread | undefined {
  const sorted = values.filter((value) => value !== undefined).toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
  return sorted.length === 0 ? undefined : { count: sorted.length, p50: at(0.5), p95: at(0.95), max: at(1) };
}

const useOf = ({ busy }: Costs): number | undefined => cpuPercent(busy[0], busy.at(-1));

/** Medians over the answers to what a user said; greetings and apologies answer nobody. */
function stagesIn(log: readonly LogEntry[]): Stages {
  const latencies = log.filter(({ msg }) => msg === "agent-started-speaking")
    .map(({ event }) => (event as { latency: Partial<Stages> }).latency)
    .filter(({ endpointingMs }) => endpointingMs !== undefined);
  const medians = stageNames.map((name) => [name, spread(latencies.map((latency) => latency[name]))?.p50]);
  return Object.fromEntries(medians);
}

/** The results as Markdown, for people and the README. */
export function markdown(results: readonly Result[]): string {
  const ms = (given: Spread | undefined) =>
    given ? `${Math.round(given.p50)} / ${Math.round(given.p95)}` : "–";
  const number = (value: number | undefined, unit = "") =>
    value === undefined ? "–" : `${Math.round(value)}${unit}`;
  const calls = table(results, {
    calls: (result) => `${result.calls}`,
    "end of speech → answer heard": ({ heardMs }) => ms(heardMs),
    "barge-in → silence": ({ silentMs }) => ms(silentMs),
    "dispatch → joined": ({ joinedMs }) => ms(joinedMs),
    "dispatch → greeting heard": ({ greetedMs }) => ms(greetedMs),
    "failed turns": (result) =>
      `${result.failedTurns + result.failedBargeIns} of ${result.turns + result.bargeIns}`,
    CPU: (result) => number(result.cpuPercent, " %"),
    "memory, idle → peak": (result) => `${number(result.idlePssMb)} → ${number(result.pssMb)} MB`,
    ready: (result) => `${(result.readyMs / 1000).toFixed(2)} s`,
  });
  const stages = table(results, {
    calls: (result) => `${result.calls}`,
    "final transcript": (result) => number(result.stages.sttMs),
    "end of turn": (result) => number(result.stages.endpointingMs),
    "LLM's first token": (result) => number(result.stages.llmMs),
    "first clause": (result) => number(result.stages.clauseMs),
    "voice's first audio": (result) => number(result.stages.ttsMs),
    playout: (result) => number(result.stages.playoutMs),
    "sum in the server": (result) => number(result.stages.totalMs),
    "heard after": (result) => number(result.heardMs?.p50),
  });
  const caller = results.map((result) => `${result.calls}: ${number(result.callersCpuPercent, " %")}`);
  return `Times in milliseconds, p50 / p95; CPU in percent of a core; memory as PSS.

${calls}

Where the time of an answer goes, medians from the last voiced sample on (the end of a turn includes the final transcript):

${stages}

The callers took, in percent of a core, by calls: ${caller.join(", ")}.`;
}

/** A Markdown table, a row for each of `results`. */
export function table<T>(
  results: readonly T[],
  columns: Readonly<Record<string, (result: T) => string>>,
): string {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const cells = Object.values(columns);
  return [
    row(Object.keys(columns)),
    row(cells.map(() => "--:")),
    ...results.map((result) => row(cells.map((cell) => cell(result)))),
  ].join("\n");
}
