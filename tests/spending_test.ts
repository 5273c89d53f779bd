import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { defineAgent } from "../src/agent.ts";
import type { Usage } from "../src/events.ts";
import { raceLanguageModels } from "../src/llm/race.ts";
import { startCall, talk } from "./fakes/call.ts";
import { fakeClock } from "./fakes/clock.ts";
import { scriptedLanguageModel } from "./fakes/providers.ts";

/** Each request to a model costs 10 cents, all else nothing; the recognizer has no price. */
const priceOf = ({ stage }: Usage) => stage === "stt" ? undefined : stage === "llm" ? 0.1 : 0;
const answer = (text: string) => ({ text, ttftMs: 200, tokenMs: 20 });

/** A call of two turns, 8 s. */
async function callOf(...[definition, options]: Parameters<typeof startCall>) {
  const call = startCall(definition, { priceOf, ...options });
  const events = Array.fromAsync(call.session.events());
  call.room.enter("caller");
  await call.clock.settle();
  await talk(call, 5_000);
  call.session.generateReply();
  await talk(call, 8_000, { fromMs: 5_000, voicedMs: Infinity });
  return { ...call, events };
}

describe("what a call costs", () => {
  it("is told with what was used, where that has a price", async () => {
    const { session, clock, events } = await callOf();
    const closed = session.close();
    await clock.advance(5_000);
    await closed;
    const told = (await events).flatMap((event) => event.type === "usage" ? [event.usage] : []);
    const cost = (stage: Usage["stage"]) =>
      told.filter((usage) => usage.stage === stage).map((u) => u.costUsd);
    assertEquals([cost("stt"), cost("llm")], [[undefined], [0.1, 0.1]]);
  });

  it("includes the request that lost a race", async () => {
    const clock = fakeClock();
    const late = { ...answer("Too late."), ttftMs: 1_000 };
    const race = raceLanguageModels([
      { ...scriptedLanguageModel([late], clock), model: "late" },
      { ...scriptedLanguageModel([answer("Hello.")], clock), model: "quick" },
    ], { clock, afterMs: 100 });
    const { session, events } = await callOf({}, { clock, providers: { llm: race } });
    const closed = session.close();
    await clock.advance(5_000);
    await closed;
    const lost = (await events).flatMap((event) =>
      event.type === "usage" && event.usage.stage === "llm" && event.usage.model === "late"
        ? [event.usage.costUsd, (event.usage.estimated?.inputTokens ?? 0) > 0]
        : []
    );
    assertEquals(lost.slice(0, 2), [0.1, true]);
  });

  it("has a cheaper model answer from the soft cap on, whoever is in charge", async () => {
    const clock = fakeClock();
    const llm = { ...scriptedLanguageModel([answer("Cheap.")], clock), provider: "thrifty", model: "small" };
    const costCaps = { softUsd: 0.1, llm };
    const { session, events } = await callOf({}, { clock, costCaps });
    assertEquals(session.history.flatMap((item) => "text" in item ? [item.text] : []), [
      "hello there",
      "Good day to you.",
      "Cheap.",
    ]);
    const closed = session.close();
    await clock.advance(5_000);
    await closed;
    const caps = (await events).flatMap((event) => event.type === "cost-cap" ? [event] : []);
    assertEquals(caps.map(({ cap, spentUsd, model }) => [cap, spentUsd, model]), [
      ["soft", 0.1, "thrifty/small"],
    ]);
  });

  it("ends the call at the hard cap, with a last line", async () => {
    const lastLines = { "cost-cap": "That was all. Goodbye." };
    const { session, room, clock, events } = await callOf({ lastLines }, { costCaps: { hardUsd: 0.15 } });
    await clock.advance(8_000);
    assertEquals(await session.done, "cost-cap");
    assertEquals(room.closed.aborted, true);
    const said = (await events).flatMap((event) =>
      event.type === "agent-speech-committed" ? [event.text] : event.type === "cost-cap" ? [event.cap] : []
    );
    assertEquals(said.at(-1), "That was all. Goodbye.");
    assertEquals(said.filter((one) => one === "hard").length, 1);
    assertEquals(clock.pending, 0);
  });

  it("is bounded by more than nothing", () => {
    for (const costCaps of [{ softUsd: 0 }, { hardUsd: -1 }]) {
      assertThrows(() => defineAgent({ instructions: "Be.", costCaps }), /costCaps/);
    }
    const costCaps = { softUsd: 1, model: "cheap" };
    assertThrows(() => defineAgent({ instructions: "Be.", costCaps }), /`costCaps.model`/);
  });
});
