/** A model that judges a call, over OpenAI's wire. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { defineAgent } from "../../src/agent.ts";
import { openaiLanguageModel } from "../../src/llm/openai.ts";
import { judgeModel, scripted, testCall } from "../../src/testing.ts";
import { type ChatAnswer, startOpenAIEmulator } from "../emulators/openai.ts";

const apiKey = "test-key";
const agent = defineAgent({ instructions: "You are a shop." });
const criterion = "The agent apologizes and offers a refund";

/** The environment's variables for a while; empty ones count as not set. */
function variables(values: Record<string, string>): Disposable {
  const before = Object.keys(values).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(values)) Deno.env.set(name, value);
  return {
    [Symbol.dispose]() {
      for (const [name, value] of before) {
        value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
      }
    },
  };
}

/** What a judge says of a call in which the agent says `reply`. */
async function judge(reply: string, verdict: string | Record<string, unknown>) {
  const answer = (): ChatAnswer =>
    typeof verdict === "string"
      ? { text: verdict, calls: [] }
      : { calls: [{ name: "verdict", arguments: JSON.stringify(verdict) }] };
  await using openai = await startOpenAIEmulator({ apiKey, answer, ttftMs: 1 });
  await using call = await testCall(agent, {
    llm: scripted([reply]),
    judge: openaiLanguageModel({ apiKey, baseUrl: openai.url }),
  });
  await call.user("My order never came.");
  return { verdict: await call.judge(criterion), body: openai.requests[0]?.body };
}

describe("judge()", () => {
  it("is shown the call and the criterion, and gives its verdict by a tool", async () => {
    const reply = "I am sorry. You will have your money back.";
    const { verdict, body } = await judge(reply, { reason: "It does both.", passed: true });
    assertEquals(verdict, { outcome: "passed", reason: "It does both." });
    const told = String(body?.messages.at(-1)?.content);
    assert(told.startsWith(`Criterion: ${criterion}\n`), told);
    assertMatch(told, /user +My order never came\.\n.+agent +I am sorry\. You will have your money back\.$/);
    assertEquals(body?.tools?.map(({ function: { name } }) => name), ["verdict"]);
    assertEquals(body?.tool_choice, { type: "function", function: { name: "verdict" } });
  });

  it("fails the test with the judge's reason and the call", async () => {
    await assertRejects(
      () => judge("Bad luck.", { reason: "There is no apology.", passed: false }),
      /does not find that The agent apologizes.*There is no apology\.\n\nThe call so far:\n.*My order/s,
    );
  });

  it("fails the test when there is no verdict", async () => {
    await assertRejects(() => judge("Sorry.", "It is fine."), /openai\/gpt-4o-mini gave no verdict/);
    await assertRejects(() => judge("Sorry.", { passed: "yes" }), /gave no verdict/);
  });

  it("is the environment's model, or skipped where that has no key", async () => {
    await using openai = await startOpenAIEmulator({
      apiKey,
      answer: () => ({ calls: [{ name: "verdict", arguments: { reason: "Well.", passed: true } }] }),
    });
    await using call = await testCall(agent, { llm: scripted(["Sorry."]) });
    await call.user("My order never came.");
    {
      using _ = variables({ OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: openai.url, LLM: "openai/gpt-judge" });
      assertEquals((await call.judge(criterion)).outcome, "passed");
      assertEquals(openai.requests[0]?.body.model, "gpt-judge");
    }
    using _ = variables({ OPENAI_API_KEY: "", LLM: "" });
    assertEquals(await judgeModel(), undefined);
    assertEquals((await call.judge(criterion)).outcome, "skipped");
    assertEquals(openai.requests.length, 1);
  });
});
