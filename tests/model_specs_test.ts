import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type AgentDefinition, defineAgent } from "../src/agent.ts";
import type { LanguageModel } from "../src/llm/llm.ts";
import { openaiRealtime } from "../src/realtime/openai.ts";

const instructions = "Be brief.";

describe("an agent's models", () => {
  it("are strings, models with options, or objects of the author's own", () => {
    const own: LanguageModel = { provider: "mine", model: "m", generate: () => new ReadableStream() };
    const definitions: Partial<AgentDefinition>[] = [
      {},
      { stt: "deepgram/nova-3:en", llm: "openai/meta/llama:free", tts: "flite/slt" },
      {
        stt: {
          model: "deepgram/flux-general-en",
          language: "en",
          endOfTurnThreshold: 1,
          endOfTurnTimeoutMs: 500,
        },
        llm: { model: "openai/gpt-4o", temperature: 0, maxTokens: 1 },
        tts: { model: "elevenlabs/eleven_turbo_v2", voice: "abc", language: "en", speed: 0.7, stability: 0 },
      },
      { llm: "openai/gpt-4o|anthropic/claude-haiku-4-5" },
      {
        llm: [{ race: [own, "openai/gpt-4o", { model: "openai/gpt-4o-mini" }], afterMs: 800 }, "demo/rules"],
      },
      { llm: own, tts: { model: "openai/tts", instructions: "calm" } },
      { model: "openai-realtime/gpt-realtime:marin" },
      {
        model: {
          model: "openai-realtime/gpt-realtime",
          voice: "cedar",
          speed: 1.1,
          transcription: "whisper-1",
        },
      },
      { model: openaiRealtime({ apiKey: "key", model: "gpt-realtime" }) },
    ];
    for (const definition of definitions) {
      const given = { instructions, ...definition };
      assertEquals(defineAgent(given) === given, true);
    }
  });

  const wrong: Record<string, [definition: unknown, message: string]> = {
    "no provider": [
      { stt: "nova-3" },
      '`stt` is "nova-3"; expected a provider and a model, such as deepgram/nova-3',
    ],
    "no model": [
      { tts: { voice: "abc" } },
      "`tts.model` is undefined; expected a provider and a model, such as elevenlabs/eleven_turbo_v2",
    ],
    "an option that is none": [
      { llm: { model: "openai/gpt-4o", temprature: 0.7 } },
      "`llm` has no option temprature; expected some of model, temperature, maxTokens",
    ],
    "a temperature that is too high": [
      { llm: { model: "openai/gpt-4o", temperature: 3 } },
      "`llm.temperature` is 3; expected a number from 0 to 2",
    ],
    "a model that speaks beside others": [
      { model: "openai-realtime/gpt-realtime", tts: "flite/slt" },
      "`tts` is there beside `model`, which takes its place; expected one of them",
    ],
    "several models that speak": [
      { model: ["openai-realtime/gpt-realtime"] },
      "`model` is a list; expected one model, since nothing can stand in for it in a call",
    ],
    "a model that speaks too fast": [
      { model: { model: "openai-realtime/gpt-realtime", speed: 3 } },
      "`model.speed` is 3; expected a number from 0.25 to 1.5",
    ],
    "a model that speaks with several people": [
      { model: "openai-realtime/gpt-realtime", participants: "all" },
      '`model` hears one voice, and participants is "all"; expected "linked", or stt, llm and tts',
    ],
    "a temperature in words": [
      { llm: { model: "openai/gpt-4o", temperature: "high" } },
      '`llm.temperature` is "high"; expected a number from 0 to 2',
    ],
    "half a token": [
      { llm: { model: "openai/gpt-4o", maxTokens: 0.5 } },
      "`llm.maxTokens` is 0.5; expected a whole number from 1",
    ],
    "a race of one": [
      { llm: { race: ["openai/gpt-4o"] } },
      '`llm.race` is ["openai/gpt-4o"]; expected two models at least',
    ],
    "a race that is no list": [
      { llm: { race: "openai/gpt-4o" } },
      '`llm.race` is "openai/gpt-4o"; expected a list of models',
    ],
    "a model of a race": [
      { llm: [{ race: ["openai/gpt-4o", { model: "openai/gpt-4o-mini", temperature: 3 }] }] },
      "`llm[0].race[1].temperature` is 3; expected a number from 0 to 2",
    ],
    "an option of a race": [
      { llm: { race: ["openai/gpt-4o", "demo/rules"], after: 3 } },
      "`llm` has no option after; expected some of race, afterMs",
    ],
    "an empty voice": [
      { tts: { model: "elevenlabs/x", voice: " " } },
      '`tts.voice` is " "; expected a voice\'s id or name',
    ],
    "a number": [
      { llm: 4 },
      "`llm` is number; expected a model string, a model with options, or an object with generate()",
    ],
  };
  for (const [name, [definition, message]] of Object.entries(wrong)) {
    it(`are refused in words: ${name}`, () => {
      const given = { instructions, ...definition as Partial<AgentDefinition> };
      let error: unknown;
      try {
        defineAgent(given);
      } catch (thrown) {
        error = thrown;
      }
      assertEquals(String(error), `TypeError: defineAgent(): ${message}`);
    });
  }
});
