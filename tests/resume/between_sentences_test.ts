/** Sessions that change hands while the agent speaks: another says the next sentence, and what waits. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { makeSpeech } from "../../src/greeting.ts";
import { spokenForm } from "../../src/text/spoken_form.ts";
import { timeToClose } from "../fakes/call.ts";
import { fakeClock } from "../fakes/clock.ts";
import { scriptedTextToSpeech } from "../fakes/providers.ts";
import { answer, type Life, live } from "./life.ts";

const sentences = [
  "The sea is deep.",
  "It is more than ten kilometers deep in places.",
  "Few have been there at all.",
  "Those who have say that it is dark.",
];
const said = sentences.join(" ");

/** Lets the sentence end that is being said, and stops there; what another is to say next is made meanwhile. */
async function giveUp(first: Life) {
  const { clock } = first;
  const from = first.departure();
  const at = from?.sentence(1_000);
  assert(from && at, "expected the end of a sentence");
  const form = spokenForm({
    language: undefined,
    transforms: undefined,
    pronunciations: undefined,
    onError() {},
  });
  const providers = { tts: scriptedTextToSpeech([], clock) };
  const made = makeSpeech(at.next, { providers, spokenForm: form }, new AbortController());
  for (let ms = from.untilMs(at); ms !== undefined && ms > 0; ms = from.untilMs(at)) {
    await clock.advance(Math.min(50, Math.ceil(ms)));
  }
  const goOn = from.hold(at);
  return { at, made, goOn, snapshot: structuredClone(from.take()) };
}

const asked = async (text: string, ...answers: string[]) => {
  const first = await live({ clock: fakeClock(), answers: answers.map((text) => answer(text)) });
  await first.clock.advance(100);
  first.room.tell({ type: "text", text });
  await first.clock.advance(2_000);
  return first;
};
const lastPlayedMs = ({ room }: Life) => room.played.at(-1)?.toMs ?? 0;

/** Ends those, which share a clock. */
async function over(...lives: readonly Life[]) {
  for (const life of lives) await timeToClose(life);
  assertEquals(lives[0]?.clock.pending, 0);
}

describe("a session that changes hands between two sentences", () => {
  it("has the next said at once by the other, and none twice", async () => {
    const first = await asked("How deep is the sea?", said);
    const { at, made, snapshot } = await giveUp(first);
    const { clock } = first;
    assertEquals(at.next, sentences.slice(2).join(" "));
    const endedMs = clock.now();
    assert(Math.abs(lastPlayedMs(first) - endedMs) < 60, `${endedMs - lastPlayedMs(first)} ms are missing`);
    const second = await live({ clock, snapshot, silently: true, made });
    await clock.advance(15_000);
    const [begun] = second.room.played;
    assert(begun && begun.fromMs - endedMs < 50, `it was silent for ${(begun?.fromMs ?? NaN) - endedMs} ms`);
    assertEquals(second.said(), [
      "user: How deep is the sea?",
      `assistant: ${sentences.slice(0, 2).join(" ")}`,
      `assistant: ${sentences.slice(2).join(" ")}`,
    ]);
    assertEquals(second.requests.length, 0);
    const ended = second.events.flatMap((event) => event.type === "turn-ended" ? [event.outcome] : []);
    assertEquals(ended, ["answered"]);
    await over(first, second);
  });

  it("may do so more than once", async () => {
    const first = await asked("How deep is the sea?", said);
    const given = await giveUp(first);
    const second = await live({ clock: first.clock, ...given, silently: true });
    await first.clock.advance(500);
    const again = await giveUp(second);
    assertEquals(again.at.next, sentences[3]);
    const third = await live({ clock: first.clock, ...again, silently: true });
    await first.clock.advance(15_000);
    assertEquals(third.said().slice(1).map((line) => line.replace("assistant: ", "")).join(" "), said);
    assertEquals(third.requests.length, 0);
    await over(first, second, third);
  });

  it("goes on where it is when nobody takes it", async () => {
    const first = await asked("How deep is the sea?", said);
    const { goOn } = await giveUp(first);
    await first.clock.advance(2_000);
    goOn();
    await first.clock.advance(15_000);
    assertEquals(first.said().at(-1), `assistant: ${said}`);
    await first.end();
  });

  it("has what waits to be said said behind it, as it was to be", async () => {
    const first = await asked("How deep is the sea?", said);
    first.session.say("And there is more.", { interruptible: false });
    first.session.say("Not to be kept.", { addToHistory: false });
    const { snapshot, made } = await giveUp(first);
    assertEquals(
      snapshot.waiting?.map(({ text, interruptible, addToHistory }) => [text, interruptible, addToHistory]),
      [
        ["And there is more.", false, true],
        ["Not to be kept.", true, false],
      ],
    );
    const second = await live({ clock: first.clock, snapshot, silently: true, made });
    await first.clock.advance(20_000);
    assertEquals(second.said().slice(-2), [
      `assistant: ${sentences.slice(2).join(" ")}`,
      "assistant: And there is more.",
    ]);
    const spoken = second.events.flatMap((event) =>
      event.type === "agent-speech-committed" ? [event.text] : []
    );
    assertEquals(spoken.at(-1), "Not to be kept.");
    await over(first, second);
  });

  it("does not while the model has more to say, or what is made up first waits", async () => {
    const first = await asked("How deep is the sea?", said, "Fine.");
    assert(first.departure()?.sentence(0));
    first.session.generateReply();
    assertEquals(first.departure()?.sentence(0), undefined);
    const slow = await live({ answers: [{ text: said, ttftMs: 100, tokenMs: 400 }] });
    slow.room.tell({ type: "text", text: "How deep is the sea?" });
    await slow.clock.advance(4_000);
    assertEquals([slow.session.state, slow.departure()?.sentence(0)], ["speaking", undefined]);
  });
});

describe("a session whose process is gone", () => {
  it("has what had waited to be said said behind the rest", async () => {
    const first = await asked("How deep is the sea?", said);
    first.session.say("And there is more.");
    await first.clock.advance(1_500);
    const second = await live({ snapshot: first.left() });
    await second.clock.advance(20_000);
    assertEquals(second.said().slice(-3, -2), ["assistant: Sorry, I lost you for a second."]);
    assertEquals(second.said().at(-1), "assistant: And there is more.");
    await second.end();
  });
});
