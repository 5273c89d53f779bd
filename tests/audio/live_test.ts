import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { liveStream } from "../../src/audio/live.ts";

interface Item {
  readonly n: number;
}
const item = (n: number): Item => ({ n });
const numbers = async (readable: ReadableStream<Item>) => (await Array.fromAsync(readable)).map(({ n }) => n);

describe("liveStream", () => {
  it("hands on in order what is read in time", async () => {
    const live = liveStream<Item>({ limit: 1 });
    const reader = live.readable.getReader();
    for (const n of [1, 2, 3]) {
      const reading = reader.read();
      await Promise.resolve();
      live.push(item(n));
      assertEquals((await reading).value, item(n));
    }
    assertEquals(live.dropped, 0);
  });

  it("hands on what is made of an item when it is read", async () => {
    let times = 1;
    const live = liveStream<Item>({ limit: 5, handing: ({ n }) => item(n * times) });
    const reader = live.readable.getReader();
    live.push(item(1));
    times = 10;
    assertEquals((await reader.read()).value, item(10));
    const reading = reader.read();
    await Promise.resolve();
    live.push(item(2));
    assertEquals((await reading).value, item(20));
  });

  it("serves several reads that wait", async () => {
    const live = liveStream<Item>({ limit: 0 });
    const reader = live.readable.getReader();
    const readings = [reader.read(), reader.read(), reader.read()];
    await Promise.resolve();
    for (const n of [1, 2, 3]) {
      live.push(item(n));
      await Promise.resolve();
    }
    assertEquals((await Promise.all(readings)).map(({ value }) => value?.n), [1, 2, 3]);
  });

  const table: [
    what: string,
    limit: number,
    size: (item: Item) => number,
    kept: number[],
    dropped: number,
  ][] = [
    ["keeps what fits", 6, () => 1, [1, 2, 3, 4, 5, 6], 0],
    ["drops the oldest items", 2, () => 1, [5, 6], 4],
    ["drops by size", 12, ({ n }) => n, [5, 6], 10],
    ["drops what never fits", 5, ({ n }) => n, [], 21],
  ];
  for (const [what, limit, size, kept, dropped] of table) {
    it(`${what} when nobody reads, and ends after the rest`, async () => {
      const live = liveStream<Item>({ limit, size });
      for (const n of [1, 2, 3, 4, 5, 6]) live.push(item(n));
      live.close();
      live.push(item(7));
      assertEquals([await numbers(live.readable), live.dropped], [kept, dropped]);
    });
  }

  it("makes room again as it is read", async () => {
    const live = liveStream<Item>({ limit: 2 });
    const reader = live.readable.getReader();
    live.push(item(1));
    live.push(item(2));
    await reader.read();
    live.push(item(3));
    assertEquals([(await reader.read()).value?.n, (await reader.read()).value?.n, live.dropped], [2, 3, 0]);
  });

  it("ends a read that waits", async () => {
    const live = liveStream<Item>({ limit: 2 });
    const reading = numbers(live.readable);
    await Promise.resolve();
    live.close();
    live.close();
    assertEquals(await reading, []);
  });

  it("fails at once, with the reason", async () => {
    const live = liveStream<Item>({ limit: 2 });
    live.push(item(1));
    live.error(new Error("unplugged"));
    live.push(item(2));
    live.close();
    await assertRejects(() => live.readable.getReader().read(), /unplugged/);
  });

  it("tells when the reader gives up, and takes no more", async () => {
    let cancelled = 0;
    const live = liveStream<Item>({ limit: 1, onCancel: () => cancelled++ });
    await live.readable.cancel();
    live.push(item(1));
    live.push(item(2));
    live.close();
    live.error(new Error("too late"));
    assertEquals([cancelled, live.dropped], [1, 0]);
  });
});
