import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { ConfigError } from "../src/errors.ts";
import type { LanguageModel } from "../src/llm/llm.ts";
import { createModels } from "../src/models.ts";
import { fakeClock } from "./fakes/clock.ts";
import { silentLog } from "./fakes/log.ts";
import { ask, finish, hangs, played, words } from "./llm/played.ts";

const common = { clock: fakeClock(), log: silentLog };
const keys = {
  openai: { apiKey: "secret-1" },
  deepgram: { apiKey: "secret-2" },
  elevenlabs: { apiKey: "secret-3" },
  cartesia: { apiKey: "secret-4" },
  assemblyai: { apiKey: "secret-5" },
};
const models = createModels({ ...common, ...keys });
const bare = createModels(common);

describe("model strings", () => {
  it("make providers", () => {
    const { provider, model, input } = models.stt("deepgram/nova-3:de");
    assertEquals([provider, model, input.sampleRate], ["deepgram", "nova-3", 16_000]);
    const scribe = models.stt("elevenlabs/scribe_v2_realtime:de");
    assertEquals([scribe.provider, scribe.model], ["elevenlabs", "scribe_v2_realtime"]);
    const voice = models.tts("deepgram/aura-2-thalia-en");
    assertEquals([voice.provider, voice.model, voice.output.sampleRate], [
      "deepgram",
      "aura-2-thalia-en",
      24_000,
    ]);
    const llm = models.llm("openai/meta-llama/llama-4:free");
    assertEquals([llm.provider, llm.model], ["openai", "meta-llama/llama-4:free"]);
  });

  it("make providers of OpenAI's for all three", () => {
    const made = [
      models.stt("openai/whisper-1:de"),
      models.stt("openai/gpt-4o-transcribe"),
      models.stt("openai/gpt-live-transcribe"),
      models.stt({ model: "openai/gpt-transcribe", realtime: true, language: "en" }),
      models.tts("openai/gpt-4o-mini-tts:coral"),
    ];
    assertEquals(made.map(({ provider, model }) => `${provider}/${model}`), [
      "openai/whisper-1",
      "openai/gpt-4o-transcribe",
      "openai/gpt-live-transcribe",
      "openai/gpt-transcribe",
      "openai/gpt-4o-mini-tts",
    ]);
  });

  it("make models that hear and speak, each session its own", () => {
    const { stt, llm, tts } = models.speech("openai-realtime/gpt-realtime:cedar", { language: "de" });
    assertEquals([stt.provider, stt.model, stt.input.sampleRate], ["openai", "gpt-transcribe", 16_000]);
    assertEquals([llm.provider, llm.model, llm.hearsVoice], ["openai-realtime", "gpt-realtime", true]);
    assertEquals([tts.model, tts.output.sampleRate, tts.verbatim], ["gpt-realtime", 24_000, true]);
    assertEquals(
      models.speech({ model: "openai-realtime/x", transcription: "whisper-1" }).stt.model,
      "whisper-1",
    );
  });

  it("make providers with options", () => {
    const made = [
      models.stt({ model: "deepgram/nova-2", language: "en" }),
      models.stt({
        model: "deepgram/flux-general-en",
        eagerEndOfTurnThreshold: 0.4,
        endOfTurnTimeoutMs: 3_000,
      }),
      models.stt({ model: "assemblyai/universal-streaming", endOfTurnThreshold: 0.5 }),
      models.llm({ model: "openai/gpt-4o", temperature: 0.7, maxTokens: 100 }),
      models.tts({ model: "elevenlabs/eleven_turbo_v2", voice: "abc", speed: 1.1 }),
      models.tts("elevenlabs/eleven_turbo_v2:abc", { language: "en" }),
      models.tts({ model: "cartesia/sonic-3:abc", speed: 0.6, volume: 2, emotion: "calm" }),
      models.tts({ model: "openai/gpt-4o-mini-tts", voice: "coral", instructions: "calm" }),
    ];
    assertEquals(made.map(({ provider, model }) => `${provider}/${model}`), [
      "deepgram/nova-2",
      "deepgram/flux-general-en",
      "assemblyai/universal-streaming",
      "openai/gpt-4o",
      "elevenlabs/eleven_turbo_v2",
      "elevenlabs/eleven_turbo_v2",
      "cartesia/sonic-3",
      "openai/gpt-4o-mini-tts",
    ]);
  });

  it("make language models by all who have them", () => {
    const account = { apiKey: "secret-4", baseUrl: "http://127.0.0.1:1/v1" };
    const all = createModels({
      ...common,
      openai: account,
      anthropic: account,
      google: account,
      compatible: account,
    });
    const names = [
      "openai-responses/gpt-4.1",
      "anthropic/claude-haiku-4-5",
      "google/gemini-2.5-flash",
      "compatible/a/b:c",
    ];
    const made = names.map((model) => all.llm({ model, temperature: 0.5, maxTokens: 9 }));
    assertEquals(made.map(({ provider, model }) => `${provider}/${model}`), [
      "openai/gpt-4.1",
      ...names.slice(1),
    ]);
  });

  it("make one of several, parted by commas or in a list", () => {
    const members: string[] = [];
    const note = <T extends { provider: string; model: string }>(member: T): T => {
      members.push(`${member.provider}/${member.model}`);
      return member;
    };
    models.stt("deepgram/nova-3, openai/whisper-1").each?.(note);
    models.llm(["openai/gpt-4o", { model: "demo/rules" }]).each?.(note);
    models.tts(["elevenlabs/eleven_turbo_v2_5", "deepgram/aura-2-thalia-en"]).each?.(note);
    assertEquals(members, [
      "deepgram/nova-3",
      "openai/whisper-1",
      "openai/gpt-4o",
      "demo/rules",
      "elevenlabs/eleven_turbo_v2_5",
      "deepgram/aura-2-thalia-en",
    ]);
    const llm = bare.llm("demo/rules");
    assertEquals(bare.llm(llm), llm, "an object of one's own is taken as it is");
  });

  it("make language models race, by bars or in a race, alone or in a list", async () => {
    const racers = (choice: Parameters<typeof models.llm>[0]) => {
      const members: string[] = [];
      const note = (member: LanguageModel): LanguageModel => {
        if (member.each) return member.each(note);
        members.push(`${member.provider}/${member.model}`);
        return member;
      };
      models.llm(choice).each?.(note);
      return members;
    };
    assertEquals(racers("openai/gpt-4o | openai/gpt-4o-mini, demo/rules"), [
      "openai/gpt-4o",
      "openai/gpt-4o-mini",
      "demo/rules",
    ]);
    const { clock } = common;
    const first = played("first", clock, [hangs]);
    const second = played("second", clock, [...words("No, never."), finish]);
    const race = models.llm([{ race: [first, { model: "openai/gpt-4o", temperature: 0 }] }, "demo/rules"]);
    assertEquals([race.provider, race.model], ["played", "first"]);
    const { said, ms } = await ask(models.llm({ race: [first, second], afterMs: 400 }), clock);
    assertEquals([said, ms < 500, first.requests.length], ["No, never.", true, 1]);
  });

  it("make what needs no key without one", () => {
    const made = [
      bare.stt("local/onnx-community/whisper-base"),
      bare.llm("demo/rules"),
      bare.tts("flite/slt"),
    ];
    assertEquals(made.map(({ provider, model }) => `${provider}/${model}`), [
      "local/onnx-community/whisper-base",
      "demo/rules",
      "flite/slt",
    ]);
  });

  const wrong: Record<string, { make: () => unknown; words: readonly string[] }> = {
    "an unknown provider": {
      make: () => models.llm("opnai/gpt"),
      words: ['LLM is "opnai/gpt"', 'no provider "opnai"', "expected one of", "openai"],
    },
    "a provider of another kind": {
      make: () => models.llm("deepgram/x"),
      words: ['"deepgram"', "expected one of"],
    },
    "no provider": {
      make: () => models.stt("nova-3"),
      words: ['STT is "nova-3"', "such as deepgram/nova-3"],
    },
    "no model": { make: () => models.tts("deepgram/"), words: ['TTS is "deepgram/"', "such as"] },
    "a name of objects": {
      make: () => models.stt("constructor/x"),
      words: ['"constructor"', "expected one of"],
    },
    "a voice that is none": { make: () => bare.tts("flite/sonia"), words: ['"sonia"', "expected slt"] },
    "a key missing for responses": {
      make: () => bare.llm("openai-responses/gpt-4.1"),
      words: ["OPENAI_API_KEY is not set", "LLM openai-responses/gpt-4.1"],
    },
    "a server that is not said": {
      make: () => createModels({ ...common, compatible: { apiKey: "secret-4" } }).llm("compatible/x"),
      words: ["COMPATIBLE_BASE_URL is not set", "LLM compatible/x"],
    },
    "a key missing for a voice": {
      make: () => bare.tts("openai/gpt-4o-mini-tts"),
      words: ["OPENAI_API_KEY is not set", "TTS openai/gpt-4o-mini-tts"],
    },
    "an option that is none of the model's": {
      make: () => models.tts({ model: "deepgram/aura-2-thalia-en", voice: "x" }),
      words: ['TTS deepgram/aura-2-thalia-en has no option "voice"', "expected one of language"],
    },
    "a speed that the voice does not have": {
      make: () => models.tts({ model: "elevenlabs/eleven_turbo_v2", speed: 1.4 }),
      words: ["TTS elevenlabs/eleven_turbo_v2: speed is 1.4", "expected a number from 0.7 to 1.2"],
    },
    "an option of another model of the provider's": {
      make: () => models.stt({ model: "deepgram/nova-3", endOfTurnThreshold: 0.8 }),
      words: ['STT deepgram/nova-3 has no option "endOfTurnThreshold"', "expected one of language"],
    },
    "a recognizer that is always live": {
      make: () => models.stt({ model: "deepgram/nova-3", realtime: true }),
      words: ['STT deepgram/nova-3 has no option "realtime"', "expected one of language"],
    },
    "a voice without a key": {
      make: () => bare.tts({ model: "elevenlabs/eleven_turbo_v2", voice: "x" }),
      words: ["ELEVENLABS_API_KEY is not set", "TTS elevenlabs/eleven_turbo_v2"],
    },
    "a missing key": {
      make: () => bare.stt("deepgram/nova-3"),
      words: ["DEEPGRAM_API_KEY is not set", "STT deepgram/nova-3"],
    },
    "another missing key": {
      make: () => bare.llm("openai/gpt-4o-mini"),
      words: ["OPENAI_API_KEY is not set", "LLM openai/gpt-4o-mini"],
    },
  };
  for (const [name, { make, words }] of Object.entries(wrong)) {
    it(`are refused in words: ${name}`, () => {
      let error: unknown;
      try {
        make();
      } catch (thrown) {
        error = thrown;
      }
      assert(error instanceof ConfigError);
      for (const word of words) assert(error.message.includes(word), `${word} in: ${error.message}`);
      assert(!error.message.includes("secret"));
    });
  }
});
