/** Files that are recordings, and files that are none. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { ConfigError } from "../../src/errors.ts";
import { readRecording } from "../../src/recording/recording.ts";

const header = {
  type: "header",
  format: "repartee-recording",
  version: 2,
  deno: "2",
  startedAt: "2026-01-01T00:00:00.000Z",
  sessionId: "session_1",
  agentName: "support",
  agent: {},
  models: {},
  turnTaking: { endpointing: {}, interruption: {}, speculate: true },
  stt: { provider: "a", model: "b", elsewhere: false },
  llm: { provider: "a", model: "b" },
  tts: { provider: "a", model: "b" },
};
const end = { type: "end", atMs: 10 };
const file = (...lines: unknown[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join("");

const wrong: Record<string, [text: string, message: string]> = {
  "nothing": ["", "x does not begin with a recording's header; expected a file that RECORD has written"],
  "another text": ["Dear Sir,\n", "x: line 1 is no JSON; expected a recorded session, a JSON object a line"],
  "another JSON": [
    file({ type: "log" }),
    "x does not begin with a recording's header; expected a file that RECORD has written",
  ],
  "another version": [
    file({ ...header, version: 1 }, end),
    "x is a recording of version 1; expected version 2",
  ],
  "a broken line": [
    `${file(header)}{"type":\n${file(end)}`,
    "x: line 2 is no JSON; expected a recorded session, a JSON object a line",
  ],
  "a line of something else": [
    file(header, { type: "room-joined" }, end),
    "x: line 2 is nothing that a recording holds; expected a file as RECORD wrote it",
  ],
  "half a line at the end": [
    file(header, end).slice(0, -4),
    'x is cut off in line 2; expected a whole recording, with a last line of type "end"',
  ],
  "no end": [
    file(header, { type: "room-joined", atMs: 3 }),
    'x is cut off after line 2; expected a whole recording, with a last line of type "end"',
  ],
  "lost lines": [
    file(header, { type: "lines-lost", atMs: 1500, count: 7 }, end),
    "x has lost 7 lines at 1500 ms, since the disk did not take them in time; expected a whole recording",
  ],
};

describe("readRecording()", () => {
  it("reads what a recorder writes", () => {
    const recording = readRecording(file(header, { type: "room-joined", atMs: 3.5 }, end), "x");
    assertEquals(recording.header.agentName, "support");
    assertEquals(recording.entries, [{ type: "room-joined", atMs: 3.5 }, { type: "end", atMs: 10 }]);
  });
  for (const [name, [text, message]] of Object.entries(wrong)) {
    it(`says of ${name} what it is`, () => {
      try {
        readRecording(text, "x");
      } catch (error) {
        assert(error instanceof ConfigError);
        return assertEquals(error.message, message);
      }
      assert(false, "it was read");
    });
  }
});
