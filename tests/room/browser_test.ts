import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { AudioFrame } from "../../src/audio/frame.ts";
import { openConnection } from "../../src/room/browser/connection.ts";
import { browserRoom } from "../../src/room/browser/room.ts";
import { type ClientHello, clientMessage } from "../../src/room/browser/wire.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";
import { fakePageSocket } from "../fakes/page_socket.ts";
import { silentLog as log } from "../fakes/log.ts";

const hello: ClientHello = { type: "hello", version: 1 };
const perMs = 24;

function setUp({ graceMs = 20_000 } = {}) {
  const clock = fakeClock();
  const room = browserRoom({
    name: "page-1",
    agentName: "assistant",
    resumeToken: "token",
    clock,
    log,
    graceMs,
  });
  const connect = (said: ClientHello = hello) => {
    const socket = fakePageSocket();
    room.attach(openConnection(socket, { clock, log }), said);
    return socket;
  };
  return { clock, room, connect, socket: connect() };
}

/** `ms` of voice, written at once. */
function say(room: ReturnType<typeof browserRoom>, ms: number) {
  const abort = new AbortController();
  const playout = room.speaker.open({ signal: abort.signal });
  const samples = Int16Array.from({ length: ms * perMs }, (_, i) => i);
  const written = ReadableStream.from<AudioFrame>([{ ...room.speaker.format, samples, timestampMs: 0 }])
    .pipeTo(playout.writable);
  return { abort, playout, written };
}

async function isDone(promise: Promise<unknown>, clock: FakeClock): Promise<boolean> {
  let done = false;
  promise.then(() => done = true);
  await clock.settle();
  return done;
}

describe("the wire", () => {
  const table: [what: string, message: unknown, valid: boolean][] = [
    ["a hello", { type: "hello", version: 1 }, true],
    ["a hello to go on with", { ...hello, resume: "t", played: { epoch: 1, samples: 2 } }, true],
    ["a field that is not known", { type: "interrupt", later: true }, true],
    ["another version", { type: "hello", version: 2 }, false],
    ["an unknown type", { type: "dance" }, false],
    ["no object", [], false],
    ["text", { type: "text", text: " hi " }, true],
    ["text of spaces", { type: "text", text: "  " }, false],
    ["long text", { type: "text", text: "x".repeat(4_001) }, false],
    ["a transcript", { type: "transcript", text: "hi", final: false }, true],
    ["a key to talk", { type: "turn", action: "start" }, true],
    ["an action that there is not", { type: "turn", action: "stop" }, false],
    ["a negative position", { type: "played", epoch: 0, samples: -1, running: true }, false],
    ["half a sample", { type: "played", epoch: 0, samples: 0.5, running: true }, false],
  ];
  for (const [what, message, valid] of table) {
    it(`${valid ? "takes" : "refuses"} ${what}`, () =>
      assertEquals(clientMessage.safeParse(message).success, valid));
  }
});

describe("browser room: listening", () => {
  it("stamps the microphone with the clock", async () => {
    const { clock, room, socket } = setUp();
    const reader = room.microphone.getReader();
    await clock.advance(20);
    socket.receive(new Int16Array(320).fill(7).buffer);
    await clock.advance(20);
    socket.receive(new Int16Array(320).fill(8).buffer);
    const frames = [(await reader.read()).value, (await reader.read()).value];
    assertEquals(frames.map((frame) => [frame?.timestampMs, frame?.samples[0], frame?.samples.length]), [
      [0, 7, 320],
      [20, 8, 320],
    ]);
  });

  it("keeps two seconds that nobody reads, the newest", async () => {
    const { clock, room, socket } = setUp();
    for (let i = 0; i < 110; i++) {
      socket.receive(new Int16Array(320).buffer);
      await clock.advance(20);
    }
    assertEquals(room.droppedMs, 200);
  });

  it("hands on what is typed, recognized and pressed", async () => {
    const { clock, room, socket } = setUp();
    socket.say({ type: "text", text: "hi" });
    socket.say({ type: "transcript", text: "well", final: false });
    socket.say({ type: "interrupt" });
    socket.say({ type: "turn", action: "start" });
    await clock.settle();
    socket.say({ type: "bye" });
    assertEquals(await Array.fromAsync(room.messages), [
      { type: "text", text: "hi" },
      { type: "transcript", text: "well", final: false },
      { type: "interrupt" },
      { type: "turn", action: "start" },
    ]);
    assertEquals([room.closed.aborted, room.closed.reason], [true, "participant-left"]);
  });

  it("has the page as its only participant", async () => {
    const { room } = setUp();
    assertEquals((await room.waitForParticipant()).identity, "page");
    await assertRejects(() => room.waitForParticipant("somebody"), /a page is "page"/);
  });
});

