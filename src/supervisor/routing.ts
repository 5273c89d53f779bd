/** Which workers a request is for, and in which order they are asked. */
import type { Member } from "./fleet.ts";

/** How a request finds its worker. */
export type Route =
  /** It wants an agent: the worker with the fewest calls that takes more; then the others, while each refuses. */
  | { readonly type: "call" }
  /** It is about a session: the worker that has it, else the others while each answers that it has it not, with `unless`. */
  | { readonly type: "session"; readonly sessionId: string | undefined; readonly unless: number }
  /** It asks for what each worker has a part of. */
  | { readonly type: "list" }
  | { readonly type: "webhook" }
  /** Every worker answers it alike. */
  | { readonly type: "any" };

const twirp = "/twirp/livekit.AgentDispatchService/";

/** The route of a request. */
export function routeOf(method: string, { pathname, searchParams }: URL): Route {
  const [, first, second] = pathname.split("/");
  switch (pathname) {
    case "/dispatch":
    case "/playground/dispatch":
    case `${twirp}CreateDispatch`:
      return { type: "call" };
    case "/playground/events":
      return { type: "session", sessionId: searchParams.get("session") ?? undefined, unless: 404 };
    case "/playground/interrupt":
    case `${twirp}DeleteDispatch`:
      return { type: "session", sessionId: undefined, unless: 404 };
    case "/webhooks/livekit":
      return { type: "webhook" };
    case `${twirp}ListDispatch`:
      return { type: "list" };
    case "/sessions":
      return { type: method === "GET" ? "list" : "any" };
  }
  // Workers ask each other, but for what is streamed (https://www.rfc-editor.org/rfc/rfc9110#section-15.5.20).
  return first === "sessions" ? { type: "session", sessionId: second, unless: 421 } : { type: "any" };
}

/** What is known of a worker, and how many calls it was sent that it has not reported yet. */
export interface Candidate extends Pick<Member, "name" | "state" | "report" | "isLate"> {
  readonly sent: number;
}

/** Whether it would take another call. */
export const takesCalls = ({ state, report, isLate }: Candidate): boolean =>
  state === "ready" && !isLate && (report?.takesCalls ?? false);

/** Those that can be asked: first who takes calls, the one with the fewest before the others. */
export function byCalls<C extends Candidate>(candidates: readonly C[]): C[] {
  const calls = ({ report, sent }: C) => (report?.sessions.length ?? 0) + sent;
  const load = ({ report }: C) => report?.load ?? 1;
  return candidates.filter(({ report }) => report !== undefined).toSorted((a, b) =>
    Number(takesCalls(b)) - Number(takesCalls(a)) || calls(a) - calls(b) || load(a) - load(b)
  );
}

/** The same in the same order, but for those first of which `has` is true. */
export const preferring = <C>(candidates: readonly C[], has: (candidate: C) => boolean): C[] =>
  candidates.toSorted((a, b) => Number(has(b)) - Number(has(a)));

/** Remembers the newest `limit` that it was told. */
export function memory<V>(limit: number): Pick<Map<string, V>, "get"> & { set(key: string, value: V): void } {
  const all = new Map<string, V>();
  return {
    get: (key) => all.get(key),
    set(key, value) {
      all.delete(key);
      all.set(key, value);
      const [oldest] = all.keys();
      if (all.size > limit && oldest !== undefined) all.delete(oldest);
    },
  };
}
