/** What is wrong with any call, and with what any model is asked. */
import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { SessionEvent } from "../../src/events.ts";
import type { HistoryItem } from "../../src/history.ts";
import type { Message, ToolCall } from "../../src/llm/llm.ts";
import { scripted } from "../../src/testing.ts";
import { problemsOf } from "../../src/testing/checks.ts";
import { fakeClock } from "../fakes/clock.ts";

const call: ToolCall = { id: "call-1", name: "lookUp", arguments: {} };
const calls: HistoryItem = { type: "tool-call", id: "item-1", call, atMs: 0 };
const result = (id: string, callId = "call-1"): HistoryItem => ({
  type: "tool-result",
  id,
  callId,
  outcome: "done",
  content: "",
  atMs: 0,
});
const turn: SessionEvent = { type: "user-speech-committed", turnId: "turn-1", text: "Hello.", atMs: 0 };
const ended: SessionEvent = { type: "turn-ended", turnId: "turn-1", outcome: "answered", atMs: 0 };

describe("problemsOf()", () => {
  const cases: [what: string, events: SessionEvent[], history: HistoryItem[], problems: string[]][] = [
    ["nothing that is wrong", [turn, ended], [calls, result("item-2")], []],
    ["a turn without an outcome", [turn], [], ['the turn "Hello." has 0 outcomes; expected 1']],
    ["a turn with two", [turn, ended, ended], [], ['the turn "Hello." has 2 outcomes; expected 1']],
    ["a call without a result", [], [calls], ["the call of lookUp has 0 results in the history; expected 1"]],
    ["a call with two", [], [calls, result("item-2"), result("item-3")], [
      "the call of lookUp has 2 results in the history; expected 1",
    ]],
    ["a result without a call", [], [result("item-2", "call-2")], [
      "the history has a result without its call: call-2",
    ]],
    ["an id twice", [], [calls, result("item-1")], ["two items of the history have one id"]],
  ];
  for (const [what, events, history, problems] of cases) {
    it(`finds ${what}`, () => assertEquals(problemsOf(events, history, new Set()), problems));
  }
});

describe("scripted()", () => {
  const user: Message = { role: "user", content: "Hello." };
  const asks: Message = { role: "assistant", content: "", toolCalls: [call] };
  const told: Message = { role: "tool", callId: "call-1", content: "" };
  const cases: [what: string, messages: Message[], problem: RegExp][] = [
    ["a call without a result", [user, asks], /calls without a result: call-1/],
    ["a call whose result is late", [user, asks, user, told], /calls without a result: call-1/],
    ["a result twice", [user, asks, told, told], /a result whose call is not before it: call-1/],
    ["a result without a call", [user, told], /a result whose call is not before it: call-1/],
  ];
  for (const [what, messages, problem] of cases) {
    it(`refuses ${what}, as providers do`, async () => {
      const { signal } = new AbortController();
      const model = scripted(["Never said."])(fakeClock());
      const thrown = await Array.fromAsync(generate()).catch(String);
      async function* generate() {
        yield* model.generate({ messages }, { signal });
      }
      assertMatch(String(thrown), problem);
      assertMatch(String(model.problem), problem);
    });
  }
});
