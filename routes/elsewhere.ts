/** Requests about sessions that another process has, answered by that process. */
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import type * as z from "zod";
import type { SessionsElsewhere } from "../src/dispatch/elsewhere.ts";
import type { Relay } from "../src/dispatch/relay.ts";
import { StoreError } from "../src/dispatch/store/store.ts";
import { StageError } from "../src/errors.ts";
import { sessionSummary } from "../src/telemetry/report.ts";
import type { AppEnv } from "./app.ts";
import type { FlyMachine } from "./fly.ts";
import { comeBack, problem } from "./problem.ts";

const maxBodyBytes = 64 * 1024;
const limited = bodyLimit({
  maxSize: maxBodyBytes,
  onError: (c) => problem(c, 413, `The body is too large; expected up to ${maxBodyBytes} bytes.`),
});
/** What of a request the other process needs. */
const passed = ["authorization", "content-type"];
const passedOf = (c: Context<AppEnv>): Record<string, string> =>
  Object.fromEntries(passed.flatMap((name) => {
    const value = c.req.header(name);
    return value === undefined ? [] : [[name, value]];
  }));

/** What `GET /sessions` lists of the sessions that others have in the token's room; or the answer that it is not known. */
export function listsElsewhere(
  relay: Pick<Relay, "ask">,
  elsewhere: SessionsElsewhere,
): (c: Context<AppEnv>) => Promise<readonly z.infer<typeof sessionSummary>[] | Response> {
  return async (c) => {
    try {
      const held = await elsewhere(c.var.grants.adminOf ?? "");
      const reports = held.map(({ sessionId }) =>
        relay.ask(sessionId, {
          method: "GET",
          path: `/sessions/${sessionId}`,
          headers: passedOf(c),
          body: "",
        })
      );
      return (await Promise.all(reports)).flatMap((answer) =>
        answer?.status === 200 ? [sessionSummary.parse(JSON.parse(answer.body))] : [] // else it has just ended
      );
    } catch (error) {
      if (!(error instanceof StoreError || error instanceof StageError)) throw error;
      return problem(c, 503, `It is not known which sessions other processes have: ${error.message}.`, {
        headers: comeBack,
      });
    }
  };
}

/**
 * Asks the others for the path's session; undefined when none knows it. Events are streamed by the process itself: on
 * Fly.io its machine is asked for them, elsewhere the answer is 421.
 */
export function asksElsewhere(
  relay: Pick<Relay, "ask">,
  fly: FlyMachine | undefined,
): (c: Context<AppEnv>) => Promise<Response | undefined> {
  const ask = async (c: Context<AppEnv>, body: string): Promise<Response | undefined> => {
    const { pathname, search } = new URL(c.req.url);
    const request = { method: c.req.method, path: `${pathname}${search}`, headers: passedOf(c), body };
    const answer = await relay.ask(c.req.param("id") ?? "", request);
    if (answer?.status !== 421) {
      return answer && new Response(answer.body === "" ? null : answer.body, answer);
    }
    const { machine } = answer;
    return problem(c, 421, "The session goes on in another process, which alone can tell of its events.", {
      ...(fly && machine !== undefined && { headers: { "fly-replay": `instance=${machine}` } }),
    });
  };
  return async (c) => {
    let answer: Response | undefined;
    try {
      const tooLarge = await limited(c, async () => void (answer = await ask(c, await c.req.text())));
      return tooLarge ?? answer;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return problem(c, 503, `It is not known whether there is such a session: ${error.message}.`, {
        headers: comeBack,
      });
    }
  };
}
