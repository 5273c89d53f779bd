/**
 * What is counted, for Prometheus: `GET /metrics` is the text of it. Names follow
 * https://prometheus.io/docs/practices/naming/ (base units, `_total`). No label ever holds who talks or where: agents are
 * the registry's, routes are patterns, and providers and models, which agents may name themselves, are bounded.
 */
import { AggregatorRegistry, Registry } from "prom-client";
import type { Clock } from "../clock.ts";
import type { DispatchResult } from "../dispatch/dispatcher.ts";
import type { VoiceSession } from "../voice_session.ts";
import type { SessionFacts } from "./facts.ts";
import { measureProcess } from "./process_metrics.ts";
import { atMost, counter, gauge, histogram, type Together } from "./prometheus.ts";
import { countSessions } from "./session_metrics.ts";

export interface Metrics extends Disposable {
  /** Counts what happens in `session` from now on. Never throws. */
  follow(session: VoiceSession, facts: Pick<SessionFacts, "agent">): void;
  /** Counts a dispatch that gave no session. */
  dispatched(result: Pick<DispatchResult, "type"> & { readonly limit?: string }): void;
  /** Counts an answer over HTTP; `ms`: until it began. `route`: the pattern, never the path. */
  answered(
    answer: { readonly method: string; readonly route: string; readonly status: number; readonly ms: number },
  ): void;
  /**
   * A counter of one's own, `repartee_<name>_total`; throws when there is one of that name. Returns what adds to it (by
   * default 1). Of each label's values the first 100 are told apart, and the rest are "other".
   *
   * ```ts
   * const received = metrics.counter("webhooks_received", "Webhooks of LiveKit.", ["event"]);
   * received({ event: "room_started" });
   * ```
   */
  counter<const Label extends string = never>(
    name: string,
    help: string,
    labels?: readonly Label[],
  ): (labels: Readonly<Record<Label, string>>, by?: number) => void;
  /** A value of one's own, `repartee_<name>`, that is read whenever it is shown; of several processes `together` (sum). */
  gauge(name: string, help: string, read: () => number, together?: Together): void;
  /** Everything as JSON, for `togetherText`. */
  json(): Promise<readonly object[]>;
  /** Everything, in Prometheus' text format, of type `contentType`. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** Metrics of their own, shared with nobody; disposed, they measure the process no more. */
export function createMetrics({ clock }: { readonly clock: Clock }): Metrics {
  const registry = new Registry();
  const process = measureProcess(registry, clock);
  const follow = countSessions(registry, clock);
  const refused = counter(registry, "dispatches_refused", "Dispatches that gave no session.", [
    "reason",
    "limit",
  ]);
  const requests = counter(registry, "http_requests", "Requests over HTTP, by the route's pattern.", [
    "method",
    "route",
    "status",
  ]);
  const answering = histogram(
    registry,
    "http_request_duration_seconds",
    "From a request to the beginning of its answer.",
    ["method", "route"],
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  );
  return {
    follow,
    dispatched({ type, limit = "none" }) {
      if (type !== "created" && type !== "existing") refused.inc({ reason: type, limit });
    },
    gauge(name, help, read, together) {
      gauge(registry, name, help, [], (shown) => shown.set(read()), together);
    },
    answered({ method, route, status, ms }) {
      requests.inc({ method, route, status });
      answering.observe({ method, route }, ms / 1000);
    },
    counter(name, help, labels = []) {
      const counted = counter(registry, name, help, labels);
      const bound = atMost(100);
      return (values, by = 1) => {
        const bounded = labels.map((label) => [label, bound(label, values[label])]);
        counted.inc(Object.fromEntries(bounded), by);
      };
    },
    json: () => registry.getMetricsAsJSON(),
    text: () => registry.metrics(),
    contentType: registry.contentType,
    [Symbol.dispose]: () => process[Symbol.dispose](),
  };
}

/** The metrics of several processes as one, in Prometheus' text format. */
export async function togetherText(processes: readonly (readonly object[])[]): Promise<string> {
  return await AggregatorRegistry.aggregate([...processes]).metrics();
}
