/** Bodies of JSON: their type, their size and their shape, refused in words. */
import type { Context, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import * as z from "zod";
import { problem } from "./problem.ts";

const maxBodyBytes = 64 * 1024;

/** Lets a request pass whose body says that it is JSON and is of up to 64 KiB. */
export const jsonBody: readonly [MiddlewareHandler, MiddlewareHandler] = [
  async (c, next) => {
    if (/^application\/json\s*(;|$)/i.test(c.req.header("content-type") ?? "")) return await next();
    return problem(c, 415, "Expected a body of `Content-Type: application/json`.");
  },
  bodyLimit({
    maxSize: maxBodyBytes,
    onError: (c) => problem(c, 413, `The body is too large; expected up to ${maxBodyBytes} bytes.`),
  }),
];

/** What the body says, or the answer that it is not of the shape of `schema`. */
export async function readJson<T extends z.ZodType>(c: Context, schema: T): Promise<z.infer<T> | Response> {
  const body = schema.safeParse(parseJson(await c.req.text()));
  if (body.success) return body.data;
  const errors = body.error.issues.map(({ path, message }) => ({ field: path.join("."), message }));
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
