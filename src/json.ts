/** JSON that others send. */
import type * as z from "zod";

/** What `data` says; undefined when it is no text, no JSON, or of another shape than `schema` has. */
export function parseJson<T>(data: unknown, schema: z.ZodType<T>): T | undefined {
  if (typeof data !== "string") return undefined;
  try {
    return schema.parse(JSON.parse(data));
  } catch {
    return undefined; // the caller says so
  }
}

/** `value` with its keys, and those of the objects in it, in camel case: for whoever spells them in both ways. */
export function camelKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      camelKeys(inner),
    ]),
  );
}
