/** Requests about sessions that another process has, answered by that process. */
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Relay } from "../src/dispatch/relay.ts";
import { StoreError } from "../src/dispatch/store/store.ts";
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
    const headers = Object.fromEntries(passed.flatMap((name) => {
      const value = c.req.header(name);
      return value === undefined ? [] : [[name, value]];
    }));
    const request = { method: c.req.method, path: `${pathname}${search}`, headers, body };
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
