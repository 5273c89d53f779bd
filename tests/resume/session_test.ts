/** Sessions that go on in another process, from what was written of them before the first was gone. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type AgentDefinition, defineAgent } from "../../src/agent.ts";
import type { SessionEvent } from "../../src/events.ts";
import { tool } from "../../src/tool.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import type { Answer } from "../fakes/providers.ts";
import { answer, type Life, live } from "./life.ts";

const types = ({ events }: Life, ...wanted: SessionEvent["type"][]) =>
  events.filter(({ type }) => wanted.includes(type)).map(({ type }) => type);

describe("a session that goes on in another process", () => {
  it("has its history, and says that it was away, without a greeting", async () => {
    const entry = ({ session }: { session: { say(text: string): unknown } }) => void session.say("Hello.");
    const first = await live({ definition: { entry }, answers: [answer("It is deep.")] });
    await first.clock.advance(3_000);
    first.room.tell({ type: "text", text: "How deep is the sea?" });
    await first.clock.advance(5_000);

    const second = await live({ definition: { entry }, snapshot: first.left() });
    await second.clock.advance(6_000);
    const before = ["assistant: Hello.", "user: How deep is the sea?", "assistant: It is deep."];
    assertEquals(second.said(), [...before, "assistant: Sorry, I lost you for a second. Please go on."]);
    assertEquals(second.events[0]?.type, "resumed");
    second.room.tell({ type: "text", text: "And the lake?" });
    await second.clock.advance(5_000);
    assertEquals(
      second.requests[0]?.map(({ content }) => content).slice(1, 4),
      before.map((line) => line.replace(/^\w+: /, "")),
    );
    assertEquals(second.said().slice(-2), ["user: And the lake?", "assistant: Fine."]);
    const turns = second.events.flatMap((event) => event.type === "turn-ended" ? [event.turnId] : []);
    assertEquals(turns, ["turn-2"]);
    assert(second.session.history.every(({ atMs }, i, all) => atMs >= (all[i - 1]?.atMs ?? 0)));
    await second.end();
  });

  it("says nothing when it was handed over, and answers what is said then", async () => {
    const first = await live({ answers: [answer("It is deep.")] });
    first.room.tell({ type: "text", text: "How deep is the sea?" });
    await first.clock.advance(8_000);
    let isRun = false;
    const definition = { resumed: () => (isRun = true, "There I am again.") };
    const second = await live({ definition, snapshot: first.left(), silently: true });
    await second.clock.advance(3_000);
    assertEquals([isRun, second.said().length], [true, 2]);
    assertEquals(second.events[0], { type: "resumed", after: "handover", atMs: first.left().elapsedMs });
    second.room.tell({ type: "text", text: "And the lake?" });
    await second.clock.advance(5_000);
    assertEquals(second.said().slice(2), ["user: And the lake?", "assistant: Fine."]);
    await second.end();
  });

  it("has the shutdown callbacks run where it ends, or where it leaves when its agent has no other", async () => {
    for (const resumed of [undefined, () => {}]) {
      const reasons: string[] = [];
      const call = await live({
        definition: {
          entry: (ctx) => ctx.addShutdownCallback((reason) => void reasons.push(reason)),
          ...(resumed && { resumed }),
        },
      });
      const closed = call.session.close("handed-over");
      await call.clock.advance(5_000);
      await closed;
      assertEquals(reasons, resumed ? [] : ["handed-over"]);
    }
  });

  it("knows how long nobody has talked, and goes on to count", async () => {
    const definition = { away: { afterMs: 10_000, prompts: ["Are you there?"], closeAfterMs: 20_000 } };
    const first = await live({ definition });
    first.room.tell({ type: "text", text: "Hello?" });
    await first.clock.advance(16_000);
    assertEquals(types(first, "user-away"), ["user-away"]);
    assertEquals(first.left().presence?.is, "away");
    const second = await live({ definition, snapshot: first.left(), silently: true });
    await second.clock.advance(15_000);
    assertEquals(second.said().length, first.said().length); // it was asked before
    await second.clock.advance(20_000);
    assertEquals(await second.session.done, "user-away");
  });

  it("knows what the user was asked for", async () => {
    const first = await live({});
    first.session.expect({ kind: "digits", length: 4 });
    first.session.updateHistory([]); // it is written down
    await first.clock.advance(1_000);
    assertEquals(first.left().expected, { kind: "digits", length: 4, byCode: true });
    const second = await live({ snapshot: first.left(), silently: true });
    await second.clock.advance(1_000);
    assertEquals(second.left().expected, first.left().expected);
    await second.end();
  });

  it("says on without being interrupted what the user could not interrupt", async () => {
    const line = "Welcome to the museum. We are open today. Whom shall I call?";
    const entry: AgentDefinition["entry"] = ({ session }) => void session.say(line, { interruptible: false });
    const first = await live({ definition: { entry } });
    await first.clock.advance(2_000);
    assertEquals(first.left().saying?.uninterruptible, true);
    const second = await live({ definition: { entry }, snapshot: first.left() });
    await second.clock.advance(500);
    second.room.tell({ type: "interrupt" });
    await second.clock.advance(10_000);
    assertEquals(
      second.said().at(-1),
      "assistant: Sorry, I lost you for a second. We are open today. Whom shall I call?",
    );
    await second.end();
  });

  const said = "The sea is deep. It is more than ten kilometers deep in places. Few have been there.";
  const cases = [
    {
      what: "before anything of it was made",
      afterMs: 90,
      line: "Sorry, I lost you for a second.",
      asks: true,
    },
    {
      what: "in its middle, which is said from the sentence on that was cut",
      afterMs: 4_000,
      line: "Sorry, I lost you for a second.",
      asks: false,
    },
  ] as const;
  for (const { what, afterMs, line, asks } of cases) {
    it(`answers the turn that it was at, ${what}`, async () => {
      const first = await live({ answers: [answer(said)] });
      await first.clock.advance(100);
      first.room.tell({ type: "text", text: "How deep is the sea?" });
      await first.clock.advance(afterMs);
      const left = first.left();
      assertEquals(left.owed, "turn-1");

      const second = await live({ answers: [answer("Ten kilometers.")], snapshot: left });
      await second.clock.advance(15_000);
      assertEquals(second.requests.length, asks ? 1 : 0);
      const [, ...after] = second.said();
      if (asks) assertEquals(after, [`assistant: ${line}`, "assistant: Ten kilometers."]);
      else {
        const [cut = "", lost, rest] = after;
        assert(said.startsWith(cut.replace("assistant: ", "")) && cut.length > 30, cut);
        assertEquals(lost, `assistant: ${line}`);
        assertEquals(rest, "assistant: It is more than ten kilometers deep in places. Few have been there.");
      }
      assertEquals(types(second, "turn-ended"), ["turn-ended"]);
      await second.end();
    });
  }

  it("has the model go on where it was cut off before its answer was whole", async () => {
    const slow = { text: `${said} And there is more to say of it.`, ttftMs: 100, tokenMs: 400 };
    const first = await live({ answers: [slow] });
    await first.clock.advance(100);
    first.room.tell({ type: "text", text: "How deep is the sea?" });
    await first.clock.advance(5_000);
    const second = await live({ snapshot: first.left() });
    await second.clock.advance(10_000);
    const heard = first.left().saying?.heard ?? "";
    assert(heard.startsWith("The sea is deep."), heard);
    const instructions = second.requests[0]?.at(-1);
    assertEquals(instructions?.role, "system");
    assertMatch(instructions?.content ?? "", /cut you off behind these words: "The sea is deep/);
    assertEquals(second.said().at(-1), "assistant: Fine.");
    await second.end();
  });

  it("says again what its own code was saying", async () => {
    const entry = ({ session }: { session: { say(text: string): unknown } }) =>
      void session.say("Welcome to the museum. We are open today. Whom shall I call?");
    const first = await live({ definition: { entry } });
    await first.clock.advance(2_000);
    const second = await live({ definition: { entry }, snapshot: first.left() });
    await second.clock.advance(10_000);
    assertEquals(
      second.said().at(-1),
      "assistant: Sorry, I lost you for a second. We are open today. Whom shall I call?",
    );
    await second.end();
  });

  /** A tool that hangs, or is done, when the process ends. */
  const booking = (effect: "once" | "none", hangs: boolean) => {
    const keys: string[] = [];
    const book = tool({
      description: "Books",
      effect,
      timeoutMs: 60_000,
      async execute(_, { idempotencyKey, signal }) {
        keys.push(idempotencyKey);
        if (hangs && keys.length === 1) {
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        }
        return "booked";
      },
    });
    return { keys, tools: { book } };
  };
  const tools = [
    { what: "that is done is not run again", effect: "once", hangs: false, runs: 1, told: /^booked/ },
    { what: "that may be done is not run again", effect: "once", hangs: true, runs: 1, told: /is not known/ },
    { what: "without an effect is run again", effect: "none", hangs: true, runs: 2, told: /^booked/ },
  ] as const;
  for (const { what, effect, hangs, runs, told } of tools) {
    it(`a tool ${what}`, async () => {
      const { keys, tools } = booking(effect, hangs);
      // The process ends before the model has answered to the result; in the next it calls once more.
      const hanging: Answer = { text: "", ttftMs: 0, tokenMs: 0, then: "hang" };
      const first = await live({ definition: { tools }, answers: [answer("One moment.", "book"), hanging] });
      await first.clock.advance(100);
      first.room.tell({ type: "text", text: "Book it." });
      await first.clock.advance(1_000);
      assertEquals(keys.length, 1);

      const answers = [answer("", "book"), answer("There you are.")];
      const second = await live({ definition: { tools }, answers, snapshot: first.left() });
      await second.clock.advance(15_000);
      assertEquals(keys.length, runs);
      const [before, asked] = second.requests;
      assertMatch(String(before?.find(({ role }) => role === "tool")?.content), hangs ? /fault/ : /booked/);
      assertMatch(String(asked?.at(-1)?.content), told);
      assertEquals(second.said().at(-1), "assistant: There you are.");
      await second.end();
    });
  }

  it("runs a tool of effect once only when that is written down", async () => {
    const atMs: number[] = [];
    const clock = fakeClock();
    const book = tool({ description: "Books", effect: "once", execute: () => void atMs.push(clock.now()) });
    const call = await live({
      clock,
      definition: { tools: { book } },
      answers: [answer("", "book"), answer("Done.")],
    });
    call.room.tell({ type: "text", text: "Book it." });
    await clock.advance(5_000);
    const calledMs = call.events.find(({ type }) => type === "tools-called")?.atMs ?? 0;
    assertEquals(atMs.map((ms) => ms - calledMs), [5]);
    await call.end();
  });

  it("has its userdata and who was in charge, and what it may still cost and last", async () => {
    const sales = defineAgent({ name: "sales", instructions: "You sell." });
    const transfer = tool({ description: "To sales", effect: "none", execute: () => sales });
    const definition = { tools: { transfer }, userdata: () => ({ plan: "none" }) };
    const first = await live({
      definition,
      answers: [answer("", "transfer"), answer("Sales here.")],
      maxCallMs: 30_000,
    });
    Object.assign(first.session.userdata as object, { plan: "gold" });
    await first.clock.advance(2_000);
    first.room.tell({ type: "text", text: "Sales, please." });
    await first.clock.advance(10_000);
    assertEquals(first.left().inCharge, "sales");

    const second = await live({ definition, snapshot: first.left(), inCharge: sales, maxCallMs: 30_000 });
    await second.clock.advance(5_000);
    assertEquals(second.session.userdata, { plan: "gold" });
    second.room.tell({ type: "text", text: "And now?" });
    await second.clock.advance(5_000);
    assertEquals(second.requests[0]?.[0]?.content, "You sell.");
    await second.clock.advance(20_500 - first.left().elapsedMs);
    assertEquals(second.session.state, "speaking"); // the last line
    await second.clock.advance(5_000);
    assertEquals(await second.session.done, "max-duration");
  });

  it("says once that its userdata is no JSON, and goes on without", async () => {
    const log = fakeLog();
    const first = await live({ log, definition: { userdata: () => ({ seen: new Map() }) } });
    for (const text of ["one", "two"]) {
      first.room.tell({ type: "text", text });
      await first.clock.advance(5_000);
    }
    assertEquals(log.lines.filter(({ fields }) => fields["problem"] === "userdata.seen is a Map").length, 1);
    assertEquals(first.left().userdata, undefined);
    await first.end();
  });

  const resumed = [
    { what: "a sentence", resumed: "There I am again.", line: "There I am again." },
    { what: "nothing", resumed: "", line: undefined },
    { what: "a function", resumed: () => Promise.resolve("Back."), line: "Back." },
    {
      what: "the usual, though a function fails",
      resumed: () => Promise.reject(new Error("no")),
      line: "Sorry, I lost you for a second. Please go on.",
    },
    {
      what: "the usual, though a function hangs",
      resumed: () => new Promise<void>(() => {}),
      line: "Sorry, I lost you for a second. Please go on.",
    },
  ];
  for (const { what, resumed: own, line } of resumed) {
    it(`says first, as its agent wants: ${what}`, async () => {
      const first = await live({ answers: [answer("Yes.")] });
      first.room.tell({ type: "text", text: "Hello?" });
      await first.clock.advance(5_000);
      const second = await live({ definition: { resumed: own }, snapshot: first.left() });
      await second.clock.advance(5_000);
      assertEquals(second.said().slice(2), line === undefined ? [] : [`assistant: ${line}`]);
      await second.end();
    });
  }
});
