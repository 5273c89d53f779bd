import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { Usage } from "../../src/events.ts";
import type { LanguageEvent, LanguageModel } from "../../src/llm/llm.ts";
import type { SpeechToText } from "../../src/stt/stt.ts";
import { meteredLanguageModel, meteredSpeechToText, meteredTextToSpeech } from "../../src/telemetry/usage.ts";
import type { SpeechEvent, TextToSpeech } from "../../src/tts/tts.ts";
import type { VoiceEvent } from "../../src/vad/vad.ts";
import { fakeClock } from "../fakes/clock.ts";

const { settle } = fakeClock();

/** What is told of usage, in order. */
function meter() {
  const told: Usage[] = [];
  return { told, onUsage: (usage: Usage) => void told.push(usage) };
}

const frame = (ms: number, sampleRate = 16_000) => ({
  samples: new Int16Array(ms * sampleRate / 1000),
  sampleRate,
  channels: 1,
  timestampMs: 0,
});
const voice = (frames: number): VoiceEvent[] =>
  Array.from({ length: frames }, () => ({ type: "audio", frame: frame(20), speech: false }));

/** A recognizer that reads all there is, and says nothing. */
const listener: SpeechToText = {
  provider: "listener",
  model: "ear",
  input: { sampleRate: 16_000, channels: 1 },
  transcribe: (voice, { signal }) => voice.pipeThrough(new TransformStream({ transform() {} }), { signal }),
};

describe("what a recognizer uses", () => {
  it("is told every 10 s of audio, and what is left at the end", async () => {
    const { told, onUsage } = meter();
    const stt = meteredSpeechToText(listener, onUsage);
    const { signal } = new AbortController();
    await Array.fromAsync(stt.transcribe(ReadableStream.from(voice(1_100)), { signal }));
    const usage = { stage: "stt", provider: "listener", model: "ear" } as const;
    assertEquals(told, [10_000, 10_000, 2_000].map((audioMs) => ({ ...usage, audioMs })));
  });

  it("is told when it is cut off, once, and of nothing when there was nothing", async () => {
    const { told, onUsage } = meter();
    const stt = meteredSpeechToText(listener, onUsage);
    const cut = new AbortController();
    const speaking = new TransformStream<VoiceEvent, VoiceEvent>();
    const reading = Array.fromAsync(stt.transcribe(speaking.readable, { signal: cut.signal }));
    const failed = assertRejects(() => reading);
    const writer = speaking.writable.getWriter();
    for (const event of voice(5)) await writer.write(event);
    await settle();
    cut.abort();
    assertEquals(told.map((usage) => usage.stage === "stt" && usage.audioMs), [100]);
    await failed;
    const second = stt.transcribe(ReadableStream.from<VoiceEvent>([]), {
      signal: new AbortController().signal,
    });
    await Array.fromAsync(second);
    assertEquals(told.length, 1);
  });

  it("is what the recognizer says it sent, where it sends other than it takes", async () => {
    const { told, onUsage } = meter();
    const sparing: SpeechToText = {
      ...listener,
      countsSent: true,
      transcribe(voice, { signal, onSent }) {
        onSent?.(10_500);
        onSent?.(700);
        return listener.transcribe(voice, { signal });
      },
    };
    const { signal } = new AbortController();
    const stt = meteredSpeechToText(sparing, onUsage);
    await Array.fromAsync(stt.transcribe(ReadableStream.from(voice(100)), { signal }));
    assertEquals(told.map((usage) => usage.stage === "stt" && usage.audioMs), [10_500, 700]);
  });

  it("is nothing where the words come from elsewhere", () => {
    const elsewhere: SpeechToText = { ...listener, elsewhere: true };
    assertEquals(meteredSpeechToText(elsewhere, () => {}), elsewhere);
  });

  it("is read no sooner than the recognizer reads", async () => {
    let pulled = 0;
    const source = new ReadableStream<VoiceEvent>({
      pull(controller) {
        pulled++;
        controller.enqueue(voice(1)[0]!);
      },
    }, { highWaterMark: 0 });
    const lazy: SpeechToText = {
      ...listener,
      transcribe: (voice) => voice as ReadableStream<never>,
    };
    const out = meteredSpeechToText(lazy, () => {}).transcribe(source, {
      signal: new AbortController().signal,
    });
    await settle();
    assertEquals(pulled, 0);
    const reader = out.getReader();
    await reader.read();
    await settle();
    assertEquals(pulled, 1);
    await reader.cancel();
  });
});

const usage = { inputTokens: 12, outputTokens: 3 };
const words: LanguageEvent[] = [{ type: "text", text: "Hi" }, { type: "finish", reason: "stop", usage }];

function model(events: () => ReadableStream<LanguageEvent>): LanguageModel {
  return { provider: "thinker", model: "brain", generate: events };
}

