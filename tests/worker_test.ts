import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../src/errors.ts";
import { sharedWorker } from "../src/worker.ts";

const url = new URL("./fakes/counting_worker.ts", import.meta.url);
const signal = new AbortController().signal;

function setUp() {
  const progress: string[] = [];
  const hold = sharedWorker<string, number, string>({
    url,
    name: "counting",
    stage: "tts",
    onProgress: (said) => progress.push(said),
  });
  return { hold, progress };
}

describe("sharedWorker()", () => {
  it("is one thread for all who hold it, and another when nobody did", async () => {
    const { hold, progress } = setUp();
    {
      using first = hold();
      using second = hold();
      assertEquals(await Promise.all([first.ask("a", { signal }), second.ask("b", { signal })]), [1, 2]);
    }
    using third = hold();
    assertEquals(await third.ask("c", { signal }), 1);
    assertEquals(progress, ["a", "b", "c"]);
  });

  it("fails what fails, and goes on", async () => {
    using held = setUp().hold();
    const error = await held.ask("fail", { signal }).catch((error: unknown) => error);
    assert(error instanceof StageError, String(error));
    assertEquals([error.stage, error.message], ["tts", "counting: failed"]);
    assertEquals(await held.ask("a", { signal }), 2);
  });

  it("never does what was aborted while it waited", async () => {
    using held = setUp().hold();
    const abort = new AbortController();
    const asked = ["a", "b"].map((name) => held.ask(name, { signal: abort.signal }));
    const after = held.ask("c", { signal });
    abort.abort(new Error("cut"));
    for (const answer of asked) await assertRejects(() => answer, /cut/);
    assertEquals(await after, 2);
    await assertRejects(() => held.ask("d", { signal: abort.signal }), /cut/);
  });

  it("is replaced when it breaks", async () => {
    const { hold } = setUp();
    using broken = hold();
    const asked = [broken.ask("break", { signal }), broken.ask("a", { signal })];
    for (const answer of asked) {
      const error = await answer.catch((error: unknown) => error);
      assert(error instanceof StageError && error.retryable, String(error));
      assert(/^counting stopped: .*broken/.test(error.message), error.message);
    }
    await assertRejects(() => broken.ask("b", { signal }), /counting stopped/);
    using next = hold();
    assertEquals(await next.ask("c", { signal }), 1);
  });

  it("keeps no process alive once nobody holds it", async () => {
    const script = `
      import { sharedWorker } from ${JSON.stringify(new URL("../src/worker.ts", import.meta.url).href)};
      const hold = sharedWorker({ url: new URL(${
      JSON.stringify(url.href)
    }), name: "counting", stage: "tts" });
      using held = hold();
      console.log(await held.ask("a", { signal: new AbortController().signal }));
    `;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--allow-read", "-"],
      cwd: new URL("..", import.meta.url),
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    await new Blob([script]).stream().pipeTo(child.stdin);
    const { code, stdout } = await child.output();
    assertEquals([code, new TextDecoder().decode(stdout)], [0, "1\n"]);
  });
});
