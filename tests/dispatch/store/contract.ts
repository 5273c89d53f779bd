/** What every store does. */
import { assert, assertEquals } from "@std/assert";
import { describe, it, type TestOptions } from "@std/testing/bdd";
import type { Store } from "../../../src/dispatch/store/store.ts";

/** A store, empty, and one beside it that shares its contents, as another process has it. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store;
  readonly other: Store;
  /** Lets so many milliseconds pass. */
  pass(ms: number): Promise<void>;
}

const ttlMs = 60_000;

/** Describes the store that `open` opens. */
export function describeStore(
  name: string,
  open: () => StoreUnderTest | Promise<StoreUnderTest>,
  options: TestOptions = {},
): void {
  describe(name, options, () => {
    it("gives a lease to one of those who ask for it at once, and tells the others whose it is", async () => {
      await using all = await open();
      const stores = Array.from({ length: 10 }, (_, i) => i % 2 === 0 ? all.store : all.other);
      const answers = await Promise.all(stores.map((store, i) => store.take("claim:r", `${i}`, ttlMs)));
      const taken = answers.findIndex(({ type }) => type === "taken");
      const token = answers[taken]?.token;
      assert(token !== undefined && token > 0);
      assertEquals(
        answers.filter((_, i) => i !== taken),
        Array(9).fill({ type: "held", value: `${taken}`, token }),
      );
      const { leftMs = 0, ...held } = await all.other.read("claim:r") ?? {};
      assertEquals(held, { value: `${taken}`, token });
      assert(leftMs > ttlMs - 5_000 && leftMs <= ttlMs, `${leftMs} ms are left`);
    });

    it("keeps leases apart by their keys, and gives each holding a greater token", async () => {
      await using all = await open();
      const tokens: number[] = [];
      for (const key of ["claim:a", "claim:b", "claim:a:b", "claim:Zoë 🙂"]) {
        const { type, token } = await all.store.take(key, "", ttlMs);
        assertEquals(type, "taken");
        tokens.push(token);
        assert(await all.other.release(key, token));
        tokens.push((await all.other.take(key, "", ttlMs)).token);
      }
      assertEquals(tokens, [...new Set(tokens)].sort((a, b) => a - b));
    });

    it("lets a lease lapse that is not renewed, and holds one that is", async () => {
      await using all = await open();
      const { store, other } = all;
      const { token } = await store.take("claim:r", "first", ttlMs);
      await all.pass(ttlMs * 0.6);
      assertEquals(await store.renew("claim:r", token, ttlMs), true);
      await all.pass(ttlMs * 0.6);
      assertEquals((await other.read("claim:r"))?.value, "first");
      assertEquals(await store.renew("claim:r", token, ttlMs, "second"), true);
      assertEquals(await other.take("claim:r", "mine", ttlMs), { type: "held", value: "second", token });
      await all.pass(ttlMs * 1.2);
      assertEquals(await other.read("claim:r"), undefined);
      assertEquals(await store.renew("claim:r", token, ttlMs, "third"), false);
      assertEquals((await other.take("claim:r", "mine", ttlMs)).type, "taken");
    });

    it("lets nobody renew or release what another holds by now", async () => {
      await using all = await open();
      const { store, other } = all;
      const first = await store.take("claim:r", "first", ttlMs);
      await all.pass(ttlMs * 1.2);
      const second = await other.take("claim:r", "second", ttlMs);
      assertEquals(await store.renew("claim:r", first.token, ttlMs, "first"), false);
      assertEquals(await store.release("claim:r", first.token), false);
      assertEquals((await store.read("claim:r"))?.token, second.token);
      assertEquals(await other.release("claim:r", second.token), true);
      assertEquals(await store.read("claim:r"), undefined);
    });

    it("keeps values until they expire, are replaced or deleted", async () => {
      await using all = await open();
      const { store, other } = all;
      assertEquals(await store.get("note:a"), undefined);
      assertEquals(await store.set("note:a", "1", { ttlMs }), true);
      assertEquals(await store.set("note:b", "ü\n🙂", { ttlMs: ttlMs * 10 }), true);
      assertEquals([await other.get("note:a"), await other.get("note:b")], ["1", "ü\n🙂"]);
      await all.pass(ttlMs * 0.6);
      await other.set("note:a", "2", { ttlMs });
      await all.pass(ttlMs * 0.6);
      assertEquals(await store.get("note:a"), "2");
      await all.pass(ttlMs * 0.6);
      assertEquals([await store.get("note:a"), await store.get("note:b")], [undefined, "ü\n🙂"]);
      assertEquals(await other.delete("note:b"), true);
      assertEquals([await store.get("note:b"), await store.delete("note:b")], [undefined, true]);
    });

    it("lists the values of a kind, and no others", async () => {
      await using all = await open();
      const { store, other } = all;
      for (const key of ["note:a", "note:a:b", "note:c", "notes:d"]) {
        await store.set(key, "x", { ttlMs: key === "note:c" ? ttlMs : ttlMs * 10 });
      }
      await store.take("note:lease", "", ttlMs * 10);
      assertEquals((await other.keys("note")).sort(), ["note:a", "note:a:b", "note:c"]);
      await all.pass(ttlMs * 1.2);
      await other.delete("note:a");
      assertEquals(await store.keys("note"), ["note:a:b"]);
      assertEquals(await store.keys("not"), []);
    });

    it("lets who has lost a lease change nothing that is fenced with it", async () => {
      await using all = await open();
      const { store, other } = all;
      const { token } = await store.take("claim:r", "", ttlMs);
      const fence = { key: "claim:r", token };
      assertEquals(await store.set("note:r", "first", { ttlMs: ttlMs * 10, fence }), true);
      await all.pass(ttlMs * 1.2);
      assertEquals(await store.set("note:r", "lapsed", { ttlMs: ttlMs * 10, fence }), false);
      const next = await other.take("claim:r", "", ttlMs);
      assertEquals(await store.set("note:r", "late", { ttlMs: ttlMs * 10, fence }), false);
      assertEquals(await store.delete("note:r", { fence }), false);
      assertEquals(await store.get("note:r"), "first");
      assertEquals(await other.delete("note:r", { fence: { ...fence, token: next.token } }), true);
      assertEquals(await store.get("note:r"), undefined);
    });
  });
}
