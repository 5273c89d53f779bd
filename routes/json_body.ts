/** Bodies of JSON: their type, their size and their shape, refused in words; and the queries of addresses. */
import type { Context, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import * as z from "zod";
import { describes, refuses } from "./operation.ts";
import { problem } from "./problem.ts";

const maxBodyBytes = 64 * 1024;

const bodyLimited = bodyLimit({
  maxSize: maxBodyBytes,
  onError: (c) => problem(c, 413, `The body is too large; expected up to ${maxBodyBytes} bytes.`),
});

/** A middleware after which `c.req.valid(Target)` is what `T` makes of the request. */
type Validated<Target extends string, T extends z.ZodType> = MiddlewareHandler<
  // deno-lint-ignore no-explicit-any -- any environment: it reads none, and a narrower one would be forced on its route
  any,
  string,
  { in: { [K in Target]: z.input<T> }; out: { [K in Target]: z.output<T> } }
>;

/** Lets a request pass whose body is JSON of up to 64 KiB and of the shape of `schema`: `c.req.valid("json")`. */
export function json<T extends z.ZodType>(schema: T): Validated<"json", T> {
  const takesJson: Validated<"json", T> = async (c, next) => {
    if (!/^application\/json\s*(;|$)/i.test(c.req.header("content-type") ?? "")) {
      return problem(c, 415, "Expected a body of `Content-Type: application/json`.");
    }
    let refusal: Response | undefined;
    const tooLarge = await bodyLimited(c, async () => {
      const body = schema.safeParse(parseJson(await c.req.text()));
      if (!body.success) refusal = misshapen(c, body.error);
      else {
        c.req.addValidatedData("json", body.data as object);
        await next();
      }
    });
    return tooLarge ?? refusal;
  };
  return describes(takesJson, {
    requestBody: { required: true, content: { "application/json": { schema } } },
    responses: {
      400: refuses("The body is not of the expected shape; `errors` names each field that is not."),
      413: refuses(`The body is larger than ${maxBodyBytes} bytes.`),
      415: refuses("The body is not said to be JSON."),
    },
  });
}

/** Lets a request pass whose query is of the shape of `schema`: `c.req.valid("query")`. */
export function query<T extends z.ZodObject>(schema: T): Validated<"query", T> {
  const takesQuery: Validated<"query", T> = async (c, next) => {
    const given = schema.safeParse(c.req.query());
    if (!given.success) return misshapen(c, given.error);
    c.req.addValidatedData("query", given.data);
    await next();
  };
  return describes(takesQuery, {
    requestParams: { query: schema },
    responses: {
      400: refuses("The query is not of the expected shape; `errors` names each field that is not."),
    },
  });
}

function misshapen(c: Context, { issues }: z.ZodError): Response {
  const errors = issues.map(({ path, message }) => ({ field: path.join("."), message }));
  const words = errors.map(({ field, message }) => field ? `${field}: ${message}` : message);
  return problem(c, 400, words.join("; "), { errors });
}

/** A schema for the name of something: 1–256 characters. */
export const name = (what: string) =>
  z.string({ error: `expected ${what}, as a string` }).min(1, `expected ${what}, not an empty string`)
    .max(256, `expected ${what}, in up to 256 characters`);

/** What is said of a body that is no object; a field that is too much is named instead. */
export const expectedObject = (example: string) => ({
  error: ({ code }: { readonly code: string }) =>
    code === "unrecognized_keys" ? undefined : `expected a JSON object, such as ${example}`,
});

/** What `text` says; undefined when it is not JSON, which no body may be. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
