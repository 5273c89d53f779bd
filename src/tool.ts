/** What an agent can do besides talking: tools, as their authors define them and as the model is told of them. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { messageOf } from "./errors.ts";
import type { ToolSpec } from "./llm/llm.ts";
import { jsonSchemaOf } from "./tools/schema.ts";
import type { VoiceSession } from "./voice_session.ts";

/**
 * What a tool does to the world. `"none"`: it only looks something up; it may run before the turn is sure to be over, and is
 * dropped when the user interrupts. `"idempotent"`: doing it twice is the same as once; it waits for the end of the turn, and
 * is dropped when the user interrupts. `"once"`: it waits for the end of the turn, runs at most once for its arguments within
 * a turn, and to its end once begun, whatever the user says meanwhile.
 */
export type ToolEffect = "none" | "idempotent" | "once";

/** What a tool works with besides its arguments. */
export interface ToolContext<UserData = unknown> {
  readonly session: VoiceSession;
  /** The session's own data, as the agent's author keeps it. */
  readonly userdata: UserData;
  /** The tool's own name, by which the model called it. */
  readonly name: string;
  /** The model's name for this call. */
  readonly callId: string;
  /**
   * The same for the same arguments in the same turn of the same session, up to 255 characters: for a service that takes an
   * idempotency key.
   */
  readonly idempotencyKey: string;
  /**
   * Aborts when the result is not wanted any more: the call took too long, the answer was cut off, the session ends. For a
   * tool of effect "once" only the last.
   */
  readonly signal: AbortSignal;
  /** Says `text` while the user waits ("still looking…"); nothing once the call is over or the user has interrupted. */
  progress(text: string): void;
  /** The work goes on: it may take `timeoutMs` from now, though no more than 2 minutes in all. */
  heartbeat(): void;
  /** From now on, until the answer is over, the user cannot interrupt. */
  disallowInterruptions(): void;
}

/** A tool as its author writes it. */
export interface ToolDefinition<Schema extends StandardSchemaV1 = StandardSchemaV1, UserData = unknown> {
  /** What it does and when to use it, for the model. */
  readonly description: string;
  /**
   * Its arguments: an object, by any Standard Schema such as zod's (https://standardschema.dev), with a description of each
   * (default: it takes none).
   */
  readonly parameters?: Schema;
  /** JSON Schema of `parameters`, for a library that does not tell it itself (https://standardschema.dev/json-schema). */
  readonly jsonSchema?: Readonly<Record<string, unknown>>;
  readonly effect: ToolEffect;
  /**
   * Does it. What it returns is told to the model, as JSON (text as it stands); a throw is told by its message, so that the
   * message should be fit for the user to hear.
   */
  readonly execute: (
    args: StandardSchemaV1.InferOutput<Schema>,
    ctx: ToolContext<UserData>,
  ) => unknown;
  /** Milliseconds until the model is told that it takes too long (default 15,000). */
  readonly timeoutMs?: number;
  /** Whether the user is asked first (default false); a function says what is asked. */
  readonly confirm?: boolean | ((args: StandardSchemaV1.InferOutput<Schema>) => string);
}

/** What is asked before a call, when somebody must be asked. */
export type Confirmation = true | ((args: unknown) => string);

/** A tool as an agent holds it; made by `tool()`. */
export interface Tool<UserData = unknown> {
  readonly type: "tool";
  readonly description: string;
  readonly effect: ToolEffect;
  /** JSON Schema of an object. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Milliseconds. */
  readonly timeoutMs: number;
  readonly confirm?: Confirmation;
  /** The arguments as `execute` takes them, or what is wrong with those that the model gave. */
  validate(given: unknown): Promise<StandardSchemaV1.Result<unknown>>;
  // A method, so that a tool for one agent's data fits where any tool does.
  execute(args: unknown, ctx: ToolContext<UserData>): Promise<unknown>;
}

