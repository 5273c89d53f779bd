/** A call with sound behind the agent's voice, on the fake clock. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { saidIn } from "../src/history.ts";
import { defineAgent } from "../src/agent.ts";
import { type BackgroundAudio, preloadBackgrounds } from "../src/background.ts";
import type { PlayedSpan } from "../src/room/memory.ts";
import { fakeClock } from "./fakes/clock.ts";
import { scriptedLanguageModel } from "./fakes/providers.ts";
import { startCall, talk, timeToClose } from "./fakes/call.ts";

const sampleRate = 24_000;
const constant = (level: number) => ({ samples: new Int16Array(sampleRate).fill(level), sampleRate });

/** The sample that was heard at `ms`; undefined where there was none. */
function heardAt(spans: readonly PlayedSpan[], ms: number): number | undefined {
  const span = spans.findLast(({ fromMs, toMs }) => fromMs <= ms && ms < toMs);
  return span?.samples[Math.floor((ms - span.fromMs) * sampleRate / 1000)];
}

describe("background audio", () => {
  it("is heard from the beginning, the sound of thinking while the agent thinks; nothing outlives the call", async () => {
    const clock = fakeClock();
    const llm = scriptedLanguageModel([{ text: "Good day to you.", ttftMs: 2000, tokenMs: 20 }], clock);
    const call = startCall({
      backgroundAudio: { ambience: { ...constant(100), volume: 0.5 }, thinking: constant(10) },
    }, { clock, providers: { llm } });
    const states: { atMs: number; state: string }[] = [];
    (async () => {
      for await (const event of call.session.events()) {
        if (event.type === "state-changed") states.push({ atMs: call.clock.now(), state: event.state });
      }
    })();
    call.room.enter("caller");
    await talk(call, 6000);
    const began = (name: string) => states.find(({ state }) => state === name)?.atMs ?? NaN;
    const [thinkingMs, speakingMs] = [began("thinking"), began("speaking")];
    const spans = call.room.played;
    assert(speakingMs - thinkingMs >= 200, `thinking at ${thinkingMs}, speaking at ${speakingMs}`);
    assertEquals(heardAt(spans, 700), 50, "ambience alone");
    assertEquals(heardAt(spans, thinkingMs - 1), 50);
    assertEquals(heardAt(spans, speakingMs - 1), 60, "and the sound of thinking");
    const spoken = heardAt(spans, speakingMs + 250) ?? 0;
    assert(spoken >= 1012 && spoken <= 1014, `a voice of 1,000 with a quarter of the ambience: ${spoken}`);
    assertEquals(heardAt(spans, 5900), 50, "ambience alone again");
    assert(await timeToClose(call) <= 5000);
    assertEquals(call.clock.pending, 0);
  });

  it("costs nothing where there is none", async () => {
    const call = startCall();
    call.room.enter("caller");
    await talk(call, 1000);
    assertEquals(call.room.played, []);
    await timeToClose(call);
  });

  it("is missing when it cannot be played, which the agent is told of; the call goes on", async () => {
    const errors: string[] = [];
    const call = startCall({
      backgroundAudio: { ambience: { file: "no/such.wav" }, thinking: constant(10) },
      onError: ({ stage, message }) => void errors.push(`${stage}: ${message}`),
    });
    call.room.enter("caller");
    // The file system answers when it likes.
    while (errors.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await talk(call, 6000);
    assert(errors[0]?.startsWith("agent: the sound no/such.wav cannot be played: "), errors[0]);
    assertEquals(saidIn(call.session.history).map(({ role }) => role), ["user", "assistant"]);
    await timeToClose(call);
    assertEquals(call.clock.pending, 0);
  });

  const wrong: [audio: BackgroundAudio, message: RegExp][] = [
    [{ ambience: { ...constant(1), volume: 2 } }, /backgroundAudio\.ambience\.volume is 2; expected 0 to 1/],
    [
      { thinking: { samples: new Int16Array(0), sampleRate } },
      /backgroundAudio\.thinking has no sound; expected/,
    ],
    [{ thinking: { file: "" } }, /backgroundAudio\.thinking has no sound; expected/],
  ];
  for (const [backgroundAudio, message] of wrong) {
    it(`is refused when the agent is defined: ${message.source}`, () => {
      let error: unknown;
      try {
        defineAgent({ instructions: "x", backgroundAudio });
      } catch (thrown) {
        error = thrown;
      }
      assert(error instanceof TypeError && message.test(error.message), String(error));
    });
  }

  it("that is not there keeps the server from starting, naming the agent", async () => {
    const agents = { support: { backgroundAudio: { ambience: { file: "no/such.wav" } } }, other: {} };
    await assertRejects(
      () => preloadBackgrounds(agents, sampleRate),
      /^ConfigError: The agent "support", ambience: the sound no\/such\.wav cannot be played: /,
    );
  });
});
