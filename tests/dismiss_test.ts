/** Calls that are ended because their process ends: with a goodbye. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { AgentDefinition } from "../src/agent.ts";
import { saidIn } from "../src/history.ts";
import { startCall } from "./fakes/call.ts";

const usual = "I am sorry, I have to end this call now. Please call again in a moment. Goodbye.";
const cases: { what: string; definition?: Partial<AgentDefinition>; said: string[] }[] = [
  { what: "says goodbye, and leaves when that was heard", said: [usual] },
  { what: "says it as its agent does", definition: { lastLines: { shutdown: "Bye." } }, said: ["Bye."] },
  { what: "says nothing when its agent does not", definition: { lastLines: { shutdown: "" } }, said: [] },
  {
    what: "cuts off what it was saying",
    definition: {
      entry: ({ session }) => void session.say("One. ".repeat(50)),
      lastLines: { shutdown: "Bye." },
    },
    said: ["Bye."],
  },
];

describe("a call that is dismissed", () => {
  for (const { what, definition, said } of cases) {
    it(what, async () => {
      const call = startCall(definition);
      call.room.enter("caller");
      await call.joined;
      await call.clock.advance(2_000);
      const dismissed = call.dismiss();
      void call.dismiss(); // once is enough
      await call.clock.advance(20_000);
      await dismissed;
      assertEquals(await call.session.done, "shutdown");
      const heard = saidIn(call.session.history).filter(({ interrupted }) => !interrupted);
      assertEquals(heard.map(({ text }) => text), said);
      assertEquals(call.clock.pending, 0);
    });
  }

  it("ends at once where there is nobody", async () => {
    const call = startCall();
    await call.joined;
    const dismissed = call.dismiss();
    await call.clock.settle();
    await dismissed;
    assertEquals(await call.session.done, "shutdown");
  });
});
