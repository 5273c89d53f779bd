import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { setImmediate } from "node:timers/promises";
import { fliteTextToSpeech, fliteVoices } from "../../src/tts/flite.ts";
import type { TextToSpeech } from "../../src/tts/tts.ts";

const live = () => new AbortController().signal;

async function spoken(tts: TextToSpeech, clauses: readonly string[], signal = live()) {
  const samples: number[] = [];
  const marks: [characters: number, atMs: number][] = [];
  for await (const event of tts.synthesize(ReadableStream.from(clauses), { signal })) {
    if (event.type === "audio") {
      assertEquals([event.frame.sampleRate, event.frame.channels], [24_000, 1]);
      assert(event.frame.samples.length <= 2_400);
      samples.push(...event.frame.samples);
    } else if (event.type === "mark") marks.push([event.characters, samples.length / 24]);
  }
  return { samples, marks };
}

describe("fliteTextToSpeech()", () => {
  it("speaks each clause at once, and marks where it ends", async () => {
    const { samples, marks } = await spoken(fliteTextToSpeech(), ["Hello! ", "How can I help you today?"]);
    assertEquals(marks.map(([characters]) => characters), [7, 32]);
    const [[, first = 0] = [], [, second = 0] = []] = marks;
    assert(first > 400 && first < 1_200, `"Hello!" lasts ${first} ms`);
    assert(second - first > 1_000 && second - first < 2_500, `the question lasts ${second - first} ms`);
    assert(Math.max(...samples) > 5_000, "it is too quiet to be heard");
    const voiced = samples.findIndex((sample) => Math.abs(sample) > 200) / 24;
    assert(voiced < 40, `the voice comes after ${voiced} ms of silence`);
  });

  for (const voice of fliteVoices) {
    it(`has the voice ${voice}, which is like no other`, async () => {
      const { samples } = await spoken(fliteTextToSpeech({ voice }), ["Hello."]);
      const other = await spoken(fliteTextToSpeech({ voice: voice === "slt" ? "rms" : "slt" }), ["Hello."]);
      assert(samples.length > 6_000);
      assert(samples.length !== other.samples.length || samples.some((s, i) => s !== other.samples[i]));
    });
  }

  it("says the same again in the same way, whatever came between", async () => {
    const abort = new AbortController();
    const tts = fliteTextToSpeech().connect?.({ signal: abort.signal });
    assert(tts);
    const before = await spoken(tts, ["Good morning."]);
    await spoken(tts, [
      "A much longer sentence, which leaves a lot behind in the memory of the program. ".repeat(5),
    ]);
    assertEquals(await spoken(tts, ["Good morning."]), before);
    abort.abort();
  });

  it("reads typographic signs and accents as their plain equals", async () => {
    const tts = fliteTextToSpeech();
    const plain = await spoken(tts, [`I'm "naive" - cafe.`]);
    const typographic = await spoken(tts, ["I’m “naïve” – café."]);
    assertEquals(typographic.samples, plain.samples);
    assertEquals((await spoken(tts, ["Well 🙂"])).samples, (await spoken(tts, ["Well "])).samples);
  });

  it("stops at once when it is aborted, and the others go on", async () => {
    const [abort, session] = [new AbortController(), new AbortController()];
    const tts = fliteTextToSpeech().connect?.({ signal: session.signal });
    assert(tts);
    const cut = spoken(tts, ["This is going to be cut off."], abort.signal);
    const waiting = spoken(tts, ["This one never begins."], abort.signal);
    const other = spoken(tts, ["Hello."]);
    abort.abort(new Error("cut"));
    await assertRejects(() => cut, /cut/);
    await assertRejects(() => waiting, /cut/);
    assert((await other).samples.length > 6_000);
    session.abort();
  });

  it("leaves the event loop free", async () => {
    let done = false;
    const speech = spoken(fliteTextToSpeech(), ["The quick brown fox jumps over the lazy dog. ".repeat(3)])
      .finally(() => done = true);
    let turns = 0;
    while (!done) {
      await setImmediate();
      turns++;
    }
    await speech;
    assert(turns > 50, `the event loop went round ${turns} times during a synthesis`);
  });

  it("refuses a voice that it does not have", () => {
    assertThrows(() => fliteTextToSpeech({ voice: "sonia" }), /no voice "sonia"; expected slt, rms/);
  });
});
