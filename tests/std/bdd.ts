/** What `jsr:@std/testing/bdd` exports and the tests use; one line in deno.json switches to it. */
export { after as afterAll, afterEach, before as beforeAll, beforeEach, describe, it } from "node:test";
