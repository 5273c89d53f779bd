/** Sound behind the agent's voice on a page. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { openConnection } from "../../src/room/browser/connection.ts";
import { browserRoom } from "../../src/room/browser/room.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog as log } from "../fakes/log.ts";
import { fakePageSocket } from "../fakes/page_socket.ts";

const perMs = 24;

function setUp() {
  const clock = fakeClock();
  const room = browserRoom({ name: "page-1", agentName: "assistant", resumeToken: "token", clock, log });
  const socket = fakePageSocket();
  room.attach(openConnection(socket, { clock, log }), { type: "hello", version: 1 });
  const layer = room.background?.layer(new Int16Array(perMs * 1000).fill(100), { volume: 1, fadeMs: 0 });
  assert(layer);
  const epoch = () =>
    socket.messages().map((message) => "epoch" in message ? message.epoch : undefined)
      .findLast((epoch) => epoch !== undefined) ?? 0;
  /** The page plays on for `ms` and says so, as pages do. */
  let epochMs = 0;
  const play = async (ms: number) => {
    for (let at = 0; at < ms; at += 20) {
      const before = epoch();
      await clock.advance(20);
      epochMs = epoch() === before ? epochMs + 20 : 20;
      socket.say({ type: "played", epoch: epoch(), samples: epochMs * perMs, running: true });
      await clock.settle();
    }
  };
  return { clock, room, socket, layer, play };
}

describe("a page's background", () => {
  it("sends no more than the page will play soon, also when it does not play", async () => {
    const { clock, room, socket, layer } = setUp();
    layer.start();
    await clock.advance(5000);
    assertEquals(socket.samples().length, 400 * perMs);
    assert(socket.samples().slice(1).every((sample) => sample === 100));
    await room[Symbol.asyncDispose]();
    assertEquals(clock.pending, 0);
  });

  it("goes on as the page plays, makes room for the voice at once, and lies under it", async () => {
    const { clock, room, socket, layer, play } = setUp();
    layer.start();
    await play(3000);
    const sent = socket.samples().length / perMs;
    assert(sent >= 3300 && sent <= 3500, `${sent} ms were sent`);
    assertEquals(socket.messages().filter(({ type }) => type === "clear").length, 0);

    const playout = room.speaker.open({ signal: new AbortController().signal });
    const writer = playout.writable.getWriter();
    const samples = new Int16Array(500 * perMs).fill(4000);
    writer.write({ ...room.speaker.format, samples, timestampMs: 0 }).then(() => writer.close());
    await clock.settle();
    assertEquals(socket.messages().filter(({ type }) => type === "clear").length, 1);
    const mixed = socket.samples().slice(sent * perMs);
    assert(mixed.slice(60 * perMs, 400 * perMs).every((sample) => sample === 4025));
    await play(1000);
    assertEquals(await playout.done, { playedMs: 500, interrupted: false });
    await room[Symbol.asyncDispose]();
    assertEquals(clock.pending, 0);
  });
});