describe("browser room: speaking", () => {
  it("counts as heard what the page says it has played, and a little on", async () => {
    const { clock, room, socket } = setUp();
    const { playout } = say(room, 1_000);
    await clock.advance(1_000);
    assertEquals(playout.playedMs, 0); // not a word from the page
    socket.say({ type: "played", epoch: 1, samples: 100 * perMs, running: true });
    await clock.settle();
    assertEquals(playout.playedMs, 100);
    await clock.advance(50);
    assertEquals(playout.playedMs, 150);
    await clock.advance(5_000);
    assertEquals(playout.playedMs, 400); // it stopped telling: 300 ms on and no further
  });

  it("never counts more than was sent, and ends when all was played", async () => {
    const { clock, room, socket } = setUp();
    const { playout, written } = say(room, 100);
    await clock.settle();
    socket.say({ type: "played", epoch: 1, samples: 2 ** 40, running: true });
    await clock.advance(1_000);
    await written;
    assertEquals(await playout.done, { playedMs: 100, interrupted: false });
    assertEquals(socket.samples().length, 100 * perMs);
    assertEquals(clock.pending, 0);
  });

  it("clears the page at once on an abort, and takes no report of what was cleared", async () => {
    const { clock, room, socket } = setUp();
    const { abort, playout, written } = say(room, 1_000);
    await clock.settle();
    socket.say({ type: "played", epoch: 1, samples: 60 * perMs, running: true });
    await clock.settle();
    abort.abort();
    await written;
    assertEquals(await playout.done, { playedMs: 60, interrupted: true });
    assertEquals(socket.messages().at(-1), { type: "clear", epoch: 2 });
    const next = say(room, 200);
    await clock.settle();
    socket.say({ type: "played", epoch: 1, samples: 300 * perMs, running: true });
    await clock.settle();
    assertEquals(next.playout.playedMs, 0);
  });

  it("pauses and goes on at the sample where it paused", async () => {
    const { clock, room, socket } = setUp();
    const { playout } = say(room, 300);
    await clock.settle();
    socket.say({ type: "played", epoch: 1, samples: 50 * perMs, running: true });
    await clock.settle();
    playout.pause();
    assertEquals([playout.playedMs, socket.messages().at(-1)?.type], [55, "clear"]); // 5 ms to fade out
    const before = socket.samples().length;
    await clock.advance(1_000);
    playout.resume();
    await clock.settle();
    assertEquals(socket.samples()[before + 5 * perMs], 60 * perMs); // after 5 ms to fade in
  });
});

