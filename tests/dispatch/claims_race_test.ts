/** Claims among processes whose questions take their time: whoever asks is given the one session. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { processes } from "../fakes/processes.ts";

/** Numbers from 0 to 1, the same for the same seed: https://en.wikipedia.org/wiki/Xorshift */
function random(seed: number): () => number {
  let state = seed * 2_654_435_761 >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Each way of a question takes up to so long, and an agent to join; milliseconds. Redis is given 1.5 s, LiveKit 5 s. */
const most = { store: 700, rooms: 2_400, join: 4_000 };

describe("who ask at once", () => {
  it("are given one session, however long the store, LiveKit and the agent take", async () => {
    /** The seeds of those worlds in which there was another. */
    const bad: number[] = [];
    for (let seed = 1; seed <= 300; seed++) {
      const next = random(seed);
      const { clock, all, sessions } = processes({
        count: 3,
        late: (asked) => Math.round(next() ** 3 * most[asked]),
      });
      const answers = all.flatMap(({ dispatcher }) => [1, 2].map(() => dispatcher.dispatch({ room: "r" })));
      const coming = all.map(({ started, arrive }) => {
        let seen = 0;
        return () => {
          for (; seen < started.length; seen++) {
            clock.after(next() * most.join, () => arrive());
          }
        };
      });
      for (let ms = 0; ms < 30_000; ms += 50) {
        await clock.advance(50);
        for (const come of coming) come();
      }
      const results = await Promise.all(answers);
      const named = new Set(
        results.map((result) => "session" in result ? result.session.sessionId : result.type),
      );
      if (named.size !== 1 || sessions().length !== 1) bad.push(seed);
      for (const { dispatcher } of all) {
        await Promise.race([dispatcher.drain({ budgetMs: 0 }), clock.advance(10_000)]);
      }
    }
    assertEquals(bad, []);
  });
});
