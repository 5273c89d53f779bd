import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import * as z from "zod";
import { askedFor, createExpectations } from "../src/expectations.ts";
import { tool } from "../src/tool.ts";
import type { UnstampedTurnEvent } from "../src/turn_taker.ts";

const book = tool({
  description: "Books a table",
  parameters: z.object({
    name: z.string(),
    email: z.email(),
    phone: z.e164().nullable(),
    day: z.iso.date(),
    memberCode: z.string().regex(/^\d{6}$/),
    voucher: z.string().meta({ dictation: "digits", length: 8 }),
  }),
  effect: "once",
  execute: () => "booked",
});
const tools = { book };

const cases: Record<string, ReturnType<typeof askedFor>> = {
  "What is your e-mail address?": { kind: "email" },
  "I need that confirmed. Please tell me your email.": { kind: "email" },
  "Thanks! And what phone number can we reach you at?": { kind: "phone" },
  "What day would you like to come?": { kind: "date" },
  "When should that be?": { kind: "date" },
  "Could I have your member code, please?": { kind: "digits", length: 6 },
  "What is on the voucher?": { kind: "digits", length: 8 },
  "Wie lautet Ihre Telefonnummer?": { kind: "phone" },
  "What is your name?": undefined,
  "Your email is on its way.": undefined,
  "So your email is joe@example.com, is that right?": undefined,
  "What is your email? We have a table at seven. It is by the window. You will like it. Fine?": undefined,
};

describe("what the agent asks for", () => {
  for (const [text, expected] of Object.entries(cases)) {
    it(`"${text}"`, () => assertEquals(askedFor(text, { tools }), expected));
  }

  it("is nothing that no tool takes", () => assertEquals(askedFor("What is your email?", {}), undefined));

  it("is what its own code says, until that takes it back", () => {
    const events: UnstampedTurnEvent[] = [];
    const expectations = createExpectations((event) => void events.push(event));
    expectations.expect({ kind: "digits", length: 4 });
    expectations.said("What is your email?", { tools });
    expectations.expect(undefined);
    expectations.said("What is your email?", { tools });
    expectations.said("Thank you.", { tools });
    assertEquals(
      events,
      [{ kind: "digits", length: 4 } as const, undefined, { kind: "email" } as const, undefined]
        .map((expected) => ({ type: "expectation-changed", expected })),
    );
  });
});
