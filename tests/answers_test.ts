/** Tools in a session: what they are handed, what is kept and told of them, and how they end with it. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type AgentDefinition, defineAgent } from "../src/agent.ts";
import type { SessionEvent } from "../src/events.ts";
import { tool, type ToolContext } from "../src/tool.ts";
import { type Call, startCall, talk, timeToClose } from "./fakes/call.ts";
import { fakeClock } from "./fakes/clock.ts";
import { type Answer, scriptedLanguageModel } from "./fakes/providers.ts";

const answer = (text: string, ...calls: string[]): Answer => ({
  text,
  ttftMs: 100,
  tokenMs: 10,
  ...(calls.length > 0 && { calls: calls.map((name) => ({ name })) }),
});

/** A call in which the user says "hello there" in the first second, and then nothing; what happened in it. */
async function callOf(definition: Partial<AgentDefinition>, answers: readonly Answer[]) {
  const clock = fakeClock();
  const llm = scriptedLanguageModel(answers, clock);
  const call: Call = startCall(definition, { clock, providers: { llm } });
  const events: SessionEvent[] = [];
  const told = call.session.events().pipeTo(
    new WritableStream({ write: (event) => void events.push(event) }),
  );
  call.room.enter("caller");
  await call.joined;
  await talk(call, 2_000);
  return { ...call, llm, events, told };
}

const kinds = ({ session }: Pick<Call, "session">) =>
  session.history.map((item) => item.type === undefined ? item.role : item.type);

describe("tools in a session", () => {
  it("are handed the session, its own data and a key; the model is told their results", async () => {
    interface Basket {
      count: number;
    }
    const handed: ToolContext<Basket>[] = [];
    const add = tool({
      description: "Adds one",
      effect: "once",
      execute(_, ctx: ToolContext<Basket>) {
        handed.push(ctx);
        return `${++ctx.userdata.count} in the basket`;
      },
    });
    let made = 0;
    const definition = { tools: { add }, userdata: (): Basket => ({ count: 10 * ++made }) };
    const call = await callOf(definition, [answer("", "add"), answer("It is in there.")]);
    await call.clock.advance(3_000);
    const [ctx] = handed;
    assertEquals([handed.length, ctx?.session.id, ctx?.userdata], [1, "session", { count: 11 }]);
    assertEquals(call.session.userdata, { count: 11 });
    assert(ctx?.idempotencyKey.startsWith("session:turn-1:add:"), ctx?.idempotencyKey);
    assertEquals(call.llm.requests.at(-1)?.at(-1), {
      role: "tool",
      callId: "call-1-1",
      content: "11 in the basket",
    });
    assertEquals(kinds(call), ["user", "tool-call", "tool-result", "assistant"]);
    const types = call.events.map(({ type }) => type);
    assert(types.indexOf("user-speech-committed") < types.indexOf("tools-called"), types.join());
    assert(types.indexOf("tools-called") < types.indexOf("tools-finished"), types.join());
    const finished = call.events.find((event) => event.type === "tools-finished");
    assertEquals(finished?.results, [
      { callId: "call-1-1", name: "add", outcome: "done", content: "11 in the basket" },
    ]);
    await timeToClose(call);
    await call.told;
  });

  it("can be called by generateReply()", async () => {
    const look = tool({ description: "Looks", effect: "none", execute: () => "nothing there" });
    const call = await callOf({ tools: { look } }, [
      answer("Hello."),
      answer("", "look"),
      answer("Nothing."),
    ]);
    await call.clock.advance(3_000);
    const said = call.session.generateReply({ userInput: "Look.", toolChoice: { name: "look" } });
    await call.clock.advance(3_000);
    assertEquals(await said, { text: "Nothing.", interrupted: false });
    assertEquals(kinds(call).slice(2), ["user", "tool-call", "tool-result", "assistant"]);
    await timeToClose(call);
    await call.told;
  });

  it("end with the session within its time, each with a result", async () => {
    for (const effect of ["none", "idempotent", "once"] as const) {
      const stuck = tool({ description: "Never ends", effect, execute: () => new Promise(() => {}) });
      const call = await callOf({ tools: { stuck } }, [answer("One moment.", "stuck")]);
      await call.clock.advance(1_000);
      assertEquals(kinds(call).slice(0, 2), ["user", "tool-call"]);
      const tookMs = await timeToClose(call);
      assert(tookMs <= 2_100, `${effect}: ${tookMs} ms`);
      const results = call.session.history.filter((item) => item.type === "tool-result");
      assertEquals(results.map(({ outcome }) => outcome), ["cancelled"], effect);
      assertEquals(call.clock.pending, 0);
      await call.told;
    }
  });

  it("may say and do anything with the session", async () => {
    const chatty = tool({
      description: "Talks",
      effect: "once",
      execute: (_, { session }) => {
        session.say("By the way.");
        return session.history.length;
      },
    });
    const call = await callOf({ tools: { chatty } }, [answer("", "chatty"), answer("Done.")]);
    await call.clock.advance(5_000);
    const said = call.session.history.flatMap((item) => "text" in item ? [item.text] : []);
    assertEquals(said, ["hello there", "Done.", "By the way."]);
    await timeToClose(call);
    await call.told;
  });

  it("are refused by name when they cannot be told to a model", () => {
    const instructions = "Be brief.";
    const good = tool({ description: "Does it", effect: "none", execute: () => "done" });
    assertThrows(
      () => defineAgent({ instructions, tools: { "not good": good } }),
      /named "not good"/,
    );
    assertThrows(
      () => defineAgent({ instructions, tools: { look: {} as typeof good } }),
      /tools\.look is not a tool/,
    );
  });
});
