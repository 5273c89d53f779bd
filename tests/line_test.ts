import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createLine, unheard, type Waiting } from "../src/line.ts";
import type { SpeechPriority } from "../src/voice_session.ts";

interface Named extends Waiting {
  readonly name: string;
}

describe("what waits to be said", () => {
  const settled: string[] = [];
  const job = (name: string, priority: SpeechPriority, interruptible = true): Named => ({
    name,
    priority,
    interruptible,
    settle(result) {
      assertEquals(result, unheard);
      settled.push(name);
    },
  });
  const all = (line: ReturnType<typeof createLine<Named>>) => {
    const names: string[] = [];
    for (let first = line.first; first; first = line.first) {
      names.push(first.name);
      line.take(first);
    }
    return names;
  };

  it("stands by priority, and within one in the order in which it came", () => {
    const line = createLine<Named>();
    line.add(job("a", "normal"));
    line.add(job("b", "high"));
    line.add(job("c", "normal"));
    line.add(job("d", "immediate"));
    line.add(job("e", "high"));
    assertEquals(all(line), ["d", "b", "e", "a", "c"]);
    assertEquals(settled, []);
  });

  it("is taken out once, and dropped unheard", () => {
    const line = createLine<Named>();
    const [a, b, c] = [job("a", "normal"), job("b", "normal", false), job("c", "normal")];
    for (const one of [a, b, c]) line.add(one);
    assertEquals([line.take(a), line.take(a)], [true, false]);
    line.drop(({ interruptible }) => interruptible);
    assertEquals([settled.splice(0), line.first?.name], [["c"], "b"]);
    line.drop();
    assertEquals([settled.splice(0), line.first], [["b"], undefined]);
  });
});
