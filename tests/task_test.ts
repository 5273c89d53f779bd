/** Tasks: who is in charge meanwhile, what comes of them, and what is told to the models. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import * as z from "zod";
import { defineAgent } from "../src/agent.ts";
import { collectDate, collectDigits, collectEmail, collectName, collectPhoneNumber } from "../src/collect.ts";
import { TaskError } from "../src/errors.ts";
import { saidIn } from "../src/history.ts";
import type { LanguageRequest } from "../src/llm/llm.ts";
import { task } from "../src/task.ts";
import { scripted, type TestCall, testCall } from "../src/testing.ts";
import { tool } from "../src/tool.ts";

const submit = (args: Record<string, unknown>) => ({ toolCalls: [{ name: "submit", arguments: args }] });
/** The user says what the agent then asks about. */
const tell = async (call: TestCall, text: string) => {
  await call.user(text, { until: "speaking" });
  await call.wait(6_000);
};
const askForSize = task({
  instructions: "Find out how many people the table is for.",
  opening: "For how many people?",
  result: z.object({ people: z.int().min(1).max(12).describe("How many") }),
});

describe("session.run()", () => {
  it("has a task done from the agent's own code, which goes on with the result", async () => {
    const found: unknown[] = [];
    const agent = defineAgent({
      instructions: "You are a restaurant.",
      tools: { book: tool({ description: "Books", effect: "once", execute: () => "booked" }) },
      async entry({ session }) {
        const { people } = await session.run(askForSize);
        found.push(people);
        session.say(`A table for ${people}.`);
      },
    });
    const asked: unknown[] = [];
    await using call = await testCall(agent, {
      llm: scripted([
        ({ messages, tools }) => {
          asked.push(messages[0]?.content.split("\n")[0], tools?.map(({ name }) => name));
          return submit({ people: 40 });
        },
        ({ messages }) => {
          asked.push(messages.at(-1)?.content);
          return "We have no table for so many. How many are you at the least?";
        },
        submit({ people: 4 }),
        ({ messages, tools }) => {
          asked.push(messages[0]?.content, tools?.map(({ name }) => name));
          return "You are welcome.";
        },
      ]),
    });
    call.expect.said("For how many people?");
    await call.user("We are forty.");
    call.expect.said("We have no table for so many.");
    await call.user("Four, then.");
    call.expect.said("A table for 4.");
    await call.user("Thank you.");
    assertEquals(found, [4]);
    assertEquals(asked, [
      "Find out how many people the table is for.",
      ["submit", "refuse"],
      "Nothing was done: the arguments are wrong (people: Too big: expected number to be <=12). Call it again with others.",
      "You are a restaurant.",
      ["book"],
    ]);
  });

  it("has a task done from a tool, whose answer goes on with the tool's result", async () => {
    const agent = defineAgent({
      instructions: "You are a shop.",
      tools: {
        sendInvoice: tool({
          description: "Sends the invoice",
          effect: "once",
          timeoutMs: 1_000, // it does not count while the user is talked with
          execute: async (_, { session }) => `sent to ${await session.run(collectEmail)}`,
        }),
        lookUp: tool({ description: "Looks up", effect: "none", execute: () => "order 7" }),
      },
    });
    const told: string[] = [];
    await using call = await testCall(agent, {
      llm: scripted([
        { toolCalls: [{ name: "sendInvoice" }, { name: "lookUp" }] },
        submit({ email: "joe@example.com" }),
        submit({ email: "jo@example.com" }),
        ({ messages }) => {
          told.push(...messages.flatMap(({ role, content }) => role === "tool" ? [content] : []));
          return "I have sent it.";
        },
      ]),
    });
    await call.user("Send me the invoice.");
    call.expect.said("What is your e-mail address?");
    await tell(call, "It is joe at example dot com.");
    await tell(call, "No, without the e.");
    call.expect.said("j o e at example dot com, is that right?");
    await call.user("Yes.");
    call.expect.said("j o at example dot com, is that right?");
    call.expect.said("I have sent it.");
    assertEquals(told, ["sent to jo@example.com", "order 7", told[2]!, "That was handed in."]);
    const outcomes = call.events.flatMap((event) => event.type === "turn-ended" ? [event.outcome] : []);
    assert(
      outcomes.every((outcome) => outcome === "answered" || outcome === "interrupted"),
      String(outcomes),
    );
  });

  it("rejects when the user refuses, and the agent goes on by itself when nobody else does", async () => {
    const failed: unknown[] = [];
    const agent = defineAgent({
      instructions: "You are a shop.",
      entry: ({ session }) =>
        session.run(collectName).then(() => {}, (error: unknown) => void failed.push(error)),
    });
    await using call = await testCall(agent, {
      llm: scripted([{ toolCalls: [{ name: "refuse" }] }, "That is fine."]),
    });
    await call.user("I would rather not say.");
    call.expect.said("That is fine.");
    const [error] = failed;
    assert(error instanceof TaskError && error.reason === "refused");
  });

  it("rejects when the session ends, and at once when it has", async () => {
    const agent = defineAgent({ instructions: "You are a shop." });
    const call = await testCall(agent, { llm: scripted([]) });
    const email = assertRejects(() => call.session.run(collectEmail), /the session ended/);
    await call.wait(5_000);
    await call.hangUp();
    await email;
    await assertRejects(() => call.session.run(collectEmail), /the session ended/);
    await call[Symbol.asyncDispose]();
  });

  it("does a task from within another, which goes on with what came of it", async () => {
    const found: unknown[] = [];
    const asked: string[][] = [];
    const booking = task({
      instructions: "Book a table.",
      opening: "When do you want to come?",
      result: z.object({ time: z.string(), name: z.string() }),
      tools: {
        askForName: tool({
          description: "Asks for the name",
          effect: "once",
          execute: (_, { session }) => session.run(collectName),
        }),
      },
    });
    const agent = defineAgent({
      instructions: "You are a restaurant.",
      async entry({ session }) {
        found.push(await session.run(booking));
        session.say("It is booked.");
      },
    });
    const note = ({ messages, tools = [] }: LanguageRequest) =>
      void asked.push([messages[0]!.content.split("\n")[0]!, ...tools.map(({ name }) => name)]);
    await using call = await testCall(agent, {
      llm: scripted([
        (request) => {
          note(request);
          return { toolCalls: [{ name: "askForName" }] };
        },
        (request) => {
          note(request);
          return submit({ name: "Ann Lee" });
        },
        (request) => {
          note(request);
          return submit({
            time: "at eight",
            name: request.messages.find(({ role }) => role === "tool")!.content,
          });
        },
      ]),
    });
    call.expect.said("When do you want to come?");
    await call.user("At eight.");
    call.expect.said("What is your name?");
    await tell(call, "Ann Lee.");
    assertEquals(found, []);
    await call.user("Yes.");
    call.expect.said("Ann Lee, is that right?");
    call.expect.said("It is booked.");
    assertEquals(asked.map(([instructions]) => instructions), [
      "Book a table.",
      "Find out the user's first and last name. Ask for the spelling where it is not plain.",
      "Book a table.",
    ]);
    assertEquals(asked.map(([, ...names]) => names), [
      ["askForName", "submit", "refuse"],
      ["submit", "refuse"],
      ["askForName", "submit", "refuse"],
    ]);
    assertEquals(found, [{ time: "at eight", name: "Ann Lee" }]);
  });

  it("does one task after the other", async () => {
    const order: string[] = [];
    const agent = defineAgent({
      instructions: "You are a shop.",
      async entry({ session }) {
        await Promise.all([
          session.run(askForSize).then(({ people }) => order.push(String(people))),
          session.run(collectName).then((name) => order.push(name)),
        ]);
        session.say("That is all.");
      },
    });
    await using call = await testCall(agent, {
      llm: scripted([submit({ people: 2 }), submit({ name: "Ann Lee" })]),
    });
    await call.user("Two.");
    call.expect.said("What is your name?");
    await tell(call, "Ann Lee.");
    await call.user("Yes.");
    call.expect.said("Ann Lee, is that right?");
    call.expect.said("That is all.");
    assertEquals(order, ["2", "Ann Lee"]);
    assertEquals(saidIn(call.history).filter(({ role }) => role === "user").length, 3);
  });
});

