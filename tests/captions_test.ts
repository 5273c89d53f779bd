/** What is shown of a reply, and kept of it, against when its words sound: by a voice whose timing is known. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type ReplyResult, startReply } from "../src/reply.ts";
import { memoryRoom } from "../src/room/memory.ts";
import { spokenForm } from "../src/text/spoken_form.ts";
import type { SpeechEvent, TextToSpeech, WordTime } from "../src/tts/tts.ts";
import { fakeClock } from "./fakes/clock.ts";

const text = "Once upon a time there was a king, who lived in an enormous castle by the sea. " +
  "He had seven daughters and a dog. One day a messenger came and told him of extraordinary happenings.";
const format = { sampleRate: 24_000, channels: 1 };
const firstAudioMs = 100;

/** Long words take longer: 45 ms a letter, and 120 ms each. */
const wordMs = (word: string): number => 120 + 45 * word.length;
const words = text.split(" ");
/** When each word sounds, from the first sample. */
const times = words.map((word, i): WordTime => {
  const startMs = words.slice(0, i).reduce((sum, before) => sum + wordMs(before), 0);
  return { text: word, startMs, endMs: startMs + wordMs(word) };
});
const wholeMs = times.at(-1)!.endMs;

/** Speaks clause by clause, telling the times of its words, a mark after each clause, or nothing of either. */
function voice(tells: "words" | "marks" | "nothing", clock: ReturnType<typeof fakeClock>): TextToSpeech {
  async function* speak(clauses: ReadableStream<string>, signal: AbortSignal): AsyncGenerator<SpeechEvent> {
    await clock.sleep(firstAudioMs, { signal });
    let [at, characters] = [0, 0];
    for await (const clause of clauses) {
      const spoken = times.slice(at, at += clause.trim().split(/\s+/).length);
      if (tells === "words") yield { type: "words", words: spoken };
      for (let left = spoken.at(-1)!.endMs - spoken[0]!.startMs; left > 0; left -= 100) {
        const samples = new Int16Array(Math.min(left, 100) * format.sampleRate / 1000).fill(1_000);
        yield { type: "audio", frame: { ...format, samples, timestampMs: 0 } };
      }
      characters += clause.length;
      if (tells === "marks") yield { type: "mark", characters };
    }
  }
  return {
    provider: "timed",
    model: tells,
    output: format,
    synthesize: (clauses, { signal }) => ReadableStream.from(speak(clauses, signal)),
  };
}

/** Says the text twice, and cuts the second time short after `cutMs` of sound; what was shown of that, and when. */
async function say(tells: Parameters<typeof voice>[0], cutMs = Infinity) {
  const clock = fakeClock();
  const { speaker } = memoryRoom({ name: "room", clock });
  const tts = voice(tells, clock);
  const pace = {};
  const begin = (onText: (piece: string) => void, onStart: () => void) =>
    startReply({
      id: "reply",
      words: () => ReadableStream.from(text.split(/(?<= )/)),
      author: "llm",
      spokenForm: spokenForm(),
      tts,
      pace,
      speaker,
      speakerFree: Promise.resolve(),
      clock,
      signal: new AbortController().signal,
      onStart,
      onText,
      onGap: () => {},
    });
  const first = begin(() => {}, () => {});
  await clock.advance(wholeMs + 1_000);
  await first.done;

  const shown: { piece: string; atMs: number }[] = [];
  let startedMs = 0;
  const reply = begin(
    (piece) => shown.push({ piece, atMs: clock.now() - startedMs }),
    () => startedMs = clock.now(),
  );
  const result = Promise.withResolvers<ReplyResult>();
  void reply.done.then(result.resolve);
  await clock.advance(firstAudioMs + Math.min(cutMs, wholeMs + 500));
  reply.abort();
  await clock.advance(500);
  assertEquals(clock.pending, 0);
  return { shown, result: await result.promise };
}

/** When each word was shown whole. */
function shownTimes(shown: readonly { piece: string; atMs: number }[]): number[] {
  const at: number[] = [];
  let whole = "";
  for (const { piece, atMs } of shown) {
    whole += piece;
    const count = whole.trim().split(/\s+/).length;
    while (at.length < count) at.push(atMs);
  }
  return at;
}

describe("the words of a reply", () => {
  for (const tells of ["words", "marks", "nothing"] as const) {
    it(`appear when they sound, ± 300 ms, and all of them in the end: a voice that tells ${tells}`, async () => {
      const { shown, result } = await say(tells);
      assertEquals(shown.map(({ piece }) => piece).join(""), text);
      assertEquals([result.text, result.interrupted], [text, false]);
      if (tells === "nothing") return; // its speed is not known: only in proportion to what it has delivered
      for (const [i, atMs] of shownTimes(shown).entries()) {
        const { startMs, endMs, text: word } = times[i]!;
        assert(
          atMs >= startMs - 300 && atMs <= endMs + 300,
          `"${word}" sounds at ${startMs}–${endMs} ms, and is shown at ${atMs}`,
        );
      }
    });

    it(`are kept as far as they were heard and shown, no further: a voice that tells ${tells}`, async () => {
      for (let cutMs = 50; cutMs < wholeMs; cutMs += 487) {
        const { shown, result } = await say(tells, cutMs);
        assertEquals(shown.map(({ piece }) => piece).join(""), result.text);
        assert(text.startsWith(result.text) && result.interrupted);
        const kept = result.text === "" ? 0 : result.text.trim().split(/\s+/).length;
        const heard = times.filter(({ startMs, endMs }) => (startMs + endMs) / 2 <= cutMs).length;
        const keptMs = times[kept - 1]?.endMs ?? 0;
        if (tells === "words") {
          assert(Math.abs(kept - heard) <= 1, `${kept} of ${heard} words at ${cutMs} ms`);
        } else {
          // One word, or a tenth of the audio.
          const offMs = Math.abs(keptMs - cutMs);
          const allowedMs = Math.max(0.1 * wholeMs, wordMs(words[kept] ?? ""));
          assert(offMs <= allowedMs, `${keptMs} of ${cutMs} ms kept`);
        }
      }
    });
  }
});
