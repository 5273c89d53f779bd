/** Imports point downward only, and what touches the outside has one home. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";

const root = new URL("..", import.meta.url);

/** What files under a path may import of ours; the longest path that fits a file counts. */
const mayImport: Record<string, readonly string[]> = {
  "main.ts": ["server.ts", "src/"],
  "server.ts": ["routes/app.ts", "routes/metrics.ts", "agents/mod.ts", "src/"],
  "routes/": [
    "routes/",
    "src/clock.ts",
    "src/config.ts",
    "src/dispatch/",
    "src/errors.ts",
    "src/log.ts",
    "src/stand_ins.ts",
    "src/telemetry/",
  ],
  "agents/": ["agents/", "src/mod.ts"],
  "src/": ["src/"],
  "src/tasks/": ["src/", "agents/mod.ts"],
  "src/turn/": ["src/turn/"],
  "src/end_of_turn/": [
    "src/end_of_turn/",
    "src/audio/frame.ts",
    "src/errors.ts",
    "src/turn/end_of_turn.ts",
    "src/vad/vad.ts",
    "src/worker.ts",
  ],
  "src/tools/": [
    "src/tools/",
    "src/abort.ts",
    "src/agent.ts",
    "src/clock.ts",
    "src/errors.ts",
    "src/handoff.ts",
    "src/llm/llm.ts",
    "src/queue.ts",
    "src/task.ts",
    "src/tool.ts",
    "src/voice_session.ts",
  ],
  "src/text/": ["src/text/", "src/tts/tts.ts"],
  "src/audio/": ["src/audio/", "src/room/room.ts", "src/clock.ts", "src/errors.ts", "src/log.ts"],
  ...Object.fromEntries(["room", "vad", "stt", "llm", "tts"].map((stage) => [`src/${stage}/`, [
    `src/${stage}/`,
    "src/audio/",
    "src/text/",
    "src/vad/vad.ts",
    "src/abort.ts",
    "src/clock.ts",
    "src/errors.ts",
    "src/health.ts",
    "src/http_errors.ts",
    "src/json.ts",
    "src/log.ts",
    "src/openai.ts",
    "src/socket.ts",
    "src/turnstile.ts",
    "src/worker.ts",
  ]])),
};

/** Where alone a package or a global may be used. */
const homes: readonly [what: RegExp, where: RegExp][] = [
  [/(from |import\()"(hono|jose)\b/, /^routes\//],
  [/(from |import\()"(@livekit\/|livekit-server-sdk)/, /^src\/(room\/livekit|dispatch|doctor)\//],
  [/(from |import\()"@deepgram\/sdk/, /^src\/(stt|tts)\//],
  [/(from |import\()"@ai-sdk\//, /^src\/llm\//],
  [/(from |import\()"openai\b/, /^src\/openai\.ts$/],
  [/(from |import\()"onnxruntime-node/, /^src\/(vad|end_of_turn)\//],
  [/(from |import\()"@modelcontextprotocol\//, /^src\/tools\/mcp_client\.ts$/],
  [/(from |import\()"n2words/, /^src\/text\//],
  [/(from |import\()"pino"/, /^src\/log\.ts$/],
  [/(from |import\()"sharp"/, /^src\/vision\//],
  [/(from |import\()"(prom-client|standardwebhooks)"/, /^src\/telemetry\//],
  [/(from |import\()"gpt-tokenizer/, /^src\/history\//],
  [/(from |import\()"@redis\/client"/, /^src\/dispatch\/store\/redis\.ts$/],
  [/(from |import\()"zod-openapi"/, /^routes\//],
  [/\b(Deno\.env|process\.env)\b/, /^src\/environment\.ts$/],
  [/\b(setTimeout|setInterval|Date\.now|performance\.now)\(/, /^src\/clock\.ts$/],
];

const sources = new Map<string, string>();
for (const path of ["main.ts", "server.ts", ...paths("routes/"), ...paths("agents/"), ...paths("src/")]) {
  const text = await Deno.readTextFile(new URL(path, root));
  sources.set(path, text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, ""));
}

describe("layering", () => {
  it("imports only what a layer may", () => {
    const wrong: string[] = [];
    for (const [path, text] of sources) {
      const layer = Object.keys(mayImport).filter((prefix) => path.startsWith(prefix))
        .toSorted((a, b) => b.length - a.length)[0] ?? "";
      for (const [, specifier = ""] of text.matchAll(/(?:from|import|import\()\s*"(\.[^"]+)"/g)) {
        const target = new URL(specifier, new URL(path, root)).href.slice(root.href.length);
        if (!mayImport[layer]?.some((allowed) => target.startsWith(allowed))) {
          wrong.push(`${path} imports ${target}`);
        }
      }
    }
    assertEquals(wrong, []);
  });

  it("keeps packages, the environment and time in their homes", () => {
    const wrong: string[] = [];
    for (const [path, text] of sources) {
      for (const [what, where] of homes) {
        const found = what.exec(text);
        if (found && !where.test(path)) {
          wrong.push(`${path} has ${found[0]}; expected only in ${where.source}`);
        }
      }
    }
    assertEquals(wrong, []);
  });
});

/** The TypeScript files under `folder`, from the project's root. */
function paths(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, root))].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return paths(`${folder}${name}/`);
    return name.endsWith(".ts") ? [`${folder}${name}`] : [];
  });
}
