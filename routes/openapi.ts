/** `GET /openapi.json`: the API in OpenAPI 3.1, gathered from the routes; operation.ts says how a route declares itself. */
import { Hono } from "hono";
import type { RouterRoute } from "hono/types";
import * as z from "zod";
import { createDocument, type ZodOpenApiPathsObject } from "zod-openapi";
import type { AppEnv } from "./app.ts";
import {
  type Described,
  descriptionOf,
  merged,
  operation,
  type OperationPart,
  refuses,
} from "./operation.ts";

type OpenApiDocument = ReturnType<typeof createDocument>;

const info = {
  title: "Repartee",
  version: "1",
  description: "A voice-agent server: sends agents to LiveKit rooms and tells what happens in their calls. " +
    "Whatever is refused is answered with a problem document (RFC 9457).",
};

/** What every answer has. */
const requestId = { "X-Request-Id": { $ref: "#/components/headers/RequestId" } };

/** A route with what its handlers say of it; undefined when none says anything. */
interface DescribedRoute {
  readonly method: string;
  readonly path: string;
  readonly described: OperationPart | "undocumented" | undefined;
}

/** Serves the description of every route of `app`, those that are added later too, until it is first asked for. */
export function openApiRoutes(app: Hono<AppEnv>): Hono<AppEnv> {
  let document: OpenApiDocument | undefined;
  return new Hono<AppEnv>().get(
    "/openapi.json",
    operation({
      summary: "This description",
      tags: ["Server"],
      responses: {
        200: {
          description: "OpenAPI 3.1.",
          content: { "application/json": { schema: z.looseObject({ openapi: z.string() }) } },
        },
      },
    }),
    (c) => c.json(document ??= describeApi(app.routes)),
  );
}

/** The document of those `routes`. */
export function describeApi(routes: readonly RouterRoute[]): OpenApiDocument {
  const paths: ZodOpenApiPathsObject = {};
  for (const { method, path, described } of describedRoutes(routes)) {
    if (described === undefined || described === "undocumented") continue;
    const names = [...path.matchAll(/:([a-zA-Z]+)/g)].map(([, name = ""]) => name);
    const parameters = names.map((name) => ({
      name,
      in: "path" as const,
      required: true,
      schema: { type: "string" as const },
    }));
    const whole = merged([
      ...(parameters.length > 0 ? [{ parameters }] : []),
      described,
      { responses: { default: refuses("Whatever else is refused, or fails.") } },
    ]);
    const responses = Object.entries(whole.responses).map(([status, answer]) =>
      [
        status,
        "$ref" in answer ? answer : { ...answer, headers: { ...answer.headers, ...requestId } },
      ] as const
    );
    const key = path.replaceAll(/:([a-zA-Z]+)(\{[^}]*\})?/g, "{$1}");
    (paths[key] ??= {})[method.toLowerCase() as "get"] = {
      operationId: operationId(method, key),
      ...whole,
      responses: Object.fromEntries(responses),
    };
  }
  return createDocument({
    openapi: "3.1.0",
    info,
    paths,
    components: {
      headers: {
        RequestId: {
          description: "The request's own, if it has a sane one, or a new one; the server's log has it.",
          schema: { type: "string" },
        },
      },
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description:
            "A LiveKit access token signed with this server's API key, with the grants `roomAdmin` and `room`.",
        },
        page: {
          type: "apiKey",
          in: "cookie",
          name: "repartee_page",
          description: "The page's own requests, signed in where a password is set.",
        },
      },
    },
  });
}

/** Each route once, its handlers' parts taken together; middleware of whole trees (`/*`) is none. */
export function describedRoutes(routes: readonly RouterRoute[]): DescribedRoute[] {
  const byRoute = new Map<string, { method: string; path: string; said: Described[] }>();
  for (const { method, path, handler } of routes) {
    if (method === "ALL") continue;
    const route = byRoute.get(`${method} ${path}`) ?? { method, path, said: [] };
    const said = descriptionOf(handler);
    if (said !== undefined) route.said.push(said);
    byRoute.set(`${method} ${path}`, route);
  }
  return [...byRoute.values()].map(({ method, path, said }) => {
    if (said.includes("undocumented")) return { method, path, described: "undocumented" };
    const parts = said.filter((part) => part !== "undocumented");
    return { method, path, described: parts.length > 0 ? merged(parts) : undefined };
  });
}

/** Such as `post-dispatch`, `get-sessions-id`. */
function operationId(method: string, path: string): string {
  return [method.toLowerCase(), ...path.match(/[a-zA-Z]+/g) ?? []].join("-");
}
