/** Schemas as a model is told of them, and what is wrong with arguments, in words. */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { messageOf } from "../errors.ts";

/** What a tool takes that takes nothing. */
const nothing = { type: "object", properties: {} } as const;

/**
 * The JSON Schema of `schema`: `given`, or what its library tells (https://standardschema.dev/json-schema). Throws an Error
 * when there is none, or it describes no object.
 */
export function jsonSchemaOf(
  schema: StandardSchemaV1 | undefined,
  given?: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  if (!schema && !given) return nothing;
  if (!schema) {
    throw new Error("there is a `jsonSchema` without `parameters`; expected the schema that checks it");
  }
  const { $schema: _, ...told } = given ?? toldBy(schema);
  if (told.type !== "object") {
    const what = typeof told.type === "string" ? JSON.stringify(told.type) : "no type of its own";
    throw new Error(`\`parameters\` has ${what}; expected an object, such as z.object({…})`);
  }
  return told;
}

function toldBy(schema: StandardSchemaV1): Record<string, unknown> {
  const { vendor, jsonSchema }: StandardSchemaV1.Props & Partial<StandardJSONSchemaV1.Props> =
    schema["~standard"];
  if (!jsonSchema) {
    throw new Error(
      `the schema by ${
        JSON.stringify(vendor)
      } tells no JSON Schema; expected it as \`jsonSchema\`, or a library that does`,
    );
  }
  try {
    return jsonSchema.input({ target: "draft-2020-12" });
  } catch (error) {
    throw new Error(
      `\`parameters\` cannot be told as JSON Schema: ${messageOf(error)}; expected what JSON can carry`,
      { cause: error },
    );
  }
}

/** What is wrong with arguments, for the model: "location: expected string; date.year: too small". */
export function issuesInWords(issues: readonly StandardSchemaV1.Issue[]): string {
  return issues.map(({ message, path = [] }) => {
    const where = path.map((part) => String(typeof part === "object" ? part.key : part)).join(".");
    return where ? `${where}: ${message}` : message;
  }).join("; ");
}
