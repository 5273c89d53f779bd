import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { systemClock } from "../../../src/clock.ts";
import { answerFrom, type AskStore, httpStore } from "../../../src/dispatch/store/http.ts";
import { memoryStore } from "../../../src/dispatch/store/memory.ts";
import { type Store, StoreError } from "../../../src/dispatch/store/store.ts";
import { fakeClock } from "../../fakes/clock.ts";
import { describeStore } from "./contract.ts";

/** A process that has `store`, and how it is asked. */
function serve(store: Store) {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => answerFrom(store, request),
  );
  const { port } = server.addr as Deno.NetAddr;
  const ask: AskStore = (body, { signal }) =>
    fetch(`http://127.0.0.1:${port}`, { method: "POST", body, signal });
  return { ask, [Symbol.asyncDispose]: () => server.shutdown() };
}

describeStore("the store over HTTP", () => {
  const clock = fakeClock();
  const server = serve(memoryStore({ clock }));
  return {
    store: httpStore({ ask: server.ask, clock: systemClock }),
    other: httpStore({ ask: server.ask, clock: systemClock }),
    pass: clock.advance,
    [Symbol.asyncDispose]: server[Symbol.asyncDispose],
  };
});

describe("the store over HTTP", () => {
  it("fails as the store behind it does, and knows since when it is there", async () => {
    const clock = fakeClock();
    const behind = memoryStore({ clock });
    let isAway = true;
    const get = (key: string) => isAway ? Promise.reject(new StoreError("it is away")) : behind.get(key);
    await using server = serve({ ...behind, get });
    const store = httpStore({ ask: server.ask, clock });
    assertEquals(store.reachableMs, Infinity);
    await assertRejects(() => store.get("note:r"), /^StoreError: it is away$/);
    isAway = false;
    await clock.advance(700);
    assertEquals(await store.get("note:r"), undefined);
    assertEquals(store.reachableMs, 700);
  });

  it("gives up when nothing is answered, or nobody is there", async () => {
    const clock = fakeClock();
    const hanging = httpStore({
      ask: (_, { signal }) =>
        new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason), { once: true })
        ),
      clock,
    });
    const asked = assertRejects(() => hanging.read("claim:r"), /^StoreError: .* within 1.5 s$/);
    await clock.advance(1_500);
    await asked;
    assert(hanging.reachableMs < 100);
    const none = httpStore({ ask: () => fetch("http://127.0.0.1:9"), clock });
    await assertRejects(() => none.read("claim:r"), /^StoreError: the store cannot be asked: /);
  });
});
