import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../../src/errors.ts";
import { openConnection } from "../../src/room/browser/connection.ts";
import { browserRoom } from "../../src/room/browser/room.ts";
import { clientMessage, MAX_PICTURE_CHARACTERS } from "../../src/room/browser/wire.ts";
import type { VideoFrame, VideoSource } from "../../src/room/room.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog as log } from "../fakes/log.ts";
import { fakePageSocket } from "../fakes/page_socket.ts";
import { frameOf, red } from "../fixtures/pictures.ts";

const frame = frameOf(red);
const jpeg = "/9j/AAAA";

function setUp(
  { decode = () => Promise.resolve(frame) }: { readonly decode?: () => Promise<VideoFrame> } = {},
) {
  const clock = fakeClock();
  const room = browserRoom({ name: "page-1", agentName: "vision", resumeToken: "token", decode, clock, log });
  const connect = () => {
    const socket = fakePageSocket();
    room.attach(openConnection(socket, { clock, log }), { type: "hello", version: 1 });
    return socket;
  };
  const socket = connect();
  /** What comes of a look, once it is known: the frame, undefined or the error's message; "pending" before. */
  const look = (options: { readonly source?: VideoSource; readonly signal?: AbortSignal } = {}) => {
    const looked: { outcome: unknown } = { outcome: "pending" };
    room.video?.frame({ signal: new AbortController().signal, ...options })
      .then((frame) => looked.outcome = frame, (error) => looked.outcome = String(error));
    return looked;
  };
  const asked = () => socket.messages().filter(({ type }) => type === "picture-request");
  return { clock, room, socket, connect, look, asked };
}

describe("a page's camera", () => {
  it("takes a picture when it is asked to, and for nobody else", async () => {
    const { clock, socket, look, asked } = setUp();
    await clock.advance(5_000);
    assertEquals(asked(), []);
    const looks = [look(), look({ source: "camera" })];
    await clock.settle();
    assertEquals(asked(), [{ type: "picture-request", id: "picture-1" }]);
    socket.say({ type: "picture", id: "picture-0", jpeg });
    await clock.settle();
    assertEquals(looks[0]?.outcome, "pending");
    socket.say({ type: "picture", id: "picture-1", jpeg });
    await clock.settle();
    assertEquals([looks.map(({ outcome }) => outcome), clock.pending], [[frame, frame], 0]);
  });

  const nothing: [what: string, does: (call: ReturnType<typeof setUp>) => void, ms: number][] = [
    ["it is off", ({ socket }) => socket.say({ type: "picture", id: "picture-1" }), 0],
    ["there is no answer for 2 s", () => {}, 2_000],
    ["the page is gone", ({ socket }) => socket.drop(), 2_000],
    ["the room has ended", ({ room }) => room.hangUp("closed", "Bye."), 0],
  ];
  for (const [what, does, ms] of nothing) {
    it(`shows nothing when ${what}`, async () => {
      const call = setUp();
      const looked = call.look();
      await call.clock.settle();
      does(call);
      await call.clock.advance(ms);
      assertEquals(looked.outcome, undefined);
    });
  }

  it("is no screen", async () => {
    const { clock, look, asked } = setUp();
    const looked = look({ source: "screen" });
    await clock.settle();
    assertEquals([looked.outcome, asked()], [undefined, []]);
  });

  it("is asked once a second at the most, and never what was not answered", async () => {
    const { clock, room, socket, connect, look, asked } = setUp();
    look();
    await clock.settle();
    socket.say({ type: "picture", id: "picture-1", jpeg });
    await clock.advance(400);
    const second = look();
    await clock.advance(599);
    assertEquals(asked().length, 1);
    await clock.advance(1);
    assertEquals(asked().length, 2);
    socket.drop();
    const next = connect();
    await clock.advance(2_000);
    assertEquals([second.outcome, next.messages().map(({ type }) => type)], [undefined, ["hello"]]);
    room.hangUp("closed", "Bye.");
  });

  it("is looked at no longer than whoever looks wants to", async () => {
    const { clock, socket, look } = setUp();
    const ended = new AbortController();
    const [first, second] = [look({ signal: ended.signal }), look()];
    await clock.settle();
    ended.abort(new Error("enough"));
    await clock.settle();
    assertEquals([first.outcome, second.outcome], ["Error: enough", "pending"]);
    socket.say({ type: "picture", id: "picture-1", jpeg });
    await clock.settle();
    assertEquals(second.outcome, frame);
  });

  it("fails when what comes is no picture, and is asked again", async () => {
    const bad = new StageError("room", "what the camera took is no picture");
    const { clock, socket, look, asked } = setUp({ decode: () => Promise.reject(bad) });
    const looked = look();
    await clock.settle();
    socket.say({ type: "picture", id: "picture-1", jpeg });
    await clock.advance(1_000);
    assertEquals(looked.outcome, "StageError: what the camera took is no picture");
    look();
    await clock.settle();
    assertEquals(asked().length, 2);
    await clock.advance(2_000);
  });

  it("is of no page whose agent sees nothing", () => {
    const clock = fakeClock();
    const room = browserRoom({ name: "page-1", agentName: "assistant", resumeToken: "token", clock, log });
    assertEquals(room.video, undefined);
  });

  const table: [what: string, jpeg: string, valid: boolean][] = [
    ["a JPEG", jpeg, true],
    ["no JPEG", "iVBORw0KGgo=", false],
    ["no base64", "/9j/!", false],
    ["as large as a picture may be", jpeg.padEnd(MAX_PICTURE_CHARACTERS, "A"), true],
    ["larger", jpeg.padEnd(MAX_PICTURE_CHARACTERS + 4, "A"), false],
  ];
  for (const [what, jpeg, valid] of table) {
    it(`${valid ? "may send" : "may not send"} ${what}`, () => {
      assertEquals(clientMessage.safeParse({ type: "picture", id: "picture-1", jpeg }).success, valid);
    });
  }
});
