/** Sessions on the fake clock that are recorded, played again, and compared with themselves. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { AgentDefinition } from "../../src/agent.ts";
import type { EventHandlers } from "../../src/handlers.ts";
import { decisionsOf, firstDifference } from "../../src/recording/decisions.ts";
import { readRecording, type Recording } from "../../src/recording/recording.ts";
import { replay } from "../../src/recording/replay.ts";
import { tool } from "../../src/tool.ts";
import { decidedAgain, record } from "./recorded.ts";

const folder = new URL("../conversations/", import.meta.url);
const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.endsWith(".txt"))
  .sort();
/** A golden conversation, recorded; `on`: its agent's handlers of events, `more`: what else it has. */
async function recordingOf(
  name: string,
  on: EventHandlers = {},
  more: Partial<AgentDefinition> = {},
): Promise<Recording> {
  const [script = ""] = (await Deno.readTextFile(new URL(name, folder))).split("\n----\n");
  return await record(script, ({ agent }) => ({ agent: { ...agent, on, ...more } }));
}

describe("a golden conversation, recorded and played again, is decided the same", () => {
  for (const name of names) {
    it(name.replace(".txt", "").replaceAll("-", " "), async () => {
      await decidedAgain(await recordingOf(name));
    });
  }
});

describe("what an agent's handlers of events do", () => {
  it("is in the recording, and is done again without them", async () => {
    const recording = await recordingOf("plain-turn.txt", {
      "turn-ended": (_event, { session }) => session.say("Is there anything else?"),
    });
    const asks = (await decidedAgain(recording)).filter((line) => line.includes("Is there anything else?"));
    assertEquals(asks.length, 1);
  });

  it("to the history is in the recording, and so are the summaries of what is not told", async () => {
    const recording = await recordingOf("barge-in.txt", {
      "turn-ended": ({ outcome }, { session }) =>
        session.updateHistory((items) => [...items, { role: "system", text: `It was ${outcome}.` }]),
    }, { history: { maxItems: 1, summarize: true } });
    const again = await replay(recording);
    const runs = ({ entries }: Recording) =>
      entries.filter((entry) => entry.type === "stream-opened" && entry.of === "llm").length;
    const updates = ({ entries }: Recording) =>
      entries.flatMap((entry) =>
        entry.type === "session-called" && entry.call.method === "updateHistory" ? [entry.call.items] : []
      );
    const plain = await recordingOf("barge-in.txt");
    assert(runs(recording) > runs(plain), "nothing was summed up");
    assertEquals(runs(again), runs(recording));
    assertEquals(updates(recording).length, 2);
    assertEquals(updates(again), updates(recording));
    await decidedAgain(recording);
  });
});

describe("firstDifference()", () => {
  it("tells decisions apart that were altered", async () => {
    const recording = await recordingOf("barge-in.txt");
    const now = decisionsOf(await replay(recording));
    const altered = (change: (line: string) => string): Recording => {
      const lines = [recording.header, ...recording.entries].map((line) => change(JSON.stringify(line)));
      return readRecording(`${lines.join("\n")}\n`, "altered");
    };
    const told = (change: (line: string) => string) =>
      firstDifference(decisionsOf(altered(change)), now, { ms: 100, words: 1 });
    assertEquals(told((line) => line), undefined);
    const cases: [change: (line: string) => string, difference: RegExp][] = [
      [
        (line) => line.replace('"outcome":"interrupted"', '"outcome":"answered"'),
        /^At \S+ s the recording has: turn-1 was answered; the replay has at \S+ s: turn-1 was interrupted\.$/,
      ],
      [
        (line) => line.replace("speaker-paused", "farewell-began"),
        /^At \S+ s the replay has, and the recording has not: the agent paused/,
      ],
      [
        (line) =>
          line.includes('"turn-ended"') && line.includes("turn-2")
            ? line.replace("turn-ended", "turn-missing")
            : line,
        /the replay has, and the recording has not: turn-2 was answered/,
      ],
      [
        (line) =>
          line.includes("user-speech-committed")
            ? line.replace(/"atMs":(\d+)/, (_, ms) => `"atMs":${Number(ms) + 150}`)
            : line,
        /150 ms apart; expected 100 at the most\.$/,
      ],
    ];
    for (const [change, difference] of cases) {
      const found = told(change) ?? "";
      assert(difference.test(found), `${found}: expected ${difference}`);
    }
  });

  const cut = (cutText: string) => [{ atMs: 0, kind: "cut", what: "say-1 was cut off", cutText }];
  for (
    const [then, now, same] of [
      ["one two", "one two three", true],
      ["one two", "one two", true],
      ["one two", "one two three four", false],
      ["one two", "one too", false],
    ] as const
  ) {
    it(`takes ${JSON.stringify(then)} and ${JSON.stringify(now)} for ${same ? "the same" : "two"} cuts`, () => {
      assertEquals(firstDifference(cut(then), cut(now), { ms: 0, words: 1 }) === undefined, same);
      assertEquals(firstDifference(cut(now), cut(then), { ms: 0, words: 1 }) === undefined, same);
    });
  }
});

describe("a picture that a tool has brought", () => {
  it("is in no recording, and is played again as the word of it", async () => {
    const data = btoa("\xff\xd8\xffa picture");
    const look = tool({
      description: "Looks",
      effect: "none",
      execute: () => ({ type: "image", mimeType: "image/jpeg", data }),
    });
    const recording = await recordingOf("tool-call.txt", {}, { tools: { look } });
    const text = JSON.stringify(recording);
    assert(text.includes("The picture follows."));
    assert(!text.includes(data), "the picture is in the recording");
    await decidedAgain(recording);
  });
});
