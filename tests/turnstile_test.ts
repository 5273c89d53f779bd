import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { turnstile } from "../src/turnstile.ts";
import { fakeClock } from "./fakes/clock.ts";

const longestMs = 2_000;

/** Whoever asks for a place, and who was let in so far. */
function queue() {
  const clock = fakeClock();
  const { enter } = turnstile({ places: 2, longestMs });
  const inside: string[] = [];
  const places = new Map<string, Disposable>();
  return {
    clock,
    inside,
    ask(name: string, signal = new AbortController().signal) {
      const entered = enter({ clock, signal }).then((place) => {
        inside.push(name);
        places.set(name, place);
      });
      return entered;
    },
    leave: (name: string) => places.get(name)?.[Symbol.dispose](),
  };
}

describe("turnstile", () => {
  it("lets the next in when a place is given back, in the order in which they came", async () => {
    const { ask, leave, inside, clock } = queue();
    for (const name of ["a", "b", "c", "d"]) ask(name);
    await clock.advance(0);
    assertEquals(inside, ["a", "b"]);
    leave("b");
    leave("b"); // once
    await clock.advance(0);
    assertEquals(inside, ["a", "b", "c"]);
    leave("a");
    leave("c");
    ask("e");
    await clock.advance(0);
    assertEquals(inside, ["a", "b", "c", "d", "e"]);
  });

  it("does not let one who hangs hold up the others", async () => {
    const { ask, leave, inside, clock } = queue();
    for (const name of ["a", "b", "c", "d", "e"]) ask(name);
    await clock.advance(0);
    await clock.advance(longestMs - 1);
    assertEquals(inside, ["a", "b"]);
    await clock.advance(1);
    await clock.advance(0);
    assertEquals(inside, ["a", "b", "c", "d"]);
    leave("a"); // it was given to another already
    await clock.advance(0);
    assertEquals(inside, ["a", "b", "c", "d"]);
  });

  it("forgets who has given up", async () => {
    const { ask, leave, inside, clock } = queue();
    const over = new AbortController();
    ask("a");
    ask("b");
    const gone = ask("c", over.signal);
    ask("d");
    over.abort(new Error("hung up"));
    await assertRejects(() => gone, /hung up/);
    leave("a");
    await clock.advance(0);
    assertEquals(inside, ["a", "b", "d"]);
  });

  it("gives the place of one who gives up as they are let in to the next", async () => {
    const { ask, leave, inside, clock } = queue();
    const over = new AbortController();
    for (const name of ["a", "b"]) ask(name);
    const gone = ask("c", over.signal);
    ask("d");
    await clock.advance(0);
    over.abort(new Error("hung up"));
    leave("a"); // in the same breath
    await assertRejects(() => gone, /hung up/);
    await clock.advance(0);
    assertEquals(inside, ["a", "b", "d"]);
  });
});
