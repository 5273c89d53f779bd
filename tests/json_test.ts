import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import * as z from "zod";
import { camelKeys, parseJson } from "../src/json.ts";

describe("parseJson()", () => {
  const schema = z.object({ at: z.number().transform((seconds) => seconds * 1000) });
  const cases: Record<string, [data: unknown, expected: z.infer<typeof schema> | undefined]> = {
    "what the schema makes of it": ['{"at":2,"more":1}', { at: 2000 }],
    "nothing where it has another shape": ['{"at":"2"}', undefined],
    "nothing where it is no JSON": ["{oops", undefined],
    "nothing where it is no text": [new Uint8Array([123, 125]), undefined],
  };
  for (const [name, [data, expected]] of Object.entries(cases)) {
    it(`gives ${name}`, () => assertEquals(parseJson(data, schema), expected));
  }
});

describe("camelKeys()", () => {
  it("spells keys in one way, however deep they are, and leaves values alone", () => {
    const value = { is_final: true, wordTimes: [{ start_ms: 1, text: "a_b" }], none: null };
    assertEquals(camelKeys(value), {
      isFinal: true,
      wordTimes: [{ startMs: 1, text: "a_b" }],
      none: null,
    });
  });
});
