import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import support from "../../agents/support.ts";
import { saidIn } from "../../src/history.ts";
import { scripted, testCall } from "../../src/testing.ts";
import { loadConfig } from "../../src/config.ts";
import type { SessionEvent } from "../../src/events.ts";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startElevenLabsEmulator } from "../emulators/elevenlabs.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { type LiveCall, startLiveCall } from "../fakes/live_call.ts";

const keys = {
  OPENAI_API_KEY: "openai-key",
  DEEPGRAM_API_KEY: "deepgram-key",
  ELEVENLABS_API_KEY: "eleven-key",
};
const greeting = "Welcome to TechCorp support. How can I help?";
const question = "What about international customers?";
/** Long words: who takes characters for time cuts it at the wrong one. */
const answer = Array.from(
  { length: 9 },
  (_, i) =>
    `Regulation ${i + 1} unconditionally requires internationally recognized documentation everywhere.`,
).join(" ");
const farewell = "All right.";
const msPerWord = 250;

/** The providers, and a call with them. */
async function startAll() {
  await using stack = new AsyncDisposableStack();
  const ears = stack.use(
    await startDeepgramEmulator({
      apiKey: keys.DEEPGRAM_API_KEY,
      // Neither words that stop at once, nor such as listeners say.
      transcripts: [question, "Documents.", "Blue car.", "What about refunds then?"],
      // A gap that a busy machine makes in the sound is not to cut an utterance in two.
      minEndpointMs: 300,
    }),
  );
  const model = stack.use(
    await startOpenAIEmulator({
      apiKey: keys.OPENAI_API_KEY,
      answer: (user) => user === question ? answer : farewell,
    }),
  );
  const voice = stack.use(await startElevenLabsEmulator({ apiKey: keys.ELEVENLABS_API_KEY, msPerWord }));
  const config = loadConfig({
    ...keys,
    DEEPGRAM_BASE_URL: ears.url,
    OPENAI_BASE_URL: model.url,
    ELEVENLABS_BASE_URL: voice.url,
  });
  const call = stack.use(await startLiveCall(support, config));
  const started = stack.move();
  return { ears, model, voice, call, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

type Committed = Extract<SessionEvent, { type: "agent-speech-committed" }>;
const saidBy = ({ events }: LiveCall): Committed[] =>
  events.filter((event) => event.type === "agent-speech-committed");
const heardFrom = ({ events }: LiveCall): string[] =>
  events.flatMap((event) => event.type === "user-transcript" && event.final ? [event.text] : []);
const wordsIn = (text: string) => text.match(/\S+/g)?.length ?? 0;

describe("agents/support", () => {
  it("greets as TechCorp, and answers", async () => {
    await using call = await testCall(support, { llm: scripted(["Within two weeks."]) });
    call.expect.said(greeting);
    await call.speak("When will I have my money back?");
    call.expect.said("Within two weeks.");
  });

  const overlaps: [what: string, text: string, durationMs: number, isInterrupted: boolean][] = [
    ["one word, however long", "Documents", 900, false],
    ["two words that are short", "Blue car", 320, false],
    ["two words of half a second", "Blue car", 700, true],
    ["a word that always stops it", "Stop", 600, true],
  ];
  for (const [what, text, durationMs, isInterrupted] of overlaps) {
    it(`${isInterrupted ? "is" : "is not"} interrupted by ${what}`, async () => {
      await using call = await testCall(support, { llm: scripted([answer, "All right."]) });
      await call.user(question, { until: "speaking" });
      await call.wait(3_000);
      await call.interrupt(text, { durationMs });
      if (isInterrupted) call.expect.interrupted("Regulation 1");
      call.expect.said(isInterrupted ? "All right." : answer);
    });
  }

  it("greets, answers, is not stopped by one word or a short one, but by two; the history ends at the word", async () => {
    await using all = await startAll();
    const { ears, model, voice, call } = all;

    await call.until(() => saidBy(call).length === 1, "the greeting");
    assertEquals(saidBy(call)[0]?.text, greeting);
    assertEquals(Math.round(call.playedMs), wordsIn(greeting) * msPerWord);

    await call.speak("one");
    const started = (count: number) =>
      call.events.filter(({ type }) => type === "agent-started-speaking").length === count;
    await call.until(() => started(2), "the answer");
    const greetedMs = wordsIn(greeting) * msPerWord;

    const goesOn = async (words: string) => {
      await call.until(() => heardFrom(call).includes(words), `${words} over the answer`);
      assert(!saidBy(call).some(({ interrupted }) => interrupted), `${words} stopped the answer`);
      assertEquals(call.session.state, "speaking");
      const isCommitted = (event: SessionEvent) =>
        event.type === "user-speech-committed" && event.text === words;
      await call.until(() => call.events.some(isCommitted), `${words} to be over`);
    };
    await call.speak("five");
    await goesOn("Documents.");
    await call.speak("four", 320);
    await goesOn("Blue car.");

    await call.speak("four");
    const cut = await call.until(() => saidBy(call)[1], "the interruption");
    assert(cut.interrupted && answer.startsWith(cut.text), cut.text);
    await call.until(() => saidBy(call)[2], "the answer to that");
    const playedMs = call.playedMs - greetedMs - wordsIn(farewell) * msPerWord;
    const words = wordsIn(cut.text);
    assert(words < wordsIn(answer), "the answer was over before it was interrupted");
    assert(Math.abs(words - playedMs / msPerWord) <= 1, `${words} words in ${playedMs} ms`);
    assertEquals(saidIn(call.session.history).find(({ interrupted }) => interrupted)?.text, cut.text);

    const [listening] = ears.connections;
    assertEquals(
      ["model", "language"].map((name) => listening?.query.get(name)),
      ["nova-2", "en"],
    );
    const asked = model.requests.at(-1)?.body;
    assertEquals([asked?.model, asked?.temperature], ["gpt-4o", 0.7]);
    assertEquals(asked?.messages[0], {
      role: "system",
      content: "You are a customer service agent for TechCorp. Be helpful, professional, and concise. " +
        "If you don't know something, say so honestly.",
    });
    assert(asked?.messages.some(({ role, content }) => role === "assistant" && content === cut.text));
    const [speaking, ...more] = voice.connections;
    assertEquals(more.length, 0);
    assertEquals([speaking?.voice, speaking?.query.get("model_id")], [
      "JBFqnCBsd6RMkjVDRZzb",
      "eleven_turbo_v2",
    ]);
    assertEquals(support.vad, { minSpeechMs: 100, minSilenceMs: 500 });
  });
});
