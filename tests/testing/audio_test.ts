/** Agents that are tested with recorded speech. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { defineAgent } from "../../src/agent.ts";
import { scripted, testCall } from "../../src/testing.ts";
import { joined, loadClip, noise, quiet } from "../fixtures/speech.ts";

const agent = defineAgent({ instructions: "You are a shop." });
const wav = (name: string) => Deno.readFile(new URL(`../fixtures/speech/${name}.wav`, import.meta.url));

describe("userAudio()", () => {
  it("is heard by the server's own detector: a WAV file, or samples", async () => {
    await using call = await testCall(agent, {
      llm: scripted(["It was shipped.", "You are welcome."]),
      vad: "silero",
    });
    await call.userAudio(await wav("one"), "Where is my order?");
    call.expect.said("It was shipped.");
    const { samples } = await loadClip("five");
    await call.userAudio(joined(quiet(500), samples), "Thank you.");
    call.expect.said("You are welcome.");
    const said = call.history.flatMap((item) => "role" in item && item.role === "user" ? [item.text] : []);
    assertEquals(said, ["Where is my order?", "Thank you."]);
  });

  it("waits for the detector: what it takes is not the call's time", async () => {
    await using call = await testCall(agent, { llm: scripted(["It was shipped."]), vad: "silero" });
    await call.userAudio(await wav("one"), "Where is my order?");
    const { startMs } = await loadClip("one");
    const started = call.events.find(({ type }) => type === "user-started-speaking");
    const lateMs = (started?.atMs ?? NaN) - startMs;
    assert(lateMs <= 100, `the voice was found after ${lateMs} ms`);
  });

  it("is no turn where there is no voice", async () => {
    await using call = await testCall(agent, { llm: scripted([]), vad: "silero" });
    await call.userAudio(noise(2_000, 0.05), "Where is my order?");
    assertEquals(call.history, []);
  });

  it("interrupts the agent", async () => {
    const story =
      "Once upon a time there was a lighthouse at the very end of the world, and its keeper was old.";
    await using call = await testCall(agent, { llm: scripted([story, "All right."]), vad: "silero" });
    await call.user("Tell me a story.", { until: "speaking" });
    await call.userAudio(await wav("one"), "Wait a moment, please.");
    call.expect.interrupted();
    call.expect.said("All right.");
  });

  it("says what kind of call it takes", async () => {
    await using real = await testCall(agent, { llm: scripted([]), vad: "silero" });
    await assertRejects(() => real.speak("Hello."), /expected sound, by userAudio\(\)/);
    await using other = await testCall(agent, { llm: scripted([]) });
    await assertRejects(() => other.userAudio(new Int16Array(16_000), "Hello."), /vad: "silero"/);
  });
});
