import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { batched, type Infer, type Inference, WINDOW } from "../../src/vad/batch.ts";
import { fakeClock } from "../fakes/clock.ts";

const window = (value: number) => new Int16Array(WINDOW).fill(value);

/** A model whose answer tells the window, its context and how many windows the stream's state has seen. */
function counting(): { infer: Infer; runs: number[] } {
  const runs: number[] = [];
  const infer: Infer = ({ input, state, count }) => {
    runs.push(count);
    const seen = state.map((n) => n + 1);
    const probabilities = Float32Array.from({ length: count }, (_, i) => {
      const context = (input[i * 576] ?? 0) * 32768;
      const value = (input[i * 576 + 64] ?? 0) * 32768;
      const layers = (seen[i * 128] ?? 0) + (seen[(count + i) * 128 + 127] ?? 0);
      return context * 10000 + value * 100 + layers / 2;
    });
    return Promise.resolve({ probabilities, state: seen });
  };
  return { infer, runs };
}

/** Collects what is put off, to run it when the test says. */
function deferral(): { defer: (callback: () => void) => void; next: () => Promise<void> } {
  const queue: (() => void)[] = [];
  return {
    defer: (callback) => queue.push(callback),
    async next() {
      await queue.shift()?.();
    },
  };
}

describe("batched", () => {
  it("runs the windows of one turn together, each with its own context and state", async () => {
    const { infer, runs } = counting();
    const model = batched(infer);
    const streams = Array.from({ length: 20 }, () => model.open());
    const round = (first: number) =>
      Promise.all(streams.map((stream, i) => stream.probability(window(first + i))));
    assertEquals(await round(1), streams.map((_, i) => (1 + i) * 100 + 1));
    assertEquals(await round(31), streams.map((_, i) => (1 + i) * 10000 + (31 + i) * 100 + 2));
    assertEquals(runs, [20, 20]);
  });

  it("keeps streams apart that come and go", async () => {
    const { infer, runs } = counting();
    const model = batched(infer);
    const a = model.open();
    const b = model.open();
    assertEquals(await a.probability(window(1)), 101);
    assertEquals(await Promise.all([a.probability(window(1)), b.probability(window(2))]), [10102, 201]);
    assertEquals(await Promise.all([b.probability(window(2)), model.open().probability(window(3))]), [
      20202,
      301,
    ]);
    assertEquals(runs, [1, 2, 2]);
  });

  it("gathers what comes during a run for the next one", async () => {
    const { infer, runs } = counting();
    const run = Promise.withResolvers<void>();
    const model = batched(async (batch) => {
      await run.promise;
      return infer(batch);
    });
    const first = model.open().probability(window(1));
    await new Promise((resolve) => setImmediate(resolve)); // the run has begun
    const others = [2, 3, 4].map((value) => model.open().probability(window(value)));
    run.resolve();
    assertEquals(await Promise.all([first, ...others]), [101, 201, 301, 401]);
    assertEquals(runs, [1, 3]);
  });

  it("gathers the windows of several streams, and has one that is alone wait for nobody", async () => {
    const { infer, runs } = counting();
    const { defer, next } = deferral();
    const clock = fakeClock();
    const model = batched(infer, { clock, defer });
    const [a, b] = [model.open(), model.open()];
    for (let n = 1; n <= 3; n++) {
      const alone = a.probability(window(1));
      await next();
      await alone;
    }
    assertEquals(runs, [1, 1, 1]);
    await clock.advance(3);
    const first = b.probability(window(2));
    const second = a.probability(window(1));
    await clock.advance(4);
    assertEquals(runs, [1, 1, 1]);
    await clock.advance(1);
    assertEquals(await Promise.all([first, second]), [201, 10104]);
    assertEquals(runs, [1, 1, 1, 2]);
    await clock.advance(8);
    const late = b.probability(window(2));
    await next();
    assertEquals(await late, 20202);
  });

  it("forgets on reset", async () => {
    const { infer } = counting();
    const stream = batched(infer).open();
    await stream.probability(window(1));
    stream.reset();
    assertEquals(await stream.probability(window(1)), 101);
  });

  it("leaves a stream that was aborted out, and the others alone", async () => {
    const { infer, runs } = counting();
    const { defer, next } = deferral();
    const model = batched(infer, { defer });
    const abort = new AbortController();
    const gone = model.open().probability(window(1), { signal: abort.signal });
    const stays = model.open().probability(window(2));
    abort.abort(new Error("hung up"));
    await assertRejects(() => gone, /hung up/);
    await next();
    assertEquals(await stays, 201);
    assertEquals(runs, [1]);
  });

  it("does not run when every stream was aborted, and runs again after", async () => {
    const { infer, runs } = counting();
    const { defer, next } = deferral();
    const model = batched(infer, { defer });
    const abort = new AbortController();
    const gone = model.open().probability(window(1), { signal: abort.signal });
    abort.abort(new Error("hung up"));
    await assertRejects(() => gone, /hung up/);
    await next();
    assertEquals(runs, []);
    const later = model.open().probability(window(2));
    await next();
    assertEquals(await later, 201);
  });

  const failures: [what: string, fail: (batch: Inference) => ReturnType<Infer>, expected: RegExp][] = [
    ["a run that fails", () => Promise.reject(new Error("out of memory")), /out of memory/],
    [
      "an answer for too few windows",
      ({ state }) => Promise.resolve({ probabilities: new Float32Array(1), state }),
      /expected 2/,
    ],
    [
      "an answer without the state",
      ({ count }) => Promise.resolve({ probabilities: new Float32Array(count), state: new Float32Array(0) }),
      /0 numbers of state; expected 2 and 512/,
    ],
  ];
  for (const [what, fail, expected] of failures) {
    it(`rejects every window of ${what}, and goes on`, async () => {
      const { infer } = counting();
      let broken = true;
      const model = batched((batch) => broken ? fail(batch) : infer(batch));
      const a = model.open();
      const b = model.open();
      const both = await Promise.allSettled([a.probability(window(1)), b.probability(window(2))]);
      assertEquals(both.map((one) => one.status === "rejected" && expected.test(String(one.reason))), [
        true,
        true,
      ]);
      broken = false;
      a.reset();
      assertEquals(await a.probability(window(1)), 101);
    });
  }
});
