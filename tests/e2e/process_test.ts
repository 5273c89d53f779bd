/** The real process, as `deno task start` runs it: how it starts, refuses to start, and ends. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";

interface Server {
  readonly child: Deno.ChildProcess;
  /** Its address, from the line it greets with. */
  readonly url: string;
}

/** The command of the `start` task, to be run without the task runner so that its process gets the signals. */
async function startCommand(): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  return tasks.start.split(" ");
}

async function spawn(env: Record<string, string>): Promise<Deno.ChildProcess> {
  const [command = "", ...args] = await startCommand();
  const base = {
    PATH: Deno.env.get("PATH") ?? "",
    HOME: Deno.env.get("HOME") ?? "",
    NO_COLOR: "1",
    PORT: "0",
  };
  return new Deno.Command(command, {
    args,
    cwd: new URL("../..", import.meta.url),
    env: { ...base, ...env },
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

/** Runs to the end; for a process that is expected not to start. */
async function run(env: Record<string, string>): Promise<{ code: number; said: string }> {
  const child = await spawn(env);
  const { code, stderr } = await child.output();
  return { code, said: new TextDecoder().decode(stderr) };
}

/** Starts the server and waits for it to say where it is. */
async function start(env: Record<string, string> = {}): Promise<Server> {
  const child = await spawn({ LOG_LEVEL: "silent", ...env });
  let said = "";
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    said += text;
    const url = /Repartee is at (\S+) /.exec(said)?.[1];
    if (url) return { child, url };
  }
  throw new Error(`the server ended before it was ready: ${said}`);
}

describe("the process", () => {
  for (const [signal, code] of [["SIGINT", 0], ["SIGTERM", 0]] as const) {
    it(`is ready with an empty environment, and exits with ${code} on ${signal}`, async () => {
      const { child, url } = await start();
      const ready = await fetch(`${url}/readyz`);
      assertEquals([ready.status, await ready.json()], [200, { status: "ready" }]);
      const refused = await fetch(`${url}/dispatch`, { method: "POST" });
      assertEquals([refused.status, (await refused.json()).status], [401, 401]);
      child.kill(signal);
      assertEquals((await child.status).code, code);
    });
  }

  it("takes signals that come together as one: Ctrl-C arrives twice through a task runner", async () => {
    const { child } = await start();
    child.kill("SIGINT");
    child.kill("SIGTERM");
    assertEquals((await child.status).code, 0);
  });

  it("says everything that is wrong with its configuration, and exits with 1", async () => {
    const { code, said } = await run({ PORT: "http", LIVEKIT_API_SECRET: "s3cret" });
    assertEquals(code, 1);
    assertMatch(said, /PORT is "http"; expected a whole number/);
    assertMatch(said, /LIVEKIT_URL and LIVEKIT_API_KEY are not set/);
    assert(!said.includes("s3cret"), said);
  });

  it("says so when it cannot listen, and exits with 1", async () => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { code, said } = await run({ PORT: String(taken.addr.port) });
    assertEquals(code, 1);
    assertMatch(said, new RegExp(`cannot listen on HOST 127.0.0.1, PORT ${taken.addr.port}: `));
  });
});
