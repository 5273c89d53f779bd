import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { Clock } from "../../src/clock.ts";
import { StageError } from "../../src/errors.ts";
import { fallbackTextToSpeech } from "../../src/tts/fallback.ts";
import type { SpeechEvent, TextToSpeech } from "../../src/tts/tts.ts";
import { fakeClock } from "../fakes/clock.ts";

const output = { sampleRate: 24_000, channels: 1 };
/** How long each word sounds, and how long it takes to come. */
const wordMs = 100;
const paceMs = 10;

interface PlayedOptions {
  /** After so many words of a reply it fails, or is silent for ever. */
  readonly failsAfter?: number;
  readonly hangsAfter?: number;
  /** It tells when each word sounds; else it marks the end of each clause. */
  readonly times?: boolean;
}

interface Played extends TextToSpeech {
  /** The text of each reply that it was given. */
  readonly given: string[];
  connections: number;
  open: number;
}

/** A voice whose samples are the number of the word in the reply that it was given, from 1. */
function played(
  model: string,
  clock: Clock,
  { failsAfter, hangsAfter, times = false }: PlayedOptions = {},
): Played {
  async function* speak(text: ReadableStream<string>, signal: AbortSignal): AsyncGenerator<SpeechEvent> {
    const n = self.given.push("") - 1;
    let words = 0;
    let characters = 0;
    self.open++;
    try {
      for await (const clause of text) {
        self.given[n] += clause;
        characters += clause.length;
        for (const word of clause.match(/\S+/g) ?? []) {
          if (words === failsAfter) throw new StageError("tts", `${model} failed`, { retryable: true });
          await clock.sleep(words === hangsAfter ? 1e9 : paceMs, { signal });
          const startMs = words++ * wordMs;
          if (times) yield { type: "words", words: [{ text: word, startMs, endMs: startMs + wordMs }] };
          const samples = new Int16Array(wordMs * 24).fill(words);
          yield { type: "audio", frame: { ...output, samples, timestampMs: startMs } };
        }
        if (!times) yield { type: "mark", characters };
      }
    } finally {
      self.open--;
    }
  }
  const self: Played = {
    provider: "played",
    model,
    output,
    given: [],
    connections: 0,
    open: 0,
    synthesize: (text, { signal }) => ReadableStream.from(speak(text, signal)),
    connect() {
      self.connections++;
      return self;
    },
  };
  return self;
}

/** Has it speak `clauses`, `gapMs` apart, read by somebody who may be slow. */
async function say(
  voice: TextToSpeech,
  clock: ReturnType<typeof fakeClock>,
  clauses: readonly string[],
  { gapMs = 0, readMs = 0 }: { gapMs?: number; readMs?: number } = {},
) {
  const events: SpeechEvent[] = [];
  let failure: unknown;
  let over = false;
  const { signal } = new AbortController();
  const text = ReadableStream.from((async function* () {
    for (const [i, clause] of clauses.entries()) {
      if (i > 0) await clock.sleep(gapMs);
      yield clause;
    }
  })());
  const beganMs = clock.now();
  const read = (async () => {
    try {
      for await (const event of voice.synthesize(text, { signal })) {
        events.push(event);
        if (readMs > 0) await clock.sleep(readMs);
      }
    } catch (error) {
      failure = error;
    }
    over = true;
  })();
  while (!over) await clock.advance(10);
  await read;
  const audio = events.filter((event) => event.type === "audio");
  return {
    words: audio.map(({ frame }) => frame.samples[0]),
    events,
    failure,
    ms: clock.now() - beganMs,
  };
}

const clauses = ["One two three, ", "four five six. "];

