/** A call whose agent says what is written in figures: the voice reads words, everybody else sees what was written. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { saidIn } from "../src/history.ts";
import type { AgentDefinition } from "../src/agent.ts";
import { defineAgent } from "../src/agent.ts";
import type { TextToSpeech } from "../src/tts/tts.ts";
import { startCall } from "./fakes/call.ts";
import { fakeClock } from "./fakes/clock.ts";
import { scriptedTextToSpeech } from "./fakes/providers.ts";

/** What the voice is given to read, of all that an agent says. */
async function call(text: string, definition: Partial<AgentDefinition>, { cutAfterMs = 20_000 } = {}) {
  const clock = fakeClock();
  const read: string[] = [];
  const voice = scriptedTextToSpeech([], clock);
  const tts: TextToSpeech = {
    ...voice,
    synthesize: (spoken, options) =>
      voice.synthesize(
        spoken.pipeThrough(
          new TransformStream({
            transform(clause, controller) {
              read.push(clause);
              controller.enqueue(clause);
            },
          }),
        ),
        options,
      ),
  };
  const { session, room } = startCall({ ...definition, entry: (ctx) => void ctx.session.say(text) }, {
    clock,
    providers: { tts },
  });
  room.enter("caller");
  await clock.advance(cutAfterMs);
  session.interrupt();
  await clock.advance(1000);
  const shown = room.shown.filter(({ of }) => of === "agent").map(({ text }) => text).join("");
  const history = saidIn(session.history).map(({ text }) => text);
  const closed = session.close();
  await clock.advance(10_000);
  await closed;
  return { read: read.join(""), shown, history };
}

const text = "**It is $5**, see [it](https://x.org) 🎉 at 10:30, Bob.";

describe("what an agent says", () => {
  const table: [what: string, definition: Partial<AgentDefinition>, read: string][] = [
    ["in words", {}, "It is five dollars, see it at ten thirty, Bob."],
    ["as it is written, where everything is off", { textTransforms: [] }, text],
    ["with figures, in another language", { language: "de" }, "It is $5, see it at 10:30, Bob."],
    [
      "with the agent's pronunciations",
      { pronunciations: { bob: "Bop" } },
      "It is five dollars, see it at ten thirty, Bop.",
    ],
    [
      "with the agent's own transforms",
      { textTransforms: ["markup", (clause) => clause.replace("$5", "cheap")] },
      "It is cheap, see it at 10:30, Bob.",
    ],
  ];
  for (const [what, definition, expected] of table) {
    it(`is read ${what}; the transcript and the history keep what was written`, async () => {
      const { read, shown, history } = await call(text, definition);
      assertEquals(read, expected);
      assertEquals(shown, text);
      assertEquals(history, [text]);
    });
  }

  it("is kept as it was written when it is cut off", async () => {
    const { shown, history: [heard = ""] } = await call(text, {}, { cutAfterMs: 2000 });
    assert(heard.length > 5 && heard.length < text.length && text.startsWith(heard), heard);
    assertEquals(shown, heard);
  });

  it("is spoken without a transform that throws, which the agent is told of", async () => {
    const errors: string[] = [];
    const { read } = await call("Yes, indeed.", {
      textTransforms: [() => {
        throw new Error("no");
      }],
      onError: ({ stage, message }) => void errors.push(`${stage}: ${message}`),
    });
    assertEquals(read, "Yes, indeed.");
    assertEquals(errors, ["agent: no", "agent: no"]);
  });

  it("is transformed by what there is", () => {
    const textTransforms = ["markdown"] as unknown as AgentDefinition["textTransforms"] & [];
    let message = "";
    try {
      defineAgent({ instructions: "x", textTransforms });
    } catch (error) {
      message = String(error);
    }
    assertEquals(
      message,
      'TypeError: defineAgent(): a text transform is "markdown"; expected "markup", "numbers" or a function',
    );
  });
});
