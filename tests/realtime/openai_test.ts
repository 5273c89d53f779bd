import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import * as z from "zod";
import { defineAgent } from "../../src/agent.ts";
import { handoff } from "../../src/handoff.ts";
import { tool } from "../../src/tool.ts";
import type { SpeechEmulator } from "../emulators/openai_realtime_speech.ts";
import { startRealtimeCall } from "./call.ts";

const long =
  "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen.";

/** What the server has of the conversation, a line each. */
const itemsOf = ({ connections }: SpeechEmulator, n = -1) =>
  connections.at(n)?.items.map(({ type, role, text, audioMs }) =>
    `${role ?? type}: ${text}${audioMs === undefined ? "" : " (sound)"}`
  );
const sentTo = ({ connections }: SpeechEmulator, type: string) =>
  connections.flatMap(({ messages }) => messages).filter((message) => message.type === type);
const refusedBy = ({ connections }: SpeechEmulator) => connections.flatMap(({ refused }) => refused);

describe("a call with a model that hears and speaks", () => {
  it("greets, and answers a question by its sound, as soon as the user's turn is over", async () => {
    await using call = await startRealtimeCall({ transcripts: ["Where is my order?"] });
    call.session.say("Hello there.");
    await call.until(() => call.all("agent-speech-committed").length === 1, "the greeting");
    await call.ask();
    assertEquals(call.said(), [
      "assistant: Hello there.",
      "user: Where is my order?",
      "assistant: You said: Where is my order?",
    ]);
    assertEquals(call.all("agent-started-speaking").at(-1)?.latency.totalMs, 350);
    assertEquals(call.room.states, [
      "listening",
      "thinking",
      "speaking",
      "listening",
      "thinking",
      "speaking",
      "listening",
    ]);
    assertEquals(itemsOf(call.emulator), [
      "assistant: Hello there.",
      "user: Where is my order? (sound)",
      "assistant: You said: Where is my order? (sound)",
    ]);
    await call.ask();
    assertEquals(
      sentTo(call.emulator, "conversation.item.create").length,
      1,
      "the greeting alone is told in writing",
    );
    assertEquals(sentTo(call.emulator, "conversation.item.delete"), []);
    assertEquals(refusedBy(call.emulator), []);
  });

  it("does not wait for the words with its answer, and without speculation neither", async () => {
    await using call = await startRealtimeCall(
      { transcripts: ["Hello?"], transcriptionMs: () => 300, firstMs: 250 },
      { speculate: false },
    );
    await call.ask();
    const { latency } = call.all("agent-started-speaking")[0]!;
    assert(
      latency.totalMs < 720,
      `${latency.totalMs} ms: silence, and then the words and the answer at once`,
    );
  });

  it("answers nobody who has only coughed", async () => {
    await using call = await startRealtimeCall({ transcripts: ["", "Now then."] });
    call.speak(200);
    await call.advance(3_000);
    assertEquals(call.all("agent-started-speaking"), []);
    await call.ask();
    assertEquals(call.said(), ["user: Now then.", "assistant: You said: Now then."]);
    assertEquals(itemsOf(call.emulator)?.at(0), "user: Now then. (sound)");
    assertEquals(refusedBy(call.emulator), []);
  });

  it("answers the whole of what is said with a pause in it", async () => {
    await using call = await startRealtimeCall({ transcripts: ["I have a question", "about my order."] });
    call.speak(800);
    await call.advance(1_070);
    await call.ask(800);
    assertEquals(call.said()[0], "user: I have a question about my order.");
    assertEquals(call.all("speculation").map(({ prepared, kept }) => [prepared, kept]), [[2, true]]);
    assertEquals(itemsOf(call.emulator), [
      "user: I have a question (sound)",
      "user: about my order. (sound)",
      "assistant: You said: about my order. (sound)",
    ]);
    assertEquals(refusedBy(call.emulator), []);
  });

  it("is cut off where it was heard to, and the server is told where that was", async () => {
    await using call = await startRealtimeCall({
      transcripts: ["Count.", "Stop, please", "now."],
      answer: (_, n) => ({ text: n === 0 ? long : "All right." }),
    });
    call.speak();
    await call.until(() => call.session.state === "speaking", "the answer");
    await call.advance(1_500);
    call.speak();
    await call.until(() => call.all("turn-ended").length === 2, "the second answer");
    const [, cut, turn] = call.said();
    assertEquals(turn, "user: Stop, please now.");
    assertEquals(cut, "assistant: One two three four five six seven eight nine ten eleven", "by the letters");
    const [truncated] = sentTo(call.emulator, "conversation.item.truncate");
    assert(truncated?.type === "conversation.item.truncate");
    const startedMs = call.all("agent-started-speaking")[0]!.atMs;
    const { atMs } = call.all("user-started-speaking")[1]!;
    assert(Math.abs(truncated.audio_end_ms - (atMs - startedMs + 300)) < 60, `${truncated.audio_end_ms} ms`);
    assertEquals(itemsOf(call.emulator), [
      "user: Count. (sound)",
      "assistant:  (sound)",
      "user: Stop, please (sound)",
      "user: now. (sound)",
      "assistant: All right. (sound)",
    ]);
    assertEquals(call.all("turn-ended").map(({ outcome }) => outcome), ["interrupted", "answered"]);
    assertEquals(refusedBy(call.emulator), []);
  });

  it("goes on where it was paused for a noise", async () => {
    await using call = await startRealtimeCall({
      transcripts: ["Count.", ""],
      answer: () => ({ text: long }),
    });
    call.speak();
    await call.until(() => call.session.state === "speaking", "the answer");
    await call.advance(500);
    call.speak(400);
    await call.until(() => call.all("turn-ended").length === 1, "the end of the answer");
    const [{ atMs: resumedMs } = { atMs: 0 }] = call.all("false-interruption");
    const { atMs } = call.all("user-started-speaking")[1]!;
    assert(resumedMs - atMs < 1_000, `${resumedMs - atMs} ms: as soon as there are no words`);
    assertEquals(call.said(), ["user: Count.", `assistant: ${long}`]);
    assertEquals(sentTo(call.emulator, "conversation.item.truncate"), []);
  });

  it("calls tools, each with its result, and goes on", async () => {
    const asked: unknown[] = [];
    const lookUp = tool({
      description: "Looks an order up",
      effect: "none",
      parameters: z.object({ order: z.string() }),
      execute(args) {
        asked.push(args);
        return "shipped";
      },
    });
    await using call = await startRealtimeCall({
      transcripts: ["Where is order 42?"],
      answer: ({ items }, n) =>
        n === 0
          ? { text: "Let me look.", calls: [{ name: "lookUp", arguments: { order: "42" } }] }
          : { text: `It was ${items.at(-1)?.text}.` },
    }, { definition: { tools: { lookUp } } });
    await call.ask();
    assertEquals(asked, [{ order: "42" }]);
    assertEquals(call.emulator.connections[0]?.asked[0]?.tools, ["lookUp"]);
    assertEquals(call.said().slice(1).join(" "), "assistant: Let me look. assistant: It was shipped.");
    assertEquals(itemsOf(call.emulator), [
      "user: Where is order 42? (sound)",
      "assistant: Let me look. (sound)",
      "function_call: lookUp",
      "function_call_output: shipped",
      "assistant: It was shipped. (sound)",
    ]);
    const { steps, tokens } = call.all("turn-metrics")[0]!;
    assertEquals([steps, tokens?.inputTokens, tokens?.audio?.inputTokens], [1, 240, 80]);
    await call.ask();
    assertEquals(refusedBy(call.emulator), []);
    assertEquals(sentTo(call.emulator, "conversation.item.delete"), []);
  });

  it("hands over to a pipeline and gets the conversation back, with all that was said", async () => {
    const back = tool({ description: "Back", effect: "idempotent", execute: () => handoff(reception) });
    const pipeline = defineAgent({ name: "pipeline", instructions: "You are a pipeline.", tools: { back } });
    const toPipeline = tool({
      description: "Hands over",
      effect: "idempotent",
      execute: () => handoff(pipeline),
    });
    const reception = defineAgent({
      name: "reception",
      instructions: "You are a test.",
      model: "openai-realtime/gpt-realtime",
      tools: { toPipeline },
    });
    await using call = await startRealtimeCall({
      transcripts: ["The pipeline, please.", "And you?"],
      answer: (_, n) => n === 0 ? { calls: [{ name: "toPipeline" }] } : { text: "Here I am again." },
    }, {
      definition: reception,
      pipeline,
      answers: [
        { text: "The pipeline answers.", ttftMs: 100, tokenMs: 20 },
        { text: "", ttftMs: 100, tokenMs: 20, calls: [{ name: "back" }] },
      ],
    });
    await call.ask();
    await call.until(() => call.said().length === 2, "the pipeline's answer");
    await call.until(() => call.emulator.open === 0, "the end of the connection");
    call.speak(1_000, ["Back", "please."]);
    await call.until(() => call.all("handoff").length === 2, "the way back");
    await call.until(() => call.said().at(-1) === "assistant: Here I am again.", "its answer");
    assertEquals(call.said(), [
      "user: The pipeline, please.",
      "assistant: The pipeline answers.",
      "user: Back please.",
      "assistant: Here I am again.",
    ]);
    assertEquals(itemsOf(call.emulator)?.slice(0, 4), [
      "user: The pipeline, please.",
      "function_call: toPipeline",
      "function_call_output: The conversation was handed over to pipeline, who goes on with it.",
      "assistant: The pipeline answers.",
    ]);
    assertEquals(refusedBy(call.emulator), []);
  });

  it("apologizes when the connection dies in the middle of an answer, and goes on with another", async () => {
    await using call = await startRealtimeCall({
      transcripts: ["First.", "Second."],
      answer: (_, n) => n === 0 ? { text: long, then: "drop" } : { text: "The second answer." },
    });
    await call.ask();
    await call.until(() => call.said().at(-1)?.startsWith("assistant: Sorry"), "the apology");
    await call.ask();
    assertEquals(call.said().at(-1), "assistant: The second answer.");
    assertEquals(call.all("turn-ended").map(({ outcome }) => outcome), ["failed", "answered"]);
    assertEquals(call.emulator.connections.length, 2);
    assertEquals(itemsOf(call.emulator)?.[0], "user: First.");
    assertEquals(refusedBy(call.emulator), []);
  });

  it("loses no word when the connection dies while one speaks", async () => {
    await using call = await startRealtimeCall({ transcripts: ["Can you hear me?"] });
    call.speak(1_500);
    await call.advance(700);
    call.emulator.drop();
    await call.until(() => call.all("turn-ended").length === 1, "the answer");
    assertEquals(call.said(), ["user: Can you hear me?", "assistant: You said: Can you hear me?"]);
    const [, second] = call.emulator.connections;
    const sent = second?.messages.filter((message) => message.type === "input_audio_buffer.append") ?? [];
    const ms = sent.reduce((sum, { audio }) => sum + Uint8Array.fromBase64(audio).length / 48, 0);
    assert(ms >= 1_500, `${ms} ms of it were sent again, and to the end`);
  });

  it("shows words while one speaks, where the transcribing model can", async () => {
    await using call = await startRealtimeCall({ transcripts: ["Where is my order today?"] }, {
      transcription: "gpt-live-transcribe",
    });
    call.speak(1_500);
    await call.until(() => call.all("user-transcript").some(({ final }) => !final), "words");
    assertEquals(call.all("user-stopped-speaking"), []);
    await call.until(() => call.all("turn-ended").length === 1, "the answer");
    assertEquals(call.said()[0], "user: Where is my order today?");
    assertEquals(call.all("speculation").map(({ kept }) => kept), [true], "though its words have changed");
    assertEquals(refusedBy(call.emulator), []);
  });

  for (const [what, ms] of [["fails", Infinity], ["takes too long", 20_000]] as const) {
    it(`answers what was said when its transcription ${what}`, async () => {
      await using call = await startRealtimeCall({
        transcripts: ["Where is my order?"],
        transcriptionMs: () => ms,
      });
      await call.ask();
      assertEquals(call.said(), ["user: (not transcribed)", "assistant: You said: Where is my order?"]);
    });
  }

  it("asks before it does what is to be confirmed, and takes the answer by voice", async () => {
    let done = 0;
    const order = tool({
      description: "Orders it",
      effect: "once",
      confirm: () => "Shall I order it?",
      execute: () => `ordered ${++done}`,
    });
    await using call = await startRealtimeCall({
      transcripts: ["Order it.", "Yes, please."],
      answer: (_, n) => n === 0 ? { calls: [{ name: "order" }] } : { text: "It is ordered." },
    }, { definition: { tools: { order } } });
    call.speak();
    await call.until(() => call.session.state === "speaking", "the question");
    await call.advance(1_500);
    call.speak();
    await call.until(() => call.said().at(-1) === "assistant: It is ordered.", "the answer");
    assertEquals(done, 1);
    assertEquals(call.all("turn-ended").map(({ outcome }) => outcome), ["answered", "answered"]);
    assertEquals(refusedBy(call.emulator), []);
  });

  it("is told what was changed in the history, and what is wanted of one reply alone", async () => {
    await using call = await startRealtimeCall({ transcripts: ["My card is 4111."] });
    await call.ask();
    call.session.updateHistory((items) =>
      items.map((item) =>
        item.type === undefined && item.role === "user" ? { ...item, text: "My card is …" } : item
      )
    );
    call.session.generateReply({ instructions: "Say goodbye." });
    await call.until(() => call.said().length === 3, "the goodbye");
    const { items } = call.emulator.connections[0]!.asked.at(-1)!;
    assertEquals(items.map(({ role, text }) => `${role}: ${text}`), [
      "user: My card is …",
      "assistant: You said: My card is 4111.",
      "system: Say goodbye.",
    ]);
    assertEquals(refusedBy(call.emulator), []);
  });

  it("begins another session before an hour has passed, when nobody speaks, and tells it all", async () => {
    await using call = await startRealtimeCall({ transcripts: ["First.", "Second."] }, {
      definition: { away: { afterMs: 1e9 } },
    });
    await call.ask();
    await call.clock.advance(50 * 60_000);
    await call.until(() => call.emulator.connections.length === 2, "another connection");
    await call.ask();
    assertEquals(call.said().length, 4);
    assertEquals(call.all("error").map(({ error }) => error.message), []);
    assertEquals(itemsOf(call.emulator), [
      "user: First.",
      "assistant: You said: First.",
      "user: Second. (sound)",
      "assistant: You said: Second. (sound)",
    ]);
  });

  it("says in words what is wrong with the key", async () => {
    await using call = await startRealtimeCall({ apiKey: "another" }, { unreachable: true });
    const { error } = await call.until(() => call.all("error")[0], "an error");
    assertEquals([error.message, error.refused], [
      "OpenAI refused the key (401): check OPENAI_API_KEY",
      true,
    ]);
  });
});
