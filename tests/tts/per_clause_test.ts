import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { perClause, type SpeakClause } from "../../src/tts/per_clause.ts";
import type { SpeechEvent } from "../../src/tts/tts.ts";
import { fakeClock } from "../fakes/clock.ts";

const format = { sampleRate: 24_000, channels: 1 };
const live = () => new AbortController().signal;

/** Sounds of 10 ms a character, each sample the length of the clause. */
async function* speak(clause: string): AsyncGenerator<Int16Array> {
  yield new Int16Array(clause.length * 240).fill(clause.length);
}

const shape = (event: SpeechEvent) =>
  event.type === "audio" ? `${event.frame.samples[0]}×${event.frame.samples.length / 24} ms` : event;

function speaking(clauses: readonly string[], options: { speak: SpeakClause; signal?: AbortSignal }) {
  return perClause(ReadableStream.from(clauses), { format, signal: live(), ...options });
}

describe("perClause()", () => {
  it("delivers frames of up to 100 ms and a mark after each clause", async () => {
    const events = await Array.fromAsync(speaking(["Hi, ", "there you are."], { speak }));
    assertEquals(events.map(shape), [
      "4×40 ms",
      { type: "mark", characters: 4 },
      "14×100 ms",
      "14×40 ms",
      { type: "mark", characters: 18 },
    ]);
  });

  it("passes over what makes no sound", async () => {
    const events = await Array.fromAsync(speaking(["... ", "Hi"], { speak }));
    assertEquals(events.map(shape), [
      { type: "mark", characters: 4 },
      "2×20 ms",
      { type: "mark", characters: 6 },
    ]);
  });

  it("begins the next clause while one is delivered, and no more than that", async () => {
    const begun: string[] = [];
    const events = speaking(["a", "b", "c", "d"], {
      speak(clause) {
        begun.push(clause);
        return speak(clause);
      },
    }).getReader();
    const seen: string[] = [];
    for (let read = await events.read(); !read.done; read = await events.read()) {
      await fakeClock().settle();
      seen.push(`${read.value.type} ${begun.join("")}`);
    }
    assertEquals(seen, [
      "audio ab",
      "mark ab",
      "audio abc",
      "mark abc",
      "audio abcd",
      "mark abcd",
      "audio abcd",
      "mark abcd",
    ]);
  });

  it("ends at once when it is aborted, wherever it waits", async () => {
    for (const where of ["text", "speech"]) {
      const abort = new AbortController();
      let cancelled: unknown = "never";
      let stopped = false;
      const text = new ReadableStream<string>({
        start: (controller) => where === "speech" ? controller.enqueue("Hello.") : undefined,
        cancel: (reason) => void (cancelled = reason ?? "cancelled"),
      });
      const events = perClause(text, {
        format,
        signal: abort.signal,
        async *speak(_clause, { signal }) {
          signal.addEventListener("abort", () => stopped = true);
          await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
          yield new Int16Array();
        },
      });
      const result = Array.fromAsync(events).catch((error: unknown) => error);
      await fakeClock().settle();
      const reason = new Error("cut");
      abort.abort(reason);
      assertEquals(await result, reason, where);
      assertEquals(cancelled, "cancelled", where);
      assertEquals(stopped, where === "speech", where);
    }
  });

  it("ends what is under way when its reader leaves", async () => {
    const stopped: string[] = [];
    const reader = speaking(["one", "two", "three"], {
      async *speak(clause, { signal }) {
        signal.addEventListener("abort", () => stopped.push(clause));
        yield* speak(clause);
      },
    }).getReader();
    await reader.read();
    await fakeClock().settle();
    await reader.cancel();
    assertEquals(stopped, ["one", "two"]);
  });

  it("fails with the stage's name, after what was spoken", async () => {
    const delivered: SpeechEvent[] = [];
    const events = speaking(["Hi", "there"], {
      async *speak(clause) {
        if (clause === "there") throw new Error("no voice");
        yield* speak(clause);
      },
    });
    await assertRejects(async () => {
      for await (const event of events) delivered.push(event);
    }, /no voice/);
    assertEquals(delivered.map(shape), ["2×20 ms", { type: "mark", characters: 2 }]);
  });

  it("ends the next clause when one fails", async () => {
    let stopped = false;
    const events = speaking(["bad", "next"], {
      async *speak(clause, { signal }) {
        signal.addEventListener("abort", () => stopped = true);
        if (clause === "bad") await fakeClock().settle();
        if (clause === "bad") throw new Error("no voice");
        yield* speak(clause);
      },
    });
    await assertRejects(() => Array.fromAsync(events), /no voice/);
    assert(stopped);
  });

  it("fails as the text does, once what came before is spoken", async () => {
    const text = ReadableStream.from((async function* () {
      yield "Hi";
      throw new Error("no text");
    })());
    const events = perClause(text, { speak, format, signal: live() }).getReader();
    assertEquals((await events.read()).value?.type, "audio");
    await fakeClock().settle();
    assertEquals((await events.read()).value?.type, "mark");
    await assertRejects(() => events.read(), /no text/);
  });

  it("tells a failure although the text does not end", async () => {
    const text = new ReadableStream<string>({
      start: (controller) => controller.enqueue("Hi"),
      cancel: () => new Promise(() => {}),
    });
    const events = perClause(text, { speak: fails, format, signal: live() });
    await assertRejects(() => Array.fromAsync(events), /no voice/);
  });

  it("names the stage", async () => {
    const { done, value } = await speaking(["x"], { speak: () => fails() }).getReader().read()
      .catch((error: unknown) => ({ done: true, value: error }));
    assert(done && value instanceof Error && "stage" in value && value.stage === "tts");
  });

  it("holds what it needs for as long as it is read", async () => {
    const held: string[] = [];
    const hold = () => (held.push("taken"), { [Symbol.dispose]: () => void held.push("given back") });
    await Array.fromAsync(
      perClause(ReadableStream.from(["a", "b"]), { speak, hold, format, signal: live() }),
    );
    assertEquals(held, ["taken", "given back"]);
  });
});

// deno-lint-ignore require-yield
async function* fails(): AsyncGenerator<Int16Array> {
  throw new Error("no voice");
}
