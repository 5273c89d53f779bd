/** What `jsr:@std/assert` exports and the tests use; one line in deno.json switches to it. */
import assert from "node:assert/strict";

export function assert_(value: unknown, message?: string): asserts value {
  if (message === undefined) assert.ok(value);
  else assert.ok(value, message);
}
export { assert_ as assert };
export function assertEquals(actual: unknown, expected: unknown, message?: string): void {
  if (message === undefined) assert.deepStrictEqual(actual, expected);
  else assert.deepStrictEqual(actual, expected, message);
}
export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  if (message === undefined) assert.match(actual, expected);
  else assert.match(actual, expected, message);
}
export function assertThrows(fn: () => unknown, expected?: RegExp): void {
  if (expected) assert.throws(fn, expected);
  else assert.throws(fn);
}
export async function assertRejects(fn: () => Promise<unknown>, expected?: RegExp): Promise<void> {
  if (expected) await assert.rejects(fn, expected);
  else await assert.rejects(fn);
}
