/** The port that clients see: each request goes to the worker that it is for. */
import { readWebhook } from "../dispatch/hints.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Member } from "./fleet.ts";
import { type Asked, forward, problem, readAsked } from "./forward.ts";
import { type Loopback, loopback } from "./loopback.ts";
import { mergeLists } from "./merge.ts";
import { byCalls, type Candidate, memory, preferring, type Route, routeOf, takesCalls } from "./routing.ts";
import { createSockets } from "./sockets.ts";
import { passedOn } from "./wire.ts";

export interface FrontOptions {
  /** The workers that there are now. */
  readonly members: () => readonly Member[];
  /** The secret that workers know requests by. */
  readonly token: string;
  readonly log: Log;
}

export interface Front {
  /** Answers a request, or passes it on. */
  handle(request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>): Promise<Response>;
  /** The metrics of every worker. */
  metrics(): Promise<(readonly object[])[]>;
}

/** A worker, with the way to it. */
interface Reached extends Candidate {
  readonly port: number;
  readonly way: Loopback;
}

/** Webhooks and rooms that are remembered, by the worker that had them. */
const rememberedHints = 10_000;
const noWorker = "No worker can be reached; try again later.";
const comeBack = { "retry-after": "10" };

export function createFront({ members, token, log }: FrontOptions): Front {
  /** The ways to workers by name, with the port that each is for. */
  const ways = new Map<string, { readonly port: number; readonly way: Loopback }>();
  /** How many calls each worker was sent since that report. */
  const sent = new Map<string, { readonly report: unknown; readonly calls: number }>();
  /** What each worker has measured: of one that is late as it was, so that no sum falls. */
  const measured = new Map<string, readonly object[]>();
  const hints = memory<string>(rememberedHints);

  const reached = (): Reached[] => {
    const now = members();
    for (const [name, { way }] of ways) {
      if (now.some((member) => member.name === name)) continue;
      way[Symbol.dispose]();
      ways.delete(name);
      sent.delete(name);
      measured.delete(name);
    }
    return now.flatMap((member) => {
      const { name, report } = member;
      if (!report) return [];
      const known = ways.get(name) ?? { port: report.port, way: loopback(report.port) };
      ways.set(name, known);
      const counted = sent.get(name);
      return [{ ...member, ...known, sent: counted?.report === report ? counted.calls : 0 }];
    });
  };
  const count = ({ name, report, sent: calls }: Reached) => sent.set(name, { report, calls: calls + 1 });

  /** Those whose answers need not be waited for. */
  const inTime = () => reached().filter(({ isLate }) => !isLate);

  const sockets = createSockets({ reached, token, log });

  /** The first answer that is good enough, or the last; a worker that cannot be reached has none. */
  const firstOf = async (
    asked: Asked,
    order: readonly Reached[],
    isEnough: (answer: Response) => boolean,
  ): Promise<{ readonly answer: Response; readonly by?: Reached }> => {
    let last: { readonly answer: Response; readonly by?: Reached } | undefined;
    for (const by of order) {
      const answer = await ask(asked, by);
      if (!answer) continue;
      await last?.answer.body?.cancel();
      last = { answer, by };
      if (isEnough(answer)) break;
    }
    return last ?? { answer: problem(503, noWorker, comeBack) };
  };

  const ask = async (asked: Asked, { name, way }: Reached): Promise<Response | undefined> => {
    try {
      return await forward(asked, way);
    } catch (error) {
      log.warn({ worker: name, reason: messageOf(error), path: asked.path }, "a worker cannot be reached");
      return undefined;
    }
  };

  const call = async (asked: Asked): Promise<Response> => {
    const isTaken = ({ status, headers }: Response) =>
      !(status === 429 || status === 503) || !headers.has("retry-after");
    // Counted before the answer is there: those that are asked for meanwhile go elsewhere.
    const order = byCalls(reached());
    if (order[0]) count(order[0]);
    const { answer } = await firstOf(asked, order, isTaken);
    return answer;
  };

  const session = async (
    asked: Asked,
    { sessionId, unless }: Extract<Route, { readonly type: "session" }>,
  ): Promise<Response> => {
    const has = ({ report }: Reached) => report?.sessions.some((one) => one.sessionId === sessionId) ?? false;
    const { answer } = await firstOf(
      asked,
      preferring(byCalls(reached()), has),
      ({ status }) => status !== unless,
    );
    return answer;
  };

  const list = async (asked: Asked): Promise<Response> => {
    const answers = await Promise.all(inTime().map((one) => ask(asked, one)));
    const given = answers.filter((answer) => answer !== undefined);
    return given.length > 0 ? await mergeLists(asked.path, given) : problem(503, noWorker, comeBack);
  };

  /**
   * To the worker that has had it before, and knows that it comes again; else to the one that has a session in the room,
   * or was told of the room before. What is told is believed by the worker alone, which looks at the signature.
   */
  const webhook = async (asked: Asked): Promise<Response> => {
    const { id, room } = hintOf(asked);
    const [knowsId, knowsRoom] = [id, room].map((key) => key === undefined ? undefined : hints.get(key));
    const has = ({ report }: Reached) => report?.sessions.some((one) => roomKey(one.room) === room) ?? false;
    let order = preferring(byCalls(reached()), (one) => one.name === knowsRoom && takesCalls(one));
    order = preferring(preferring(order, has), ({ name }) => name === knowsId);
    const { answer, by } = await firstOf(asked, order, () => true);
    if (by && answer.ok) {
      for (const key of [id, room]) if (key !== undefined) hints.set(key, by.name);
    }
    return answer;
  };

  const answerTo = async (asked: Asked, route: Route): Promise<Response> => {
    switch (route.type) {
      case "call":
        return await call(asked);
      case "session":
        return await session(asked, route);
      case "list":
        return await list(asked);
      case "webhook":
        return await webhook(asked);
      case "any":
        return (await firstOf(asked, byCalls(reached()), () => true)).answer;
    }
  };

  return {
    async handle(request, { remoteAddr: { hostname: address } }) {
      const url = new URL(request.url);
      if (url.pathname === "/healthz") return Response.json({ status: "ok" });
      if (request.headers.get("upgrade")?.toLowerCase() === "websocket") {
        return await sockets.accept(request, address);
      }
      try {
        const asked = await readAsked(request, { address, token });
        if (!asked) return problem(413, "The body is too large; expected up to 1 MiB.");
        return await answerTo(asked, routeOf(request.method, url));
      } catch (error) {
        log.warn({ error, method: request.method, path: url.pathname }, "a request failed");
        return problem(502, "The request could not be passed on; the server's log says why.");
      }
    },
    async metrics() {
      const headers = new Headers({ [passedOn.token]: token, [passedOn.wanted]: "metrics" });
      const asked: Asked = { method: "GET", path: "/metrics", headers, body: undefined };
      await Promise.all(
        inTime().map(async (one) => {
          const answer = await ask(asked, one);
          if (answer?.ok) measured.set(one.name, await answer.json());
        }),
      );
      return reached().flatMap(({ name }) => {
        const known = measured.get(name);
        return known ? [known] : [];
      });
    },
  };
}

const roomKey = (room: string) => `room ${room}`;

/** What a webhook is about, as keys of what is remembered; nothing when it is none. */
function hintOf({ body }: Asked): { readonly id: string | undefined; readonly room: string | undefined } {
  try {
    const webhook = readWebhook(new TextDecoder().decode(body));
    const room = "hint" in webhook ? roomKey(webhook.hint.room) : undefined;
    return { id: webhook.id && `event ${webhook.id}`, room };
  } catch {
    return { id: undefined, room: undefined }; // the worker says what is wrong with it
  }
}