describe("voices that stand in for each other", () => {
  for (const times of [true, false]) {
    const how = times ? "word times" : "marks";
    const rows: readonly [what: string, options: PlayedOptions, given: string, withinMs: number][] = [
      ["fails before its first sound", { failsAfter: 0 }, "One two three, four five six. ", 200],
      ["is silent", { hangsAfter: 0 }, "One two three, four five six. ", 3_200],
      ["fails between clauses", { failsAfter: 3 }, " four five six. ", 200],
      ["fails in the middle", { failsAfter: 4 }, " five six. ", 200],
      ["gets stuck in the middle", { hangsAfter: 4 }, " five six. ", 2_800],
    ];
    for (const [what, options, given, withinMs] of rows) {
      it(`has the next speak what is left when the first ${what}, told by ${how}`, async () => {
        const clock = fakeClock();
        const first = played("first", clock, { ...options, times });
        const second = played("second", clock, { times });
        const told: string[] = [];
        const onFallback = (error: StageError) => void told.push(error.message);
        const voice = fallbackTextToSpeech([first, second], { clock, onFallback });
        const { words, events, failure, ms } = await say(voice, clock, clauses);
        assertEquals(failure, undefined);
        assertEquals(second.given, [given]);
        assertEquals(words.length, 6, "each word sounds once");
        assert(ms <= withinMs, `it took ${ms} ms`);
        assertEquals(told.length, 1);
        const lastWord = events.filter((event) => event.type === "words").at(-1)?.words[0];
        if (times) assertEquals(lastWord, { text: "six.", startMs: 500, endMs: 600 });
        const lastMark = events.findLast((event) => event.type === "mark");
        if (!times) assertEquals(lastMark?.characters, clauses.join("").length);
        assertEquals([first.open, second.open, clock.pending], [0, 0, 0]);
      });
    }

    it(`waits for who writes the text, and for who listens, told by ${how}`, async () => {
      const clock = fakeClock();
      const first = played("first", clock, { times });
      const second = played("second", clock);
      const voice = fallbackTextToSpeech([first, second], { clock });
      assertEquals((await say(voice, clock, clauses, { gapMs: 10_000 })).words.length, 6);
      assertEquals((await say(voice, clock, clauses, { readMs: 5_000 })).words.length, 6);
      assertEquals(second.given, []);
    });
  }

  it("tries the same voice again", async () => {
    const clock = fakeClock();
    const voice = played("first", clock, { failsAfter: 4, times: true });
    const { words, failure } = await say(fallbackTextToSpeech([voice, voice], { clock }), clock, clauses);
    assertEquals(failure, undefined);
    assertEquals(words, [1, 2, 3, 4, 1, 2]);
    assertEquals(voice.given.at(-1), " five six. ");
  });

  it("fails with the last error when all fail, and with the text's own", async () => {
    const clock = fakeClock();
    const voice = fallbackTextToSpeech([
      played("first", clock, { failsAfter: 1 }),
      played("second", clock, { failsAfter: 1 }),
    ], { clock });
    assertEquals(((await say(voice, clock, clauses)).failure as StageError).message, "second failed");
    const second = played("second", clock);
    const good = fallbackTextToSpeech([played("first", clock), second], { clock });
    const lost = new StageError("llm", "the model failed");
    let failure: unknown;
    const text = new ReadableStream<string>({ pull: (controller) => controller.error(lost) });
    const read = Array.fromAsync(good.synthesize(text, { signal: new AbortController().signal }))
      .catch((error) => failure = error);
    await clock.advance(100);
    await read;
    assertEquals(failure, lost);
    assertEquals(second.given, []);
  });

  it("connects the next only when it is needed", async () => {
    const clock = fakeClock();
    const [first, second] = [played("first", clock, { failsAfter: 1 }), played("second", clock)];
    const session = new AbortController();
    const voice = fallbackTextToSpeech([first, second], { clock }).connect?.(session);
    assert(voice);
    assertEquals([first.connections, second.connections], [1, 0]);
    await say(voice, clock, clauses);
    await say(voice, clock, clauses);
    assertEquals([first.connections, second.connections], [1, 1]);
  });

  it("refuses voices of other formats", () => {
    const clock = fakeClock();
    const other = { ...played("other", clock), output: { sampleRate: 16_000, channels: 1 } };
    let message = "";
    try {
      fallbackTextToSpeech([played("first", clock), other], { clock });
    } catch (error) {
      message = (error as TypeError).message;
    }
    assertEquals(message, "played/other delivers 16000 Hz × 1; expected 24000 Hz × 1, as played/first does");
  });
});
