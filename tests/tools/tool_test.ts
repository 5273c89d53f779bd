import type { StandardSchemaV1 } from "@standard-schema/spec";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { z } from "zod";
import { problemOfTools, tool, type ToolContext, type ToolDefinition, toolSpecs } from "../../src/tool.ts";
import { issuesInWords } from "../../src/tools/schema.ts";
import { refusalOf } from "../emulators/openai_requests.ts";

const parameters = z.object({
  location: z.string().describe("City name"),
  days: z.number().int().min(1).optional().describe("How many days ahead"),
  units: z.enum(["F", "C"]).describe("Unit of temperature").default("F"),
  place: z.object({ country: z.string().describe("ISO country code") }).describe("Where the city is"),
  wishes: z.array(z.string().describe("One thing to tell")).describe("What to tell"),
});
const getWeather = {
  description: "The weather in a city",
  parameters,
  effect: "none",
  execute: () => 1,
} as const;

/** Every description in a JSON Schema, by the path of what it describes. */
function descriptions(schema: unknown, path = ""): Record<string, string> {
  if (typeof schema !== "object" || schema === null) return {};
  const { description, properties = {}, items } = schema as {
    readonly description?: string;
    readonly properties?: Record<string, unknown>;
    readonly items?: unknown;
  };
  return Object.assign(
    description === undefined ? {} : { [path]: description },
    ...Object.entries(properties).map(([name, inner]) => descriptions(inner, `${path}.${name}`)),
    descriptions(items, `${path}[]`),
  );
}

/** A library that is not zod: a schema by hand. */
function byHand(more: object = {}): StandardSchemaV1<unknown, { readonly n: number }> {
  return {
    "~standard": {
      version: 1,
      vendor: "by hand",
      validate: (given) => {
        const { n } = given as { readonly n: unknown };
        return typeof n === "number" ? { value: { n } } : { issues: [{ message: "no number", path: ["n"] }] };
      },
      ...more,
    },
  };
}
const told = {
  type: "object",
  properties: { n: { type: "number", description: "A number" } },
  required: ["n"],
};

describe("tool()", () => {
  it("tells the model of every parameter, with its description", () => {
    const specs = toolSpecs({ getWeather: tool(getWeather) });
    assertEquals(specs.map(({ name, description }) => [name, description]), [[
      "getWeather",
      "The weather in a city",
    ]]);
    assertEquals(descriptions(specs[0]?.parameters), {
      ".location": "City name",
      ".days": "How many days ahead",
      ".units": "Unit of temperature",
      ".place": "Where the city is",
      ".place.country": "ISO country code",
      ".wishes": "What to tell",
      ".wishes[]": "One thing to tell",
    });
    assertEquals(specs[0]?.parameters.required, ["location", "place", "wishes"]);
    assert(!("$schema" in specs[0]!.parameters));
    const tools = specs.map((spec) => ({ type: "function" as const, function: spec }));
    assertEquals(refusalOf({ messages: [{ role: "user", content: "Hi" }], tools }), undefined);
  });

  it("infers what execute() is called with, and the data that it works with", () => {
    const made = tool({
      ...getWeather,
      confirm: ({ location }) => `Look up ${location.toUpperCase()}?`,
      execute: ({ location, days = 1, units, place }, ctx: ToolContext<{ readonly orders: string[] }>) => {
        const unit: "F" | "C" = units;
        ctx.userdata.orders.push(location.toUpperCase());
        // @ts-expect-error: a number has no such method
        assert(days.toUpperCase === undefined);
        return [unit, place.country.length];
      },
    });
    const plain: ReturnType<typeof tool>[] = [made, tool(getWeather)];
    assertEquals(plain.length, 2);
  });

  it("takes no arguments where there are no parameters", async () => {
    const now = tool({ description: "The time", effect: "none", execute: () => "noon" });
    assertEquals(now.parameters, { type: "object", properties: {} });
    assertEquals(await now.validate({ any: 1 }), { value: {} });
  });

  it("validates and transforms arguments by the schema", async () => {
    const made = tool({ ...getWeather, parameters: z.object({ at: z.string().transform(Number) }) });
    assertEquals(made.parameters.properties, { at: { type: "string" } });
    assertEquals(await made.validate({ at: "5" }), { value: { at: 5 } });
    const { issues = [] } = await tool(getWeather).validate({ location: 1, place: {}, wishes: ["a", 2] });
    assertMatch(issuesInWords(issues), /^location: .+string.+; place\.country: .+; wishes\.1: .+string/);
  });

  it("takes any library that tells its JSON Schema", async () => {
    const asked: unknown[] = [];
    const input = (options: unknown) => {
      asked.push(options);
      return { $schema: "any", ...told };
    };
    const made = tool({
      ...getWeather,
      parameters: byHand({ jsonSchema: { input } }),
      execute: ({ n }) => n.toFixed(1),
    });
    assertEquals([made.parameters, asked], [told, [{ target: "draft-2020-12" }]]);
    assertEquals(await made.validate({ n: "1" }), { issues: [{ message: "no number", path: ["n"] }] });
  });

  it("takes any other library with its JSON Schema beside it", () => {
    assertEquals(tool({ ...getWeather, parameters: byHand(), jsonSchema: told }).parameters, told);
  });

  const loose = (more: object) => () => tool({ ...getWeather, ...more } as ToolDefinition);
  const wrong: [what: string, define: () => unknown, message: RegExp][] = [
    ["no description", loose({ description: " " }), /`description` is empty; expected what the tool does/],
    [
      "no effect",
      loose({ effect: undefined }),
      /`effect` is undefined; expected "none", "idempotent" or "once"/,
    ],
    ["another effect", loose({ effect: "twice" }), /`effect` is "twice"/],
    ["no function", loose({ execute: undefined }), /`execute` is undefined; expected a function/],
    ["no time", loose({ timeoutMs: 0 }), /`timeoutMs` is 0; expected milliseconds/],
    ["no question", loose({ confirm: "sure?" }), /`confirm` is "sure\?"/],
    [
      "plain JSON Schema",
      loose({ parameters: told }),
      /`parameters` is no schema; expected a Standard Schema/,
    ],
    ["no object", loose({ parameters: z.string() }), /`parameters` has "string"; expected an object/],
    ["alternatives", loose({ parameters: z.union([z.object({}), z.object({})]) }), /no type of its own/],
    [
      "what JSON cannot carry",
      loose({ parameters: z.object({ at: z.date() }) }),
      /Date cannot be represented/,
    ],
    [
      "a silent library",
      loose({ parameters: byHand() }),
      /by "by hand" tells no JSON Schema; expected it as `jsonSchema`/,
    ],
    ["a JSON Schema alone", loose({ parameters: undefined, jsonSchema: told }), /without `parameters`/],
  ];
  for (const [what, define, message] of wrong) {
    it(`refuses in words: ${what}`, () => {
      assertThrows(define, new RegExp(`^TypeError: tool\\(\\): .*${message.source}`));
    });
  }
});

describe("problemOfTools()", () => {
  it("finds nothing wrong with what tool() made", () => {
    assertEquals(problemOfTools({ getWeather: tool(getWeather), "do-2": tool(getWeather) }), undefined);
  });

  it("names what cannot be told to a model", () => {
    assertMatch(problemOfTools({ "get weather": tool(getWeather) }) ?? "", /named "get weather"; expected/);
    assertMatch(problemOfTools({ a: getWeather as never }) ?? "", /tools\.a is not a tool/);
  });
});
