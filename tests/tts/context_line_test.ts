import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import { createContextLine } from "../../src/tts/context_line.ts";
import type { ContextEvent, ContextMessage, ContextProtocol } from "../../src/tts/context_protocol.ts";
import { type EmulatedConnection, startSocketServer } from "../emulators/socket_server.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";

interface Connection extends EmulatedConnection {
  /** What came, in order. */
  readonly messages: string[];
  readonly send: (text: string) => void;
}

/** A line whose messages are a word and a context's number ("begin 1"), and a server that has nothing to say by itself. */
async function start(given: Partial<ContextProtocol> = {}, { begins = true } = {}) {
  let send = (_text: string) => {};
  const server = await startSocketServer<Connection>({}, {
    accept: () => ({ messages: [], send: (text) => send(text), closed: undefined }),
    serve({ socket, connection }) {
      send = (text) => socket.send(text);
      socket.on("message", (data: Uint8Array) => {
        connection.messages.push(JSON.parse(new TextDecoder().decode(data)).says);
      });
    },
  });
  const saying = (word: string) => (id: string) => ({ says: `${word} ${id.replace("context-", "")}` });
  const unread: ContextMessage[] = [];
  const protocol: ContextProtocol = {
    provider: "Someone",
    url: server.url,
    headers: {},
    settings: {},
    ...(begins && { begin: saying("begin") }),
    mostContexts: 3,
    speak: (id, text) => saying(text)(id),
    end: saying("end"),
    read: () => unread.shift(),
    endAfterMs: () => 0,
    incomplete: () => undefined,
    ...given,
  };
  const clock = fakeClock();
  const log = fakeLog();
  const line = createContextLine(protocol, { clock, log });
  await line.open();
  const settled = async (is: () => boolean) => {
    for (let i = 0; !is(); i++) {
      assert(i < 10_000, `waited in vain for ${is}`);
      await clock.settle();
    }
  };
  return {
    server,
    clock,
    log,
    line,
    settled,
    saying,
    /** A context, and what it was told. */
    context() {
      const told: ContextEvent["type"][] = [];
      return { ...line.context(({ type }) => told.push(type)), told };
    },
    /** Has the server tell something of a context, or of the connection, and waits until it was taken in. */
    async hear(id: number | undefined, ...events: ContextEvent[]) {
      unread.push({ context: id === undefined ? undefined : `context-${id}`, events });
      send("");
      await settled(() => unread.length === 0);
    },
    /** All that was sent, once it ends with `last`. */
    async sent(last: string, n = 0) {
      await settled(() => server.connections[n]?.messages.at(-1) === last);
      return server.connections[n]?.messages;
    },
    async [Symbol.asyncDispose]() {
      line.close();
      await server[Symbol.asyncDispose]();
      assertEquals(clock.pending, 0);
    },
  };
}

const failure = new StageError("tts", "oops");

describe("A line with contexts", () => {
  it("begins a context ahead, and speaks on it", async () => {
    await using it = await start();
    const { speak, end } = it.context();
    speak("Hello");
    end();
    speak("late");
    end();
    it.line.prepare();
    assertEquals(await it.sent("begin 2"), ["begin 1", "Hello 1", "end 1", "begin 2"]);
  });

  for (const event of [{ type: "final" }, { type: "error", error: failure }] as const) {
    it(`begins another where the one that was begun ahead is of no use: ${event.type}`, async () => {
      await using it = await start();
      await it.hear(1, event);
      it.context();
      assertEquals(await it.sent("begin 2"), ["begin 1", "begin 2"]);
    });
  }

  it("begins none ahead where contexts are begun by their text", async () => {
    await using it = await start({}, { begins: false });
    it.line.prepare();
    it.context().speak("Hello");
    assertEquals(await it.sent("Hello 1"), ["Hello 1"]);
  });

  it("keeps alive what was not told to end", async () => {
    await using it = await start({ keepAlive: { afterMs: 5_000, request: (id) => it.saying("alive")(id) } });
    it.context().end();
    it.context();
    for (let n = 0; n < 2; n++) await it.clock.advance(5_000);
    await it.settled(() => it.server.connections[0]?.messages.length === 5);
    assertEquals(await it.sent("alive 2"), ["begin 1", "end 1", "begin 2", "alive 2", "alive 2"]);
  });

  it("is given up when nothing was heard of a context for 3 s, and kept where anything was", async () => {
    await using it = await start();
    const heard = it.context();
    heard.speak("One");
    await it.hear(1);
    await it.clock.advance(3_000);
    heard.cancel();
    it.line.prepare();
    assertEquals(await it.sent("begin 2"), ["begin 1", "One 1", "end 1", "begin 2"]);
    const unheard = it.context();
    unheard.speak("Two");
    await it.clock.advance(3_000);
    unheard.cancel();
    assertEquals(await it.sent("begin 3", 1), ["begin 3"]);
    assertEquals(it.log.lines.map(({ message }) => message), ["an idle connection was lost"]);
  });

  it("is lost to every reply, and is replaced ahead where there is none", async () => {
    await using it = await start();
    const contexts = [it.context(), it.context()];
    await it.clock.advance(5_000);
    it.server.drop();
    await it.settled(() => contexts.every(({ told }) => told.includes("error")));
    assertEquals(contexts.map(({ told }) => told), [["error"], ["error"]]);
    await it.clock.settle();
    assertEquals([it.server.open, it.log.lines], [0, []]);
    await it.line.open();
    await it.clock.advance(5_000);
    it.server.drop();
    await it.sent("begin 4", 2);
    assertEquals(it.server.connections.length, 2 + 1);
  });

  it("tells an error of the reply whose it is alone", async () => {
    await using it = await start();
    const [cut, other] = [it.context(), it.context()];
    cut.cancel();
    assertEquals(it.line.reusable, false);
    await it.hear(1, { type: "error", error: failure });
    await it.hear(7, { type: "error", error: failure });
    assertEquals([cut.told, other.told], [[], []]);
    await it.hear(undefined, { type: "error", error: failure });
    assertEquals([cut.told, other.told], [[], ["error"]]);
  });

  it("cancels what has failed, unless the server has ended it", async () => {
    await using it = await start({ cancel: (id) => it.saying("cancel")(id) });
    const [ended, failed] = [it.context(), it.context()];
    await it.hear(1, { type: "error", error: failure, final: true });
    await it.hear(2, { type: "error", error: failure });
    ended.cancel();
    failed.end();
    failed.cancel();
    assertEquals(await it.sent("cancel 2"), ["begin 1", "begin 2", "end 2", "cancel 2"]);
  });

  it("can be lent when all was heard that was asked for, and nothing has failed", async () => {
    await using it = await start();
    const { told } = it.context();
    it.line.prepare();
    assertEquals(it.line.reusable, false);
    await it.hear(1, { type: "words", words: [] }, { type: "final" });
    assertEquals([told, it.line.reusable], [["words", "final"], true]);
    await it.hear(2, { type: "error", error: failure });
    assertEquals(it.line.reusable, false);
  });

  it("is replaced when those that were cut off leave no room for a reply and one ahead", async () => {
    await using it = await start();
    for (let n = 0; n < 2; n++) {
      it.context().cancel();
      it.line.prepare();
    }
    assertEquals(await it.sent("begin 3", 1), ["begin 3"]);
    assertEquals(await it.sent("end 2"), ["begin 1", "end 1", "begin 2", "end 2"]);
  });
});
