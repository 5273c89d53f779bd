import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type AgentDefinition, defineAgent } from "../../src/agent.ts";
import { type PageAgent, pageAgents } from "../../src/dispatch/page_agents.ts";
import { demoLanguageModel } from "../../src/llm/demo.ts";
import { createModels } from "../../src/models.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog as log } from "../fakes/log.ts";

const clock = fakeClock();
const models = createModels({ openai: { apiKey: "set" }, deepgram: {}, elevenlabs: {}, clock, log });
const names = { stt: "browser/speech", llm: "openai/gpt-4o-mini", tts: "flite/slt" };

function shown(definition: Partial<AgentDefinition>): PageAgent | undefined {
  return pageAgents({ one: defineAgent({ instructions: "Be brief.", ...definition }) }, { models, names })[0];
}

const modelsOf = (definition: Partial<AgentDefinition>) =>
  shown(definition)?.stages.map(({ model }) => model).slice(0, 2);

describe("agents on the page", () => {
  const described: [what: string, definition: Partial<AgentDefinition>, description: string][] = [
    ["what is said of it", { description: "Sells." }, "Sells."],
    [
      "the first sentence it is told",
      { instructions: "You sell at 1.50 a piece. Be kind." },
      "You sell at 1.50 a piece.",
    ],
    ["all of it, where there is no sentence", { instructions: "Sell things" }, "Sell things"],
    ["the beginning of a long one", { instructions: "x".repeat(200) }, `${"x".repeat(160)}…`],
  ];
  for (const [what, definition, description] of described) {
    it(`are described by ${what}`, () => assertEquals(shown(definition)?.description, description));
  }

  it("are told to be unusable where their keys are missing", () => {
    assertEquals(
      shown({ llm: "openai/gpt-4o", tts: "elevenlabs/x" })?.unusable,
      'The agent "one" cannot be used: ELEVENLABS_API_KEY is not set; TTS elevenlabs/x needs it.',
    );
    assertEquals(shown({}) && "unusable" in shown({})!, false);
  });

  it("are made of their own models, or of the configuration's", () => {
    const recognition = "your browser's own speech recognition, where it has one";
    assertEquals(modelsOf({}), [recognition, "openai/gpt-4o-mini"]);
    const llm = { ...demoLanguageModel({ clock }), provider: "own", model: "mind" };
    assertEquals(modelsOf({ stt: { model: "openai/whisper-1" }, llm }), ["openai/whisper-1", "own/mind"]);
    assertEquals(
      modelsOf({ llm: ["openai/gpt-4o", { model: "openai/gpt-4o-mini" }] })?.[1],
      "openai/gpt-4o, openai/gpt-4o-mini",
    );
    assertEquals(
      modelsOf({ llm: { race: ["openai/gpt-4o", "demo/rules"] } })?.[1],
      "openai/gpt-4o|demo/rules",
    );
  });

  it("hear, see and wait for a key as they are defined", () => {
    const facts = (definition: Partial<AgentDefinition>) => {
      const { recognizer, sees, pushToTalk } = shown(definition) ?? {};
      return { recognizer, sees, pushToTalk };
    };
    assertEquals(facts({}), { recognizer: "page", sees: false, pushToTalk: false });
    assertEquals(facts({ stt: "openai/whisper-1", autoSubscribe: "all", turnDetection: "manual" }), {
      recognizer: "server",
      sees: true,
      pushToTalk: true,
    });
  });
});
