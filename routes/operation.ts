/**
 * How a route says what it is in the API's description (`/openapi.json`). Nothing is written twice: a handler carries what
 * it has to say, and the description is gathered from the handlers that are registered, under the method and the path
 * that they are registered with. A route file therefore
 *
 *   1. puts `operation({ summary, tags, responses })` first among a route's handlers; `responses` names what the route
 *      itself answers, with `answers(words, schema)` for what succeeds and `refuses(words)` for a problem document;
 *   2. takes its input through middleware that checks it and describes it from the same schema: `json(schema)` for a body
 *      (then `c.req.valid("json")` is what was checked, and 400, 413 and 415 are described), `query(schema)` for a query
 *      (`c.req.valid("query")`, 400); a path's `:id` is described by itself;
 *   3. uses `authenticate()`, `limited()` and their like, which bring the token, 401 and 429 with them; a middleware of
 *      its own that refuses requests is wrapped in `describes(handler, part)`;
 *   4. gives a schema a name with `.meta({ id: "Session" })`, fields a `description`, and either an `example`.
 *
 * A body that no schema checks (protobuf, a signed text) is told in `operation({ requestBody })`. A route that nobody
 * outside should know says `operation("undocumented")`; tests/routes/openapi_test.ts fails for one that says nothing.
 */
import type { Handler, MiddlewareHandler } from "hono";
import * as z from "zod";
import type { ZodOpenApiOperationObject, ZodOpenApiResponseObject } from "zod-openapi";

/** A part of an operation, as OpenAPI 3.1 spells it; schemas are zod's. */
export type OperationPart = Partial<ZodOpenApiOperationObject>;

/** What is written of a route: its parts in the order of its handlers, or that it is not for the description. */
export type Described = OperationPart | "undocumented";

// deno-lint-ignore ban-types -- a WeakMap's key is whatever function the router keeps
const parts = new WeakMap<Function, Described>();

/** Remembers what `handler` does to the operation it takes part in, and returns it. */
export function describes<H extends Handler | MiddlewareHandler>(handler: H, part: Described): H {
  parts.set(handler, part);
  return handler;
}

/** What `handler` says; undefined when it says nothing. */
export function descriptionOf(handler: Handler | MiddlewareHandler): Described | undefined {
  return parts.get(handler);
}

/** Describes a route; lets every request pass. */
export function operation(part: Described): MiddlewareHandler {
  return describes((_c, next) => next(), part);
}

/** An answer of JSON, or of another `type`; without a schema, one without a body. */
export function answers(
  description: string,
  schema?: z.ZodType,
  { type = "application/json", example }: { readonly type?: string; readonly example?: unknown } = {},
): ZodOpenApiResponseObject {
  if (!schema) return { description };
  return { description, content: { [type]: { schema, ...(example !== undefined && { example }) } } };
}

/** What problem documents say; see problem.ts. */
export const problemSchema = z.looseObject({
  type: z.literal("about:blank"),
  title: z.string().meta({ description: "The status in words.", example: "Bad Request" }),
  status: z.int().meta({ example: 400 }),
  detail: z.string().meta({ description: "What is wrong and what was expected, in one sentence." }),
  requestId: z.string().optional().meta({
    description: "The answer's x-request-id; the server's log has it.",
  }),
}).meta({ id: "Problem", description: "Problem details (RFC 9457)." });

/** An answer that refuses: a problem document, with `headers` by their names and what they say. */
export function refuses(
  description: string,
  headers: Readonly<Record<string, string>> = {},
): ZodOpenApiResponseObject {
  const described = Object.entries(headers).map(([name, words]) =>
    [name, { description: words, schema: { type: "string" as const } }] as const
  );
  return {
    description,
    ...(described.length > 0 && { headers: Object.fromEntries(described) }),
    content: { "application/problem+json": { schema: problemSchema } },
  };
}

/** The answer to a request that came too soon; also what full and draining servers say. */
export const retryAfter = {
  "Retry-After": "Seconds after which the request may be made again.",
};

/** One operation out of what its handlers say: the lists joined, answers of one status described together. */
export function merged(all: readonly OperationPart[]): ZodOpenApiOperationObject {
  const operation: ZodOpenApiOperationObject = { responses: {} };
  for (const { responses = {}, parameters, ...rest } of all) {
    Object.assign(operation, rest);
    if (parameters) operation.parameters = [...operation.parameters ?? [], ...parameters];
    for (const [status, answer] of Object.entries(responses)) {
      const key = status as `${1 | 2 | 3 | 4 | 5}${string}`;
      const known = operation.responses[key];
      operation.responses[key] = known ? both(known, answer) : answer;
    }
  }
  return operation;
}

type Response = ZodOpenApiOperationObject["responses"][`${1 | 2 | 3 | 4 | 5}${string}`];

function both(first: Response, second: Response): Response {
  if ("$ref" in first || "$ref" in second) return second;
  return {
    ...first,
    ...second,
    description: `${first.description} ${second.description}`,
    headers: { ...first.headers, ...second.headers },
    content: { ...first.content, ...second.content },
  };
}
