/** Tasks: small conversations with an aim of their own, of which a value comes. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Agent } from "./agent.ts";
import { TaskError } from "./errors.ts";
import { tool, type ToolSet } from "./tool.ts";

/** A task as its author writes it. */
export interface TaskDefinition<Schema extends StandardSchemaV1> {
  /** What the model is to find out, in place of the agent's own instructions. */
  readonly instructions: string;
  /** What comes of it: an object, by any Standard Schema such as zod's, with a description of each of its parts. */
  readonly result: Schema;
  /** JSON Schema of `result`, for a library that does not tell it itself (https://standardschema.dev/json-schema). */
  readonly jsonSchema?: Readonly<Record<string, unknown>>;
  /** What is said first (default: the model begins). */
  readonly opening?: string;
  /** What the user is asked before the result counts ("It is joe@example.com, is that right?"; default: nothing). */
  readonly confirm?: (result: StandardSchemaV1.InferOutput<Schema>) => string;
  /** What can be used meanwhile (default: nothing; the agent's own tools are not there). */
  readonly tools?: ToolSet;
}

/** A task, for `session.run()`; made by `task()`. */
export interface Task<Result> {
  readonly type: "task";
  /** Who does it: as `agent`, but for what it is told and can do. `settle` is called once, when it is over. */
  doneBy(agent: Agent, settle: (ended: TaskEnd<Result>) => TaskOver): Agent;
}

/** What came of a task. */
export type TaskEnd<Result> = { readonly result: Result } | { readonly error: TaskError };

/** For a tool of the task's to return: it is over, and whoever ran it goes on with the conversation. */
export interface TaskOver {
  readonly type: "task-over";
  /** What the models are told. */
  readonly result: string;
  readonly end: () => void;
}

const overs = new WeakSet<object>();

/** Made where a task is run. */
export function taskOver(over: Omit<TaskOver, "type">): TaskOver {
  const made: TaskOver = Object.freeze({ type: "task-over", ...over });
  overs.add(made);
  return made;
}

/** Whether a tool returned that its task is over. */
export const isTaskOver = (value: unknown): value is TaskOver =>
  typeof value === "object" && value !== null && overs.has(value);

const rules =
  "Talk about nothing else. Call submit as soon as you know what you are to find out; do not ask " +
  "whether it is right, since that is done for you. When the user is not willing to tell, or wants something else, " +
  "call refuse.";

/**
 * Defines a task; throws a TypeError that says what is wrong with it.
 *
 * ```ts
 * const askForSize = task({
 *   instructions: "Find out how many people the table is for.",
 *   opening: "For how many people?",
 *   result: z.object({ people: z.int().min(1).max(12).describe("How many") }),
 * });
 * const { people } = await session.run(askForSize);
 * ```
 */
export function task<Schema extends StandardSchemaV1>(
  { instructions, result, jsonSchema, opening, confirm, tools }: TaskDefinition<Schema>,
): Task<StandardSchemaV1.InferOutput<Schema>> {
  type Result = StandardSchemaV1.InferOutput<Schema>;
  const submit = (settle: (ended: TaskEnd<Result>) => TaskOver) =>
    tool<Schema>({
      description: "Hands in what you have found out",
      parameters: result,
      ...(jsonSchema && { jsonSchema }),
      effect: "once",
      ...(confirm && { confirm }),
      execute: (result) => settle({ result }),
    });
  const refuse = (settle: (ended: TaskEnd<Result>) => TaskOver) =>
    tool({
      description: "Gives up, since the user is not willing to tell, or wants something else",
      effect: "once",
      execute: () => settle({ error: new TaskError("the user did not want to tell", { reason: "refused" }) }),
    });
  if (!instructions.trim()) {
    throw new TypeError("task(): `instructions` is empty; expected what is to be found out");
  }
  submit(() => { // it is checked now, not in a call
    throw new Error("task(): nothing was run");
  });
  return Object.freeze<Task<Result>>({
    type: "task",
    doneBy({ entry: _, mcpServers: __, ...agent }, settle) {
      return {
        ...agent,
        instructions: `${instructions}\n\n${rules}`,
        tools: { ...tools, submit: submit(settle), refuse: refuse(settle) },
        ...(opening && { entry: ({ session }) => void session.say(opening) }),
      };
    },
  });
}
