import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { openConnection } from "../../src/room/browser/connection.ts";
import { browserRoom } from "../../src/room/browser/room.ts";
import { type ClientMessage, clientMessage } from "../../src/room/browser/wire.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog as log } from "../fakes/log.ts";
import { fakePageSocket } from "../fakes/page_socket.ts";

function setUp() {
  const clock = fakeClock();
  const room = browserRoom({ name: "page-1", agentName: "assistant", resumeToken: "token", clock, log });
  const connect = () => {
    const socket = fakePageSocket();
    room.attach(openConnection(socket, { clock, log }), { type: "hello", version: 1 });
    return socket;
  };
  const ended = new AbortController();
  /** What comes of a request, once it is known: the answer, or the error's message. */
  const ask = (method: string, payload = "{}") => {
    const asked: { outcome?: string; readonly done?: Promise<void> } = {};
    const done = room.performRpc?.(method, payload, { signal: ended.signal, timeoutMs: 5_000 })
      .then((answer) => void (asked.outcome = answer), (error) => void (asked.outcome = String(error)));
    return Object.assign(asked, { done });
  };
  return { clock, room, connect, socket: connect(), ask, ended };
}

const requests = (socket: ReturnType<typeof fakePageSocket>) =>
  socket.messages().filter(({ type }) => type === "rpc-request");

describe("what a page is asked to do", () => {
  it("is told by method and payload, and answered in any order", async () => {
    const { clock, socket, ask } = setUp();
    const asked = [ask("showMessage", '{"text":"hi"}'), ask("pick")];
    await clock.settle();
    assertEquals(requests(socket), [
      { type: "rpc-request", id: "rpc-1", method: "showMessage", payload: '{"text":"hi"}', timeoutMs: 5_000 },
      { type: "rpc-request", id: "rpc-2", method: "pick", payload: "{}", timeoutMs: 5_000 },
    ]);
    socket.say({ type: "rpc-result", id: "rpc-2", payload: "blue" });
    socket.say({ type: "rpc-result", id: "rpc-1", payload: "" });
    await clock.settle();
    assertEquals([asked.map(({ outcome }) => outcome), clock.pending], [["", "blue"], 0]);
  });

  const failures: [what: string, error: { readonly code: number; readonly message: string }, told: string][] =
    [
      [
        "a method that the page does not know",
        { code: 1400, message: "Method not supported" },
        "Error: the user's device does not know how to do this",
      ],
      [
        "what failed in it, in its own words",
        { code: 1500, message: "The form is not open." },
        "Error: The form is not open.",
      ],
      ["what failed without a word", { code: 1500, message: "" }, "Error: the user's device could not do it"],
      ["a code of the page's own", { code: 7, message: "No." }, "Error: No."],
    ];
  for (const [what, error, told] of failures) {
    it(`fails in words: ${what}`, async () => {
      const { clock, socket, ask } = setUp();
      const asked = ask("do");
      await clock.settle();
      socket.say({ type: "rpc-error", id: "rpc-1", ...error });
      await clock.settle();
      assertEquals(asked.outcome, told);
    });
  }

  it("fails when there is no answer in time, and takes none afterwards", async () => {
    const { clock, socket, ask } = setUp();
    const asked = ask("do");
    await clock.advance(4_999);
    assertEquals(asked.outcome, undefined);
    await clock.advance(1);
    assertEquals(
      asked.outcome,
      "Error: the user's device did not answer in time; whether this was done is not known",
    );
    socket.say({ type: "rpc-result", id: "rpc-1", payload: "late" });
    await clock.settle();
    assertEquals([socket.closedWith, clock.pending], [undefined, 0]);
  });

  it("is answered on the socket that the page has by then", async () => {
    const { clock, socket, connect, ask } = setUp();
    const before = ask("before");
    await clock.settle();
    socket.drop();
    await clock.settle();
    const meanwhile = ask("meanwhile");
    const again = connect();
    assertEquals(requests(again).map((message) => "method" in message && message.method), ["meanwhile"]);
    for (const id of ["rpc-1", "rpc-2"]) again.say({ type: "rpc-result", id, payload: id });
    await clock.settle();
    assertEquals([before.outcome, meanwhile.outcome], ["rpc-1", "rpc-2"]);
  });

  it("is given up when nobody wants it any more, and when the page is gone", async () => {
    const one = setUp();
    const unwanted = one.ask("do");
    await one.clock.settle();
    one.ended.abort(new Error("interrupted"));
    await unwanted.done;
    const two = setUp();
    const lost = two.ask("do");
    await two.clock.settle();
    two.socket.say({ type: "bye" });
    await two.clock.settle();
    assertEquals([unwanted.outcome, lost.outcome, one.clock.pending, two.clock.pending], [
      "Error: interrupted",
      "Error: the user's device was disconnected; whether this was done is not known",
      0,
      0,
    ]);
    const { signal } = new AbortController();
    await assertRejects(
      async () => await two.room.performRpc?.("do", "", { signal, timeoutMs: 1 }),
      /the user's device is not connected at the moment/,
    );
  });

  const table: [what: string, message: ClientMessage, valid: boolean][] = [
    ["an answer", { type: "rpc-result", id: "rpc-1", payload: "x".repeat(15 * 1024) }, true],
    [
      "more than an answer may be",
      { type: "rpc-result", id: "rpc-1", payload: "x".repeat(15 * 1024 + 1) },
      false,
    ],
    ["a failure", { type: "rpc-error", id: "rpc-1", code: 1500, message: "No." }, true],
    ["half a code", { type: "rpc-error", id: "rpc-1", code: 1.5, message: "No." }, false],
  ];
  for (const [what, message, valid] of table) {
    it(`${valid ? "takes" : "refuses"} ${what}`, () =>
      assertEquals(clientMessage.safeParse(message).success, valid));
  }
});