describe("the tasks that are there", () => {
  const tasks = [
    [collectEmail, { email: "Joe.B@Example.com" }, "j o e dot b at example dot com", "joe.b@example.com"],
    [collectPhoneNumber, { phoneNumber: "+1 (555) 123-4567" }, "plus 1 5 5 5 1 2 3 4 5 6 7", "+15551234567"],
    [collectName, { name: " Ann Lee " }, "Ann Lee", "Ann Lee"],
    [collectDate({ what: "your birthday" }), { date: "2001-03-04" }, "March 4, 2001", "2001-03-04"],
    [collectDigits({ what: "your PIN", length: 4 }), { digits: "48 29" }, "4 8 2 9", "4829"],
  ] as const;
  for (const [collect, args, readBack, expected] of tasks) {
    it(`reads back: ${readBack}`, async () => {
      const found: string[] = [];
      const agent = defineAgent({
        instructions: "You are a shop.",
        entry: async ({ session }) => {
          found.push(await session.run(collect));
          session.say("Thanks.");
        },
      });
      await using call = await testCall(agent, { llm: scripted([submit(args)]) });
      await tell(call, "Here it is.");
      await call.user("Yes, that is right.");
      call.expect.said(`${readBack}, is that right?`);
      call.expect.said("Thanks.");
      assertEquals(found, [expected]);
    });
  }
});

describe("task()", () => {
  it("refuses in words what is no task", () => {
    const result = z.object({});
    assertThrows(() => task({ instructions: " ", result }), /`instructions` is empty/);
    assertThrows(() => task({ instructions: "Ask.", result: z.string() }), /expected an object/);
  });
});

describe("the keys of a telephone", () => {
  it("are a turn when nothing more is pressed for 2 s, or with #", async () => {
    const found: string[] = [];
    const agent = defineAgent({
      instructions: "You are a bank.",
      entry: async ({ session }) => {
        found.push(await session.run(collectDigits({ what: "your PIN" })));
        session.say("Thanks.");
      },
    });
    const told: string[] = [];
    const answer = ({ messages }: LanguageRequest) => {
      const digits = messages.at(-1)!.content;
      told.push(digits);
      return submit({ digits });
    };
    await using call = await testCall(agent, { llm: scripted([answer, answer]) });
    const press = (keys: string) => {
      for (const digit of keys) call.room.tell({ type: "dtmf", digit });
    };
    press("48");
    await call.wait(1_900);
    press("2");
    await call.wait(1_900);
    assertEquals(told, []);
    await call.wait(5_000);
    assertEquals(told, ["482"]);
    press("4829#");
    await call.wait(5_000);
    await call.user("Yes.");
    assertEquals([told, found], [["482", "4829"], ["4829"]]);
    call.expect.said("Thanks.");
  });
});