describe("browser room: sockets that come and go", () => {
  it("greets with the token, and shows what was posted meanwhile", async () => {
    const { clock, room, socket, connect } = setUp();
    assertEquals(socket.messages()[0]?.type, "hello");
    socket.drop();
    await clock.settle();
    room.setState("listening");
    room.transcripts.user({ id: "u", text: "hi", final: true });
    const again = connect({ ...hello, resume: "token" });
    const [greeting, ...others] = again.messages();
    assertEquals(greeting, {
      type: "hello",
      version: 1,
      sessionId: "page-1",
      agent: "assistant",
      resume: "token",
      resumed: true,
      epoch: 2,
      microphone: { sampleRate: 16_000 },
      speaker: { sampleRate: 24_000 },
      state: "listening",
    });
    assertEquals(others, [
      { type: "state", state: "listening" },
      { type: "user-transcript", id: "u", text: "hi", final: true },
    ]);
    assertEquals([room.closed.aborted, clock.pending], [false, 0]);
  });

  it("sends again what was not played", async () => {
    const { clock, room, socket, connect } = setUp();
    const { playout } = say(room, 300);
    await clock.settle();
    socket.say({ type: "played", epoch: 1, samples: 40 * perMs, running: true });
    await clock.settle();
    socket.drop();
    await clock.advance(2_000);
    const again = connect({ ...hello, resume: "token", played: { epoch: 1, samples: 90 * perMs } });
    assertEquals([again.samples()[0], again.samples().length], [90 * perMs, 210 * perMs]);
    assertEquals(playout.playedMs, 90);
    again.say({ type: "played", epoch: 2, samples: 210 * perMs, running: false });
    assertEquals(await isDone(playout.done, clock), false); // nothing tells the speaker: it looks by itself
    await clock.advance(400);
    assertEquals(await isDone(playout.done, clock), true);
  });

  it("ends when the page does not come back in time", async () => {
    const { clock, room, socket } = setUp({ graceMs: 3_000 });
    socket.drop();
    await clock.advance(2_999);
    assertEquals(room.closed.aborted, false);
    await clock.advance(1);
    assertEquals(room.closed.reason, "participant-left");
    await assertRejects(() => room.waitForParticipant());
  });

  it("closes the socket before when another takes over", async () => {
    const { clock, socket, room, connect } = setUp();
    const second = connect({ ...hello, resume: "token" });
    await clock.settle();
    assertEquals([socket.closedWith?.code, second.closedWith, room.closed.aborted], [4001, undefined, false]);
  });

  it("says why it is over, then closes", () => {
    const { room, socket } = setUp();
    room.hangUp("shutdown", "The server is restarting.");
    assertEquals(socket.messages().at(-1), {
      type: "closed",
      reason: "shutdown",
      text: "The server is restarting.",
    });
    assertEquals(socket.closedWith?.code, 1000);
  });
});

describe("a page's socket", () => {
  const table: [what: string, data: unknown, code: number | undefined][] = [
    ["20 ms of audio", new ArrayBuffer(640), undefined],
    ["half a sample", new ArrayBuffer(641), 1007],
    ["no audio", new ArrayBuffer(0), 1007],
    ["a second of audio at once", new ArrayBuffer(32_000), 1007],
    ["64 KiB and a byte", new ArrayBuffer(64 * 1024 + 1), 1009],
    ["a long text message", "x".repeat(64 * 1024 + 1), 1009],
    ["what is not JSON", "{", 1007],
    ["JSON that is no message", "[]", 1007],
    ["a prototype", '{"__proto__":{"type":"bye"}}', 1007],
  ];
  for (const [what, data, code] of table) {
    it(`${code ? `is closed with ${code} for` : "takes"} ${what}`, async () => {
      const { clock, room, socket } = setUp();
      socket.receive(data);
      await clock.settle();
      assertEquals([socket.closedWith?.code, room.closed.aborted], [code, false]);
    });
  }

  const floods: [what: string, everyMs: number, data: () => unknown, survives: boolean][] = [
    ["a microphone in real time", 20, () => new ArrayBuffer(640), true],
    ["a microphone at twice the speed", 10, () => new ArrayBuffer(640), true],
    ["ten microphones", 2, () => new ArrayBuffer(640), false],
    ["tiny messages, a thousand a second", 1, () => '{"type":"interrupt"}', false],
  ];
  for (const [what, everyMs, data, survives] of floods) {
    it(`${survives ? "takes" : "is closed with 1008 for"} ${what}`, async () => {
      const { clock, socket } = setUp();
      for (let ms = 0; ms < 20_000 && !socket.closedWith; ms += everyMs) {
        socket.receive(data());
        await clock.advance(everyMs);
      }
      assertEquals(socket.closedWith?.code, survives ? undefined : 1008);
      if (socket.closedWith) assertMatch(socket.closedWith.reason, /too much at once/);
    });
  }
});
