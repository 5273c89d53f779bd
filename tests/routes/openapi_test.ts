import { assert, assertEquals } from "@std/assert";
import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, it } from "@std/testing/bdd";
import { Hono } from "hono";
import * as z from "zod";
import type { AppEnv } from "../../routes/app.ts";
import { json } from "../../routes/json_body.ts";
import { describeApi, describedRoutes } from "../../routes/openapi.ts";
import { answers, operation, refuses } from "../../routes/operation.ts";
import { createArchive } from "../../src/telemetry/archive.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog as log } from "../fakes/log.ts";
import { setUpPage } from "../fakes/page_app.ts";

const livekit = { url: "ws://127.0.0.1:1", apiKey: "key", apiSecret: "a-secret-of-at-least-32-characters" };

/** Pages' files, and what LiveKit itself describes. */
const undocumented = [
  "GET /",
  "GET /docs",
  "GET /docs/:file",
  "GET /playground/:file{[a-z_]+\\.(css|js|svg)}",
  "GET /playground/livekit-client.js",
  "POST /twirp/livekit.AgentDispatchService/CreateDispatch",
  "POST /twirp/livekit.AgentDispatchService/DeleteDispatch",
  "POST /twirp/livekit.AgentDispatchService/ListDispatch",
];

/** Every route that there can be. */
function setUp() {
  const clock = fakeClock();
  const archive = createArchive({ ttlMs: 0, clock, log });
  return setUpPage({ livekit, archive, metrics: createMetrics({ clock }) }).app;
}

describe("the API's description", () => {
  it("has every route but those that are named here", () => {
    const routes = describedRoutes(setUp().routes);
    const named = (wanted: unknown) =>
      routes.filter(({ described }) => described === wanted).map(({ method, path }) => `${method} ${path}`);
    assertEquals(named(undefined), [], "operation.ts says how a route declares its operation");
    assertEquals(named("undocumented").toSorted(), undocumented);
    assert(routes.length > undocumented.length + 15);
  });

  it("is valid OpenAPI 3.1, served as JSON", async () => {
    const app = setUp();
    const response = await app.request("/openapi.json");
    assertEquals([response.status, response.headers.get("content-type")], [200, "application/json"]);
    const document = await response.json();
    const { valid, errors } = await new Validator().validate(document);
    assert(valid, JSON.stringify(errors, undefined, 2));
    assertEquals(document.openapi, "3.1.0");
  });

  it("tells of each operation what it is for, under a tag, and of each refusal that it is a problem", async () => {
    const app = setUp();
    const { paths } = await (await app.request("/openapi.json")).json();
    const wrong: string[] = [];
    for (const [path, methods] of Object.entries<Record<string, Operation>>(paths)) {
      for (const [method, { summary, tags, responses }] of Object.entries(methods)) {
        if (!summary || tags?.length !== 1) wrong.push(`${method} ${path} has no summary or tag`);
        for (const [status, { content = {} }] of Object.entries(responses)) {
          const isProblem = "application/problem+json" in content;
          if (isProblem !== /^(4..|5..|default)$/.test(status)) wrong.push(`${method} ${path} ${status}`);
        }
      }
    }
    assertEquals(wrong, []);
  });

  it("gathers an operation from its handlers: what is taken, who may ask, and every refusal", async () => {
    const app = setUp();
    const { paths } = await (await app.request("/openapi.json")).json();
    const { requestBody, responses, security } = paths["/dispatch"].post;
    assertEquals(
      Object.keys(responses),
      ["200", "201", "202", "400", "401", "403", "404", "409", "413", "415", "429", "503", "default"],
    );
    assertEquals(security, [{ token: [] }]);
    assertEquals(requestBody.content["application/json"].schema, { $ref: "#/components/schemas/Dispatch" });
    assertEquals(Object.keys(responses[429].headers), ["Retry-After", "X-Request-Id"]);
  });

  it("limits whatever costs something, and says so", async () => {
    const { paths } = await (await setUp().request("/openapi.json")).json();
    const unlimited = Object.entries<Record<string, Operation>>(paths).flatMap(([path, methods]) =>
      Object.entries(methods).filter(([, { responses }]) => !responses["429"]).map(([method]) =>
        `${method} ${path}`
      )
    );
    // They answer what is at hand; and of webhooks each counts, while a forged one costs no more than its signature.
    assertEquals(unlimited.filter((operation) => operation !== "post /webhooks/livekit"), [
      "get /openapi.json",
      "get /healthz",
      "get /readyz",
      "get /playground/config",
    ]);
  });

  it("describes the body from the schema that checks it, and the path's names", async () => {
    const schema = z.strictObject({ count: z.int().min(1) });
    const app = new Hono<AppEnv>().post(
      "/things/:id{[a-z]+}/parts",
      operation({ summary: "Count", responses: { 200: answers("Counted.", schema), 400: refuses("Odd.") } }),
      json(schema),
      (c) => c.json(c.req.valid("json")),
    );
    const { paths } = describeApi(app.routes);
    const { post } = paths?.["/things/{id}/parts"] ?? {};
    assertEquals(post?.operationId, "post-things-id-parts");
    assertEquals(post?.parameters, [{
      name: "id",
      in: "path",
      required: true,
      schema: { type: "string" },
    }]);
    const described = JSON.stringify(post?.requestBody);
    assert(described.includes('"minimum":1'), described);
    assertEquals(post?.responses?.["400"].description.startsWith("Odd. The body is not"), true);
    const send = (body: unknown) =>
      app.request("/things/a/parts", {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      });
    assertEquals(await (await send({ count: 1 })).json(), { count: 1 });
    assertEquals((await send({ count: 0 })).status, 400);
  });
});

interface Operation {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}
