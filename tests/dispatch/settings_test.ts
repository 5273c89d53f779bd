import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type AgentDefinition, defineAgent } from "../../src/agent.ts";
import { checkDefaults, missingKeys, providersFor } from "../../src/dispatch/settings.ts";
import { turnTakingFor } from "../../src/dispatch/turn_taking.ts";
import { createModels, type Models } from "../../src/models.ts";
import type { LanguageModel } from "../../src/llm/llm.ts";
import type { SpeechToText } from "../../src/stt/stt.ts";
import type { TextToSpeech } from "../../src/tts/tts.ts";
import type { VoiceActivityDetector } from "../../src/vad/vad.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog } from "../fakes/log.ts";

const instructions = "Be brief.";
const none = { endpointing: {}, interruption: {}, speculate: true };

/** The numbers and switches of the options, without their functions. */
function plain(agent: Partial<AgentDefinition>, config: Parameters<typeof turnTakingFor>[1] = none) {
  const { endpointing, interruption, consent: _, ...others } = turnTakingFor(
    defineAgent({ instructions, ...agent }),
    config,
  );
  const { words: _words, ...delays } = endpointing;
  const { backchannels: _backchannels, stopWords: _stopWords, ...minimums } = interruption;
  return { endpointing: delays, interruption: minimums, ...others };
}

describe("turnTakingFor", () => {
  it("takes the agent's settings before the configuration's, and those before the defaults", () => {
    assertEquals(plain({}), {
      endpointing: { minDelayMs: 350, maxDelayMs: 3000, dynamic: false },
      interruption: { allowed: true, minDurationMs: 300, minWords: 0, falseAfterMs: 2000 },
      detection: "silence",
      speculate: true,
    });
    const agent: Partial<AgentDefinition> = {
      endpointing: { minDelayMs: 1, mode: "dynamic" },
      interruption: { allowed: false },
      turnDetection: "manual",
    };
    const config = {
      endpointing: { minDelayMs: 2, maxDelayMs: 9 },
      interruption: { minWords: 3 },
      speculate: false,
    };
    assertEquals(plain(agent, config), {
      endpointing: { minDelayMs: 1, maxDelayMs: 9, dynamic: true },
      interruption: { allowed: false, minDurationMs: 300, minWords: 3, falseAfterMs: 2000 },
      detection: "manual",
      speculate: false,
    });
  });

  it("knows what can end a turn", () => {
    const turnDetection = "push" as AgentDefinition["turnDetection"] & string;
    assertThrows(
      () => defineAgent({ instructions, turnDetection }),
      /"push"; expected one of words, silence/,
    );
  });

  it("judges words by the agent's language, and by its own lists in place of the language's", () => {
    const options = (agent: Partial<AgentDefinition>) =>
      turnTakingFor(defineAgent({ instructions, ...agent }), none);
    const judge = (agent: Partial<AgentDefinition>, text: string) => options(agent).endpointing.words?.(text);
    assert((judge({}, "I would like a table and") ?? 1) < 0.5);
    assertEquals(judge({ language: "de-AT" }, "I would like a table and"), undefined);
    assert((judge({ language: "de-AT" }, "ich hätte gern") ?? 1) < 0.5);
    assertEquals(judge({ turnWords: { unfinished: ["over to"] } }, "I would like a table and"), undefined);
    assertEquals(options({ turnDetection: "silence" }).endpointing.words, undefined);

    const { backchannels, stopWords } = options({ turnWords: { backchannels: ["roger"] } }).interruption;
    assert(backchannels?.isAll("Roger!") && !backchannels.isAll("yeah"));
    assert(stopWords?.isIn("stop it"));
    assert(options({ language: "fr" }).interruption.stopWords?.isIn("attends"));
  });

  it("refuses delays that contradict each other", () => {
    const agent = defineAgent({ instructions, endpointing: { minDelayMs: 100 } });
    assertThrows(() => turnTakingFor(agent, { ...none, endpointing: { maxDelayMs: 99 } }), /100–99 ms/);
  });
});

