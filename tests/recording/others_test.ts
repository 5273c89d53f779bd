/** Recordings in which the agent that began was not alone: other agents and tasks take charge when they did then. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type Agent, type AgentDefinition, defineAgent } from "../../src/agent.ts";
import { collectName } from "../../src/collect.ts";
import { turnTakingFor } from "../../src/dispatch/turn_taking.ts";
import { ConfigError } from "../../src/errors.ts";
import { handoff } from "../../src/handoff.ts";
import type { Recording } from "../../src/recording/recording.ts";
import type { SessionOptions } from "../../src/session.ts";
import { tool } from "../../src/tool.ts";
import { decidedAgain, record } from "./recorded.ts";

/** A session that `reception` begins; `missing`: who cannot be had. */
const beginWith = (reception: Agent, missing?: Agent) => (options: SessionOptions) => {
  const equip = (agent: Agent) => {
    if (agent === missing) throw new ConfigError("the key is not set");
    const turnTaking = turnTakingFor(agent, { endpointing: {}, interruption: {}, speculate: true });
    return { ...options, agent, agentName: agent.name ?? "task", turnTaking };
  };
  return { ...equip(reception), equip };
};
const handOverTo = (agent: () => Agent) =>
  tool({ description: "Hands over", effect: "idempotent", execute: () => handoff(agent()) });
const agent = (name: string, definition: Partial<AgentDefinition> = {}) =>
  defineAgent({ name, instructions: "A secret.", ...definition });
const opened = ({ entries }: Recording, what: string) =>
  entries.filter((entry) => entry.type === "stream-opened" && entry.of === what).length;
const includes = (lines: readonly string[], ...words: string[]) =>
  assertEquals(words.filter((one) => !lines.some((line) => line.includes(one))), [], lines.join("\n"));

describe("a recording of an agent that greets, played again", () => {
  it("has the greeting, whether it is heard to its end or not", async () => {
    const greeter = agent("greeter", { greeting: "Welcome. This is the front desk of a very large hotel." });
    for (const saidAt of ["8.0", "1.0"]) {
      const lines = await decidedAgain(
        await record(
          `
    llm "They are twenty dollars."
    ${saidAt} user "What do they cost" 1.2s
    12.0 end`,
          beginWith(greeter),
        ),
      );
      includes(lines, "Welcome.", "They are twenty dollars.");
    }
  });
});

describe("a recording with a handoff in it, played again", () => {
  const script = `
    llm "One moment." calls toSales
    llm "They are twenty dollars."
    llm "" calls toReception
    llm "Reception again."
    0.5 user "I want to buy" 1.2s
    8.0 user "What do they cost" 1.2s
    14.0 user "Back please" 1.2s
    20.0 end`;

  it("has each agent with its models, its way of taking turns, and what its own code does", async () => {
    const sales = agent("sales", {
      tts: "cartesia/sonic-3:secret-voice",
      endpointing: { minDelayMs: 900 },
      tools: { toReception: handOverTo(() => reception) },
      entry: ({ session }) => void session.say("Here is sales."),
      on: { "turn-ended": (_, { session }) => session.say("Anything else?") },
    });
    const reception = agent("reception", { tools: { toSales: handOverTo(() => sales) } });
    const recording = await record(script, beginWith(reception));
    assert(!JSON.stringify(recording).includes("ecret"), "a prompt or a model is in the recording");
    const lines = await decidedAgain(recording);
    includes(lines, "handed the conversation over to sales", "Here is sales.", "They are twenty dollars.");
    includes(lines, "10.10 s  turn-2: the user's turn ended", "Anything else?");
    includes(lines, "sales handed the conversation over to reception", "Reception again.");
    assertEquals(opened(recording, "stt"), 3, "each listens for itself");
  });

  it("has another listen where that is all that is different", async () => {
    const sales = agent("sales", { stt: "deepgram/nova-3:de" });
    const reception = agent("reception", { tools: { toSales: handOverTo(() => sales) } });
    const recording = await record(script, beginWith(reception));
    assertEquals(opened(recording, "stt"), 2);
    includes(await decidedAgain(recording), "They are twenty dollars.");
  });

  it("goes on where another agent could not be had", async () => {
    const sales = agent("sales");
    const reception = agent("reception", { tools: { toSales: handOverTo(() => sales) } });
    const lines = await decidedAgain(await record(script, beginWith(reception, sales)));
    includes(lines, "They are twenty dollars.");
    assert(!lines.some((line) => line.includes("handed")));
  });

  it("ends where the own code of another agent fails", async () => {
    const sales = agent("sales", {
      async entry({ session }) {
        await session.say("Here is sales.").done;
        throw new Error("it was not ready");
      },
    });
    const reception = agent("reception", { tools: { toSales: handOverTo(() => sales) } });
    const lines = await decidedAgain(await record(script, beginWith(reception)));
    includes(lines, 'a stage failed: "it was not ready"', "the session ended: error");
  });
});

describe("a recording with a task in it, played again", () => {
  const script = `
    llm "" calls submit(name=Jo)
    llm "What can I do for you?"
    3.0 user "I am Jo" 1.2s
    8.0 user "yes" 0.3s
    12.0 user "Hello?" 0.6s
    17.0 end`;
  const asked = ["What is your name?", "Jo, is that right?", "What can I do for you?"];

  it("has it run by an entry, which goes on with what came of it", async () => {
    const reception = agent("reception", {
      async entry({ session, waitForParticipant }) {
        await waitForParticipant();
        const name = await session.run(collectName);
        session.say(`Hello ${name}.`);
      },
    });
    includes(await decidedAgain(await record(script, beginWith(reception))), ...asked, "Hello Jo.");
  });

  it("has it run by a handler of events", async () => {
    let runs = 0;
    const reception = agent("reception", {
      entry: ({ session }) => void session.say("Welcome."),
      on: {
        async "agent-speech-committed"(_, { session }) {
          if (runs++ === 0) session.say(`Hello ${await session.run(collectName)}.`);
        },
      },
    });
    includes(
      await decidedAgain(await record(script, beginWith(reception))),
      ...asked,
      "Welcome.",
      "Hello Jo.",
    );
  });

  it("has one that the end of the call has cut short", async () => {
    const reception = agent("reception", {
      async entry({ session, waitForParticipant }) {
        await waitForParticipant();
        await session.run(collectName);
      },
    });
    includes(
      await decidedAgain(await record("2.5 end", beginWith(reception))),
      asked[0]!,
      "session ended: closed",
    );
  });
});
