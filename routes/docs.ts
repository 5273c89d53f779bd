/**
 * `GET /docs`: the API's description as a page, by Swagger UI (https://github.com/swagger-api/swagger-ui), from this server
 * alone: it works without the internet, and sends nothing there.
 */
import { Hono } from "hono";
import { etag } from "hono/etag";
import type { Clock } from "../src/clock.ts";
import type { AppEnv } from "./app.ts";
import { operation } from "./operation.ts";
import { createRateLimit, limited } from "./rate_limit.ts";
import { secured, staticFile } from "./static_file.ts";

const own = new URL("docs/", import.meta.url);
const swagger = new URL("../node_modules/swagger-ui-dist/", import.meta.url);
const files: Readonly<Record<string, URL>> = {
  "docs.js": new URL("docs.js", own),
  "icon.png": new URL("favicon-32x32.png", swagger),
  "swagger-ui.css": new URL("swagger-ui.css", swagger),
  "swagger-ui-bundle.js": new URL("swagger-ui-bundle.js", swagger),
};

export function docsRoutes({ clock }: { readonly clock: Clock }): Hono<AppEnv> {
  const limit = limited(createRateLimit({ burst: 50, perSecond: 5, clock }));
  // Its icons are pictures within its style sheet.
  const headers = secured(() => ({ "img-src": "'self' data:", "connect-src": "'self'" }));
  const asset = operation("undocumented");
  return new Hono<AppEnv>()
    .use("/docs", headers, etag())
    .use("/docs/*", headers, etag())
    .get("/docs", asset, limit, async (c) => await staticFile(new URL("index.html", own)) ?? c.notFound())
    .get("/docs/:file", asset, limit, async (c) => {
      const file = Object.hasOwn(files, c.req.param("file")) ? files[c.req.param("file")] : undefined;
      return file && await staticFile(file) || c.notFound();
    });
}
