import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { messagesFrom, type PromptItem } from "../src/history.ts";
import type { Message } from "../src/llm/llm.ts";
import { wireMessages } from "../src/llm/openai.ts";
import { refusalOfMessages } from "./emulators/openai_requests.ts";
import fc from "fast-check";

const user: PromptItem = { role: "user", text: "Weather?" };
const said: PromptItem = { role: "assistant", text: "Let me look." };
const call = (id: string): PromptItem => ({
  type: "tool-call",
  call: { id, name: "look", arguments: { id } },
});
const result = (callId: string, content = `of ${callId}`): PromptItem => ({
  type: "tool-result",
  callId,
  content,
});

/** One line a message: who, what was said, which calls. */
const lines = (messages: readonly Message[]): string[] =>
  messages.slice(1).map((message) => {
    if (message.role === "tool") return `${message.callId}: ${message.content}`;
    const calls = "toolCalls" in message ? message.toolCalls?.map(({ id }) => `(${id})`).join("") : "";
    return `${message.role} ${message.content}${calls}`.trim();
  });

const refusal = (messages: readonly Message[]) => refusalOfMessages(wireMessages(messages) as never);

describe("messagesFrom()", () => {
  it("begins with the instructions, and tells what was said", () => {
    assertEquals(messagesFrom("Be brief.", [user, { ...said, type: "message" } as PromptItem]), [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Weather?" },
      { role: "assistant", content: "Let me look." },
    ]);
  });

  const pending =
    "This is still running, and there is no result yet. Do not call it again: its result will stand here.";
  const tables: [what: string, items: PromptItem[], expected: string[]][] = [
    ["a call and its result", [user, call("a"), result("a")], ["user Weather?", "assistant (a)", "a: of a"]],
    ["what was said before", [user, said, call("a"), result("a")], [
      "user Weather?",
      "assistant Let me look.(a)",
      "a: of a",
    ]],
    ["parallel calls", [call("a"), call("b"), result("b"), result("a")], [
      "assistant (a)(b)",
      "a: of a",
      "b: of b",
    ]],
    ["calls after each other", [call("a"), result("a"), call("b"), result("b")], [
      "assistant (a)",
      "a: of a",
      "assistant (b)",
      "b: of b",
    ]],
    ["a call without a result", [user, call("a"), user], [
      "user Weather?",
      "assistant (a)",
      `a: ${pending}`,
      "user Weather?",
    ]],
    ["a result that came later", [call("a"), user, result("a"), said], [
      "assistant (a)",
      "a: of a",
      "user Weather?",
      "assistant Let me look.",
    ]],
    ["a result whose call is gone", [result("a"), user], ["user Weather?"]],
    ["two results", [call("a"), result("a", "first"), result("a", "last")], ["assistant (a)", "a: last"]],
    ["the same call twice", [call("a"), call("a"), result("a")], ["assistant (a)", "a: of a"]],
  ];
  for (const [what, items, expected] of tables) {
    it(`keeps calls and results together: ${what}`, () => {
      const messages = messagesFrom("", items);
      assertEquals(lines(messages), expected);
      assertEquals(refusal(messages), undefined);
    });
  }

  it("is well formed whatever is in the history, and wherever it is cut", () => {
    const id = fc.constantFrom("a", "b", "c", "d");
    const item = fc.oneof(fc.constant(user), fc.constant(said), id.map(call), id.map((id) => result(id)));
    fc.assert(
      fc.property(fc.array(item, { maxLength: 24 }), fc.nat(24), (items, cut) => {
        assertEquals(refusal(messagesFrom("", items.slice(cut))), undefined);
      }),
      { numRuns: 2_000 },
    );
  });
});