describe("what a language model uses", () => {
  const of = { stage: "llm", provider: "thinker", model: "brain" } as const;
  const uncounted = { ...of, inputTokens: 0, outputTokens: 0, uncounted: true };
  const generate = (llm: LanguageModel, signal = new AbortController().signal) =>
    llm.generate({ messages: [] }, { signal });

  it("is what the provider says of each answer", async () => {
    const { told, onUsage } = meter();
    const llm = meteredLanguageModel(model(() => ReadableStream.from(words)), onUsage);
    assertEquals(await Array.fromAsync(generate(llm)), words);
    await Array.fromAsync(generate(llm));
    assertEquals(told, [{ ...of, ...usage }, { ...of, ...usage }]);
  });

  const estimated = { inputTokens: 0, outputTokens: 1 };
  const broken = (text: string) =>
    async function* (): AsyncGenerator<LanguageEvent> {
      if (text !== "") yield { type: "text", text };
      throw new Error("no");
    };
  const unfinished: [what: string, events: () => ReadableStream<LanguageEvent>, estimate: object][] = [
    [
      "ends without a count",
      () => ReadableStream.from<LanguageEvent>([words[0]!, { type: "finish", reason: "stop" }]),
      { estimated },
    ],
    ["fails without a word", () => ReadableStream.from(broken("")()), {}],
    ["fails after a word", () => ReadableStream.from(broken("Hi")()), { estimated }],
  ];
  for (const [what, events, estimate] of unfinished) {
    it(`is uncounted when the answer ${what}: the request counts`, async () => {
      const { told, onUsage } = meter();
      const llm = meteredLanguageModel(model(events), onUsage);
      await Array.fromAsync(generate(llm)).catch(() => {});
      assertEquals(told, [{ ...uncounted, ...estimate }]);
    });
  }

  it("is estimated when the answer is cut off, by its signal or by its reader", async () => {
    const { told, onUsage } = meter();
    const endless = () => new ReadableStream<LanguageEvent>({ pull: (c) => c.enqueue(words[0]!) });
    const llm = meteredLanguageModel(model(endless), onUsage);
    const cut = new AbortController();
    const first = generate(llm, cut.signal).getReader();
    await first.read();
    cut.abort();
    assertEquals(told, [{ ...uncounted, estimated }]);
    await first.cancel();
    const second = generate(llm).getReader();
    await second.read();
    await second.cancel();
    assertEquals(told, [{ ...uncounted, estimated }, { ...uncounted, estimated }]);
  });
});

/** A voice that makes 100 ms of each clause, and then fails if it is told to. */
function voiceOf({ fails = false } = {}): TextToSpeech {
  return {
    provider: "speaker",
    model: "mouth",
    output: { sampleRate: 24_000, channels: 1 },
    synthesize: (text) =>
      text.pipeThrough(
        new TransformStream<string, SpeechEvent>({
          transform(_clause, controller) {
            controller.enqueue({ type: "audio", frame: frame(100, 24_000) });
            if (fails) controller.error(new Error("no"));
          },
        }),
      ),
  };
}

describe("what a voice uses", () => {
  const of = { stage: "tts", provider: "speaker", model: "mouth" } as const;
  const say = (tts: TextToSpeech, ...clauses: string[]) =>
    Array.fromAsync(tts.synthesize(ReadableStream.from(clauses), { signal: new AbortController().signal }));

  it("is the text that was sent and the audio that came, for each reply", async () => {
    const { told, onUsage } = meter();
    const tts = meteredTextToSpeech(voiceOf(), onUsage);
    assertEquals((await say(tts, "Hello, ", "Ada.")).length, 2);
    await say(tts, "Bye.");
    await say(tts);
    assertEquals(told, [{ ...of, characters: 11, audioMs: 200 }, { ...of, characters: 4, audioMs: 100 }]);
  });

  it("is told of a reply that fails or is cut off, as far as it came", async () => {
    const { told, onUsage } = meter();
    await say(meteredTextToSpeech(voiceOf({ fails: true }), onUsage), "Hello.").catch(() => {});
    assertEquals(told.map(({ stage }) => stage), ["tts"]);
    const cut = new AbortController();
    const text = new TransformStream<string, string>();
    const tts = meteredTextToSpeech(voiceOf(), onUsage);
    const reader = tts.synthesize(text.readable, { signal: cut.signal }).getReader();
    await Promise.all([text.writable.getWriter().write("Once upon"), reader.read()]);
    cut.abort();
    assertEquals(told.at(-1), { ...of, characters: 9, audioMs: 100 });
    await reader.cancel();
    assertEquals(told.length, 2);
  });

  it("is counted on a connection that is kept, too", async () => {
    const { told, onUsage } = meter();
    const kept: TextToSpeech = { ...voiceOf(), connect: () => voiceOf() };
    const tts = meteredTextToSpeech(kept, onUsage);
    await say(tts.connect!({ signal: new AbortController().signal }), "Hello.");
    assertEquals(told, [{ ...of, characters: 6, audioMs: 100 }]);
    assertEquals(meteredTextToSpeech(voiceOf(), onUsage).connect, undefined);
  });
});
