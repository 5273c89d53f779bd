import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { captureTimeline } from "../../src/room/livekit/timeline.ts";

/** The times given to 20 ms frames that arrive at `arrivals`. */
function times(arrivals: number[]): number[] {
  const capturedAt = captureTimeline();
  return arrivals.map((arrivedMs) => capturedAt(arrivedMs, 20));
}

const steady = (count: number, fromMs = 20) => Array.from({ length: count }, (_, at) => fromMs + at * 20);

describe("capture timeline", () => {
  it("puts a frame at its arrival less its duration", () => {
    assertEquals(times(steady(100)), steady(100, 0));
  });

  it("takes no notice of late arrivals", () => {
    const late = steady(200).map((arrivedMs, at) => arrivedMs + (at % 7) * 3);
    assertEquals(times(late), steady(200, 0));
  });

  it("keeps the distances of what a stall of 600 ms hands over in a burst", () => {
    const stalled = steady(150).map((arrivedMs) =>
      arrivedMs > 1_000 && arrivedMs < 1_600 ? 1_600 : arrivedMs
    );
    assertEquals(times(stalled), steady(150, 0));
  });

  for (const gapMs of [100, 700, 2_500, 60_000]) {
    it(`is right again ${gapMs >= 2_000 ? "at once" : "within 2 s"} after a gap of ${gapMs} ms`, () => {
      const arrivals = [...steady(100), ...steady(150, 2_020 + gapMs)];
      const result = times(arrivals);
      assertEquals(result.slice(0, 100), steady(100, 0));
      const from = gapMs >= 2_000 ? 100 : 201;
      assertEquals(result.slice(from), arrivals.slice(from).map((arrivedMs) => arrivedMs - 20));
    });
  }

  it("never goes back", () => {
    const arrivals = [...steady(50), 5_000, ...Array(100).fill(5_001), ...steady(100, 5_020)];
    const result = times(arrivals);
    for (const [at, atMs] of result.entries()) assert(at === 0 || atMs >= result[at - 1]!);
  });
});