/** An agent's tools by the names that the model calls them by. */
export type ToolSet<UserData = unknown> = Readonly<Record<string, Tool<UserData>>>;

/** Default of `timeoutMs`. */
const patienceMs = 15_000;

/**
 * Defines a tool; throws a TypeError that says what is wrong with it.
 *
 * ```ts
 * const getWeather = tool({
 *   description: "The weather in a city",
 *   parameters: z.object({ location: z.string().describe("City name") }),
 *   effect: "none",
 *   execute: async ({ location }, { signal }) => (await fetch(weatherOf(location), { signal })).json(),
 * });
 * ```
 */
export function tool<Schema extends StandardSchemaV1, UserData = unknown>(
  definition: ToolDefinition<Schema, UserData>,
): Tool<UserData> {
  const problem = problemOf(definition);
  if (problem) throw new TypeError(`tool(): ${problem}`);
  const { description, parameters: schema, jsonSchema, effect, timeoutMs = patienceMs, confirm } = definition;
  type Args = StandardSchemaV1.InferOutput<Schema>;
  return Object.freeze<Tool<UserData>>({
    type: "tool",
    description,
    effect,
    parameters: parametersFrom(schema, jsonSchema),
    timeoutMs,
    ...(confirm && { confirm: confirm as Confirmation }), // what it is called with was validated
    validate: async (given) => schema ? await schema["~standard"].validate(given) : { value: {} },
    execute: async (args, ctx) => await definition.execute(args as Args, ctx),
  });
}

/** What the model is told of `tools`. */
export function toolSpecs(tools: ToolSet): ToolSpec[] {
  return Object.entries(tools).map(([name, { description, parameters }]) => ({
    name,
    description,
    parameters,
  }));
}

/** What is wrong with an agent's `tools`, if anything is. */
export function problemOfTools(tools: ToolSet): string | undefined {
  for (const [name, given] of Object.entries(tools) as [string, Partial<Tool> | undefined][]) {
    if (!/^[a-zA-Z0-9_-]{1,64}$/.test(name)) {
      return `a tool is named ${JSON.stringify(name)}; expected up to 64 letters, digits, "_" and "-"`;
    }
    if (given?.type !== "tool") return `tools.${name} is not a tool; expected what tool() returns`;
  }
  return undefined;
}

function problemOf(
  { description, parameters, effect, execute, timeoutMs = 1, confirm = false }: Partial<
    Readonly<Record<keyof ToolDefinition, unknown>>
  >,
): string | undefined {
  if (typeof description !== "string" || description.trim() === "") {
    return "`description` is empty; expected what the tool does and when to use it, for the model";
  }
  if (effect !== "none" && effect !== "idempotent" && effect !== "once") {
    return `\`effect\` is ${JSON.stringify(effect)}; expected "none", "idempotent" or "once"`;
  }
  if (typeof execute !== "function") return `\`execute\` is ${typeof execute}; expected a function`;
  if (!(typeof timeoutMs === "number" && timeoutMs > 0)) {
    return `\`timeoutMs\` is ${timeoutMs}; expected milliseconds, more than 0`;
  }
  if (typeof confirm !== "boolean" && typeof confirm !== "function") {
    return `\`confirm\` is ${
      JSON.stringify(confirm)
    }; expected true, false or a function that says what is asked`;
  }
  const standard = (parameters as Partial<StandardSchemaV1> | undefined)?.["~standard"];
  if (parameters !== undefined && typeof standard?.validate !== "function") {
    return "`parameters` is no schema; expected a Standard Schema such as z.object({…}) (https://standardschema.dev)";
  }
  return undefined;
}

function parametersFrom(
  schema: StandardSchemaV1 | undefined,
  given: Readonly<Record<string, unknown>> | undefined,
): Readonly<Record<string, unknown>> {
  try {
    return jsonSchemaOf(schema, given);
  } catch (error) {
    throw new TypeError(`tool(): ${messageOf(error)}`, { cause: error });
  }
}
