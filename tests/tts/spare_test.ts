import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { SessionEvent } from "../../src/events.ts";
import { createSpareVoices } from "../../src/tts/spare.ts";
import type { TextToSpeech } from "../../src/tts/tts.ts";
import { startCall, talk, timeToClose } from "../fakes/call.ts";
import { fakeClock } from "../fakes/clock.ts";
import { scriptedLanguageModel, scriptedTextToSpeech, type Voicing } from "../fakes/providers.ts";

const apology = "Sorry, something went wrong on my side. Could you say that again?";

/** What voices are asked, and the spare voices of a process in which they share what is kept. */
function process(clock = fakeClock()) {
  const local = { ...scriptedTextToSpeech([], clock), provider: "local" };
  const spareVoice = createSpareVoices({ clock, local });
  /** A session whose voice does as it is told; `voicing`: from now on. */
  const begin = (first: Voicing) => {
    let voicing = first;
    let asked = 0;
    const tts: TextToSpeech = {
      ...scriptedTextToSpeech([], clock),
      synthesize(text, options) {
        asked++;
        return scriptedTextToSpeech([voicing], clock).synthesize(text, options);
      },
    };
    const answer = { text: "Good day to you.", ttftMs: 200, tokenMs: 20 };
    const llm = scriptedLanguageModel([answer], clock);
    const call = startCall({}, { clock, providers: { llm, tts, spare: spareVoice("key", tts) } });
    const events: SessionEvent[] = [];
    void (async () => {
      for await (const event of call.session.events()) events.push(event);
    })();
    call.room.enter("caller");
    return {
      ...call,
      events,
      become: (next: Voicing) => voicing = next,
      get asked() {
        return asked;
      },
      heard: () =>
        events.flatMap((event) =>
          event.type === "agent-speech-committed"
            ? [event.text]
            : event.type === "voice-replaced"
            ? [event.by]
            : []
        ),
    };
  };
  return { clock, begin };
}

describe("the apology when the voice fails", () => {
  const failures: [voicing: Voicing, withinMs: number][] = [["fail", 1_000], ["hang", 13_000]];
  for (const [voicing, withinMs] of failures) {
    it(`is said by the local voice when the voice was never there: ${voicing}`, async () => {
      const { clock, begin } = process();
      const call = begin(voicing);
      await clock.settle();
      await talk(call, 2_000);
      await clock.advance(withinMs + 6_000);
      assertEquals(call.heard().slice(0, 2), ["local", apology]);
      const committedMs = call.events.find(({ type }) => type === "user-speech-committed")?.atMs ?? NaN;
      const heardMs = call.events.find(({ type }) => type === "agent-started-speaking")?.atMs ?? NaN;
      assert(heardMs - committedMs <= withinMs, `heard after ${heardMs - committedMs} ms`);
      assertEquals(call.session.state === "closed", false, "the call is kept");
      assert(await timeToClose(call) <= 5_000);
      assertEquals(clock.pending, 0);
    });
  }

  it("is said from sound that was kept when the voice fails later, in every session", async () => {
    const { clock, begin } = process();
    const first = begin("speak");
    await clock.settle();
    await talk(first, 2_000);
    await clock.advance(6_000);
    assertEquals(
      [first.heard(), first.asked],
      [["Good day to you."], 2],
      "an answer, and the apology in silence",
    );
    const voiced = first.events.filter((event) => event.type === "usage" && event.usage.stage === "tts");
    assertEquals(voiced.length, 2, "both are counted, once");
    first.become("fail");
    first.session.generateReply();
    await clock.advance(8_000);
    assertEquals(first.heard().slice(1), ["kept", apology]);
    assertEquals(first.asked, 3, "the voice was asked for the reply alone");
    assertEquals(first.session.state, "listening");
    assert(await timeToClose(first) <= 5_000);

    const second = begin("fail");
    await clock.settle();
    await talk(second, 2_000);
    await clock.advance(6_000);
    assertEquals(second.heard().slice(0, 2), ["kept", apology]);
    assert(await timeToClose(second) <= 5_000);
    assertEquals(clock.pending, 0);
  });

  it("is made once for all sessions, and again when that failed", async () => {
    const clock = fakeClock();
    let asked = 0;
    const tts: TextToSpeech = {
      ...scriptedTextToSpeech([], clock),
      synthesize: (text, options) =>
        scriptedTextToSpeech([asked++ === 0 ? "fail" : "speak"], clock).synthesize(text, options),
    };
    const spare = createSpareVoices({ clock, local: tts })("key", tts);
    const { signal } = new AbortController();
    const failed = spare.prepare(["Sorry."], { signal }).then(() => "kept", () => "failed");
    await spare.prepare(["Sorry."], { signal }); // it is under way
    await clock.advance(5_000);
    assertEquals([await failed, asked], ["failed", 1]);
    for (const _ of [1, 2]) {
      const made = spare.prepare(["Sorry."], { signal });
      await clock.advance(5_000);
      await made;
    }
    assertEquals(asked, 2);
    const text = ReadableStream.from(["Sorry."]);
    const events = await Array.fromAsync(spare.synthesize(text, { signal }));
    assertEquals([events.some(({ type }) => type === "audio"), asked], [true, 2]);
  });
});
