import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { setUpPage } from "../fakes/page_app.ts";

const origin = "http://localhost";
const password = { type: "password", password: "open sesame" } as const;
type App = ReturnType<typeof setUpPage>["app"];

const post = (app: App, path: string, body: unknown, headers: Record<string, string> = { origin }) =>
  app.request(`/playground/${path}`, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
const listen = (app: App, session: string, headers: Record<string, string> = {}) =>
  app.request(`/playground/events?session=${session}`, { headers });

/** A page's session in a LiveKit room. */
async function setUpSession() {
  const { app, started, clock } = setUpPage();
  const dispatched = await post(app, "dispatch", { room: "playground-1", identity: "caller-1" });
  const { sessionId } = await dispatched.json();
  const [session] = started;
  if (!session) throw new Error("no session was started");
  return { app, session, sessionId, clock };
}

/** The messages of a stream of events, as they come. */
function messages(response: Response) {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  return {
    async next() {
      const { value } = await reader.read();
      return value && JSON.parse(value.replace(/^data: /, ""));
    },
    leave: () => reader.cancel(),
  };
}

const heard = (text: string) =>
  ({ type: "agent-speech-committed", replyId: "reply", text, interrupted: true, atMs: 0 }) as const;
const toldHeard = (text: string) => ({ type: "agent-heard", id: "reply", text, interrupted: true });

describe("a page's session in a LiveKit room", () => {
  const asked: [what: string, ask: (app: App, id: string) => Response | Promise<Response>, status: number][] =
    [
      ["events, for another site", (app, id) => listen(app, id, { origin: "http://evil.example" }), 403],
      ["events of an unknown session", (app) => listen(app, "session_1"), 404],
      ["events of no session", (app) => app.request("/playground/events"), 404],
      [
        "interrupt, for another site",
        (app, session) => post(app, "interrupt", { session }, { origin: "http://evil.example" }),
        403,
      ],
      ["interrupt, of no origin", (app, session) => post(app, "interrupt", { session }, {}), 403],
      ["interrupt of an unknown session", (app) => post(app, "interrupt", { session: "session_1" }), 404],
      ["interrupt of no session", (app) => post(app, "interrupt", {}), 400],
    ];
  for (const [what, ask, status] of asked) {
    it(`is ${status}: ${what}`, async () => {
      const { app, session, sessionId } = await setUpSession();
      const response = await ask(app, sessionId);
      assertEquals([response.status, session.interrupts], [status, 0]);
      assertEquals(response.headers.get("content-type"), "application/problem+json");
    });
  }

  it("is asked for only by who has signed in, and only where the page is on", async () => {
    for (const [access, status] of [[password, 401], [{ type: "off" }, 404]] as const) {
      const { app } = setUpPage({ access });
      assertEquals((await listen(app, "session_1")).status, status);
      assertEquals((await post(app, "interrupt", { session: "session_1" })).status, status);
    }
  });

  it("tells what happens in it, from its beginning to its end", async () => {
    const { app, session, sessionId } = await setUpSession();
    session.emit(heard("Once"));
    const response = await listen(app, sessionId);
    assertEquals([response.status, response.headers.get("content-type")], [200, "text/event-stream"]);
    const { next } = messages(response);
    assertEquals(await next(), toldHeard("Once"));
    session.emit({ type: "user-started-speaking", atMs: 0 });
    const latency = { totalMs: 420, llmMs: 200 };
    session.emit({ type: "agent-started-speaking", replyId: "reply", latency, atMs: 0 });
    assertEquals(await next(), { type: "latency", id: "reply", latency });
    session.end("participant-left");
    assertEquals(await next(), undefined);
    assertEquals((await listen(app, sessionId)).status, 404);
    assertEquals((await post(app, "interrupt", { session: sessionId })).status, 404);
  });

  it("keeps what happens while nobody listens for the one who comes back", async () => {
    const { app, session, sessionId, clock } = await setUpSession();
    const first = messages(await listen(app, sessionId));
    session.emit(heard("one"));
    assertEquals(await first.next(), toldHeard("one"));
    await first.leave();
    await clock.settle();
    session.emit(heard("two"));
    await clock.settle();
    const second = messages(await listen(app, sessionId));
    assertEquals(await second.next(), toldHeard("two"));
    const third = messages(await listen(app, sessionId));
    session.emit(heard("three"));
    assertEquals([await second.next(), await third.next()], [undefined, toldHeard("three")]);
    session.end("closed");
    assertEquals(await third.next(), undefined);
  });

  it("is cut off when the page asks for it", async () => {
    const { app, session, sessionId } = await setUpSession();
    assertEquals((await post(app, "interrupt", { session: sessionId })).status, 204);
    assertEquals(session.interrupts, 1);
    session.end("closed");
  });
});
