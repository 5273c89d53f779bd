import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { systemClock as clock } from "../../../src/clock.ts";
import { fileStore } from "../../../src/dispatch/store/files.ts";
import { describeStore } from "./contract.ts";

describeStore("the store in files", async () => {
  const folder = await Deno.makeTempDir();
  let skippedMs = 0;
  const now = () => Date.now() + skippedMs;
  const [store, other] = [await fileStore({ folder, clock, now }), await fileStore({ folder, clock, now })];
  return {
    store,
    other,
    pass: (ms) => Promise.resolve(void (skippedMs += ms)),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
});

describe("the store in files", () => {
  it("has what was kept when it is opened again, and goes on with greater tokens", async () => {
    const folder = await Deno.makeTempDir();
    const first = await fileStore({ folder, clock });
    const before = await first.take("claim:r", "", 60_000);
    await first.set("note:r", "kept", { ttlMs: 60_000 });
    await first.release("claim:r", before.token);
    await first[Symbol.asyncDispose]();
    await using again = await fileStore({ folder, clock });
    assertEquals(await again.get("note:r"), "kept");
    assert((await again.take("claim:r", "", 60_000)).token > before.token);
    await again[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  });

  it("is read by nobody else on the machine", async () => {
    const folder = `${await Deno.makeTempDir()}/state`;
    await using store = await fileStore({ folder, clock });
    await store.set("note:r", "secret", { ttlMs: 60_000 });
    const mode = async (path: string) => ((await Deno.stat(path)).mode ?? 0) & 0o777;
    assertEquals(await mode(folder), 0o700);
    for await (const { name } of Deno.readDir(`${folder}/values-note`)) {
      assertEquals(await mode(`${folder}/values-note/${name}`), 0o600);
    }
    await Deno.remove(folder, { recursive: true });
  });

  it("gives up changes in words after a second while another process holds it up, and reads", async () => {
    const folder = await Deno.makeTempDir();
    await using store = await fileStore({ folder, clock });
    await store.set("note:r", "kept", { ttlMs: 60_000 });
    {
      using lock = await Deno.open(`${folder}/lock`, { write: true });
      await lock.lock(true);
      const beganMs = clock.now();
      await assertRejects(() => store.delete("note:r"), /^StoreError: .* gave no answer within 1 s/);
      assert(clock.now() - beganMs < 3_000);
      assertEquals(await store.get("note:r"), "kept");
    }
    assertEquals(await store.delete("note:r"), true);
    assertEquals(await store.get("note:r"), undefined);
    await Deno.remove(folder, { recursive: true });
  });

  it("says so when nothing can be written in its folder", async () => {
    const file = await Deno.makeTempFile();
    await assertRejects(() => fileStore({ folder: `${file}/state`, clock }), /^ConfigError: STATE_DIR is /);
    await Deno.remove(file);
  });
});
