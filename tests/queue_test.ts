import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createQueue } from "../src/queue.ts";

describe("createQueue()", () => {
  it("brings all that came, and only then the failure", async () => {
    const { readable, push, end } = createQueue<number>();
    push(1);
    push(2);
    end({ error: new Error("broke off") });
    push(3);
    const reader = readable.getReader();
    assertEquals([(await reader.read()).value, (await reader.read()).value], [1, 2]);
    await assertRejects(() => reader.read(), /broke off/);
  });

  it("waits for what comes later, and ends", async () => {
    const { readable, push, end } = createQueue<number>();
    const all = Array.fromAsync(readable);
    push(1);
    await Promise.resolve();
    push(2);
    end();
    assertEquals(await all, [1, 2]);
  });

  it("says when its reader gives up", async () => {
    const reasons: unknown[] = [];
    const { readable, push, end } = createQueue<number>((reason) => reasons.push(reason));
    push(1);
    await readable.cancel("enough");
    push(2);
    end();
    assertEquals(reasons, ["enough"]);
  });
});
