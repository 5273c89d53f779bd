import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createEventLog, type LoggedEvent } from "../../src/telemetry/event_log.ts";
import { fakeClock } from "../fakes/clock.ts";

const event = (atMs: number) => ({ type: "user-started-speaking", atMs }) as const;

/** A log of events 1 to `count`, of which `limit` are kept. */
function logOf(count: number, limit = 100) {
  const log = createEventLog({ limit });
  for (let id = 1; id <= count; id++) log.append(event(id));
  return log;
}

const ids = async (stream: ReadableStream<LoggedEvent>) =>
  (await Array.fromAsync(stream)).map(({ id }) => id);

describe("a session's event log", () => {
  const reads: [what: string, count: number, limit: number, afterId: number | undefined, ids: number[]][] = [
    ["everything", 3, 10, undefined, [1, 2, 3]],
    ["what is after an id", 3, 10, 2, [3]],
    ["nothing after the last", 3, 10, 3, []],
    ["nothing after an id that is not there yet", 3, 10, 7, []],
    ["what is kept, when more is asked for", 5, 2, 1, [4, 5]],
    ["what is kept, by default", 5, 2, undefined, [4, 5]],
    ["nothing of nothing", 0, 2, undefined, []],
  ];
  for (const [what, count, limit, afterId, expected] of reads) {
    it(`hands out ${what}`, async () => {
      const log = logOf(count, limit);
      log.close();
      assertEquals(await ids(log.read(afterId)), expected);
    });
  }

  it("hands each reader what comes, each event with the id that all see", async () => {
    const log = logOf(1);
    const [early, late] = [ids(log.read()), ids(log.read(1))];
    await fakeClock().settle();
    log.append(event(2));
    log.append(event(3));
    log.close();
    assertEquals([await early, await late], [[1, 2, 3], [2, 3]]);
    assertEquals([log.lastId, log.dropped], [3, 0]);
  });

  it("keeps no more for a reader who does not read: it goes on with the oldest event that is kept", async () => {
    const log = logOf(0, 3);
    const reader = log.read().getReader();
    log.append(event(1));
    assertEquals((await reader.read()).value?.id, 1);
    for (let id = 2; id <= 1_000; id++) log.append(event(id));
    assertEquals((await reader.read()).value, { id: 998, event: event(998) });
    assertEquals(log.dropped, 997);
    await reader.cancel();
  });

  it("lets go of a reader who gives up while it waits", async () => {
    const log = logOf(0);
    const reader = log.read().getReader();
    const waiting = reader.read();
    await reader.cancel();
    assertEquals((await waiting).done, true);
    log.append(event(1));
    log.close();
    assertEquals(await ids(log.read()), [1]);
  });
});