describe("providersFor", () => {
  const asked: unknown[][] = [];
  const stream = () => new ReadableStream<never>();
  const stt: SpeechToText = {
    provider: "fake",
    model: "ears",
    input: { sampleRate: 16000, channels: 1 },
    transcribe: stream,
  };
  const llm: LanguageModel = { provider: "fake", model: "mind", generate: stream };
  const tts: TextToSpeech = {
    provider: "fake",
    model: "mouth",
    output: { sampleRate: 24000, channels: 1 },
    synthesize: stream,
  };
  const vad: VoiceActivityDetector = { model: "fake", input: stt.input, detect: () => new TransformStream() };
  const models: Models = {
    stt: (...given) => (asked.push(["stt", ...given]), stt),
    llm: (...given) => (asked.push(["llm", ...given]), llm),
    tts: (...given) => (asked.push(["tts", ...given]), tts),
    speech: (...given) => (asked.push(["speech", ...given]), { stt, llm, tts }),
  };
  const config = { models: { stt: "a/stt", llm: "a/llm", tts: "a/tts" }, voice: {}, endpointing: {} };

  it("makes the configuration's models for an agent that names none", () => {
    asked.length = 0;
    const providers = providersFor(
      defineAgent({ instructions, language: "de", llm: "b/llm" }),
      config,
      models,
    );
    assertEquals(asked, [["stt", "a/stt", { language: "de" }], ["llm", "b/llm"], ["tts", "a/tts", {
      language: "de",
    }]]);
    assertEquals(providers.vad.model.startsWith("silero"), true);
  });

  it("makes one that hears and speaks in place of the three, and another for its summaries", () => {
    asked.length = 0;
    const model = { model: "b/speaks", voice: "x" };
    const agent = { instructions, language: "de", model, history: { summarize: true } };
    const { summarizer } = providersFor(defineAgent(agent), config, models);
    assertEquals(asked, [["speech", model, { language: "de" }], ["llm", "a/llm"]]);
    assertEquals(summarizer, llm);
  });

  it("makes models with options", () => {
    asked.length = 0;
    const [hears, thinks, speaks] = [
      { model: "b/stt", language: "de" },
      { model: "b/llm", temperature: 0.7 },
      { model: "b/tts", voice: "x" },
    ];
    providersFor(
      defineAgent({ instructions, stt: hears, llm: thinks, tts: speaks, language: "en" }),
      config,
      models,
    );
    assertEquals(asked, [["stt", hears, { language: "en" }], ["llm", thinks], ["tts", speaks, {
      language: "en",
    }]]);
  });

  it("has a recognizer that ends turns wait for the least delay", () => {
    asked.length = 0;
    const agent = defineAgent({ instructions, turnDetection: "stt", endpointing: { minDelayMs: 500 } });
    providersFor(agent, config, models);
    assertEquals(asked[0], ["stt", "a/stt", { endpointingMs: 500 }]);
  });

  it("takes providers of the agent's own, and lists of them", () => {
    asked.length = 0;
    const own = { vad, stt, llm: ["a/llm", llm], tts };
    assertEquals(providersFor(defineAgent({ instructions, ...own }), config, models).vad, vad);
    assertEquals(asked.map(([, choice]) => choice), [stt, ["a/llm", llm], tts]);
  });
});

describe("checkDefaults", () => {
  const models = createModels({ clock: fakeClock(), log: silentLog });
  const good = { stt: "browser/speech", llm: "demo/rules", tts: "flite/slt" };

  it("refuses what is no model, and lets keys be missing", () => {
    checkDefaults(good, models);
    checkDefaults({ ...good, llm: "openai/gpt-4o, demo/rules" }, models);
    assertThrows(() => checkDefaults({ ...good, llm: "nope/x" }, models), /there is no provider "nope"/);
    assertThrows(
      () => checkDefaults({ ...good, tts: "flite/slt, nope" }, models),
      /expected a provider and a model/,
    );
  });
});

describe("missingKeys", () => {
  const models = createModels({
    openai: { apiKey: "k" },
    deepgram: {},
    elevenlabs: {},
    clock: fakeClock(),
    log: silentLog,
  });
  const agents = (definition: Partial<AgentDefinition>) => ({
    plain: defineAgent({ instructions }),
    support: defineAgent({ instructions, ...definition }),
  });

  it("tells of agents whose own models lack a key, and of no others", () => {
    const own = { stt: "deepgram/nova-2", llm: { model: "openai/gpt-4o" }, tts: { model: "elevenlabs/x" } };
    assertEquals(missingKeys(agents(own), models), [
      'The agent "support" cannot be used: DEEPGRAM_API_KEY is not set; STT deepgram/nova-2 needs it; ' +
      "ELEVENLABS_API_KEY is not set; TTS elevenlabs/x needs it.",
    ]);
    assertEquals(missingKeys(agents({ llm: "openai/gpt-4o" }), models), []);
  });

  it("refuses models that there are not", () => {
    for (
      const [own, message] of [
        [
          { llm: "opnai/gpt-4o" },
          /^ConfigError: The agent "support": LLM is "opnai\/gpt-4o": there is no provider/,
        ],
        [
          { tts: { model: "flite/slt", speed: 1 } },
          /^ConfigError: The agent "support": TTS flite\/slt has no option "speed"/,
        ],
      ] as const
    ) {
      assertThrows(() => missingKeys(agents(own), models), message);
    }
  });
});
