/** A real call that is recorded, and played again by the task. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, describe, it } from "@std/testing/bdd";
import { AccessToken } from "livekit-server-sdk";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { loadClip } from "../fixtures/speech.ts";
import { readRecording } from "../../src/recording/recording.ts";
import { type Caller, joinCaller, until } from "./caller.ts";
import { startLiveKitServer } from "./livekit_server.ts";
import { startServer } from "./server.ts";

const livekit = await startLiveKitServer();
/** The caller's native client keeps its threads. */
const options = { ignore: livekit === undefined, sanitizeOps: false, sanitizeResources: false };
afterAll(async () => await livekit?.[Symbol.asyncDispose]());

const access = () => livekit ?? { url: "", apiKey: "", apiSecret: "" };
const keys = { openai: "sk-openai-never-shown", deepgram: "deepgram-never-shown" };
const root = new URL("../..", import.meta.url);
/** Far more than a call's timers are late on a machine that does ten things at once. */
const toleranceMs = 1_500;

const greeting = "Hello! How can I help you today?";
const questions = ["How deep is the sea?", "And what lives down there?", "Thank you very much indeed."];
const story = Array.from({ length: 12 }, (_, i) => `This is part ${i + 1} of the story.`).join(" ");
const answers: Record<string, string> = {
  [questions[0]!]: "It is more than ten kilometers deep in places.",
  [questions[1]!]: story,
  [questions[2]!]: "You are welcome.",
};

async function replayTask(file: string, ...args: string[]) {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const { code, stdout, stderr } = await new Deno.Command("env", {
    args: [...tasks.replay.split(" "), file, ...args],
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  const [out = "", error = ""] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes).trim());
  return { code, out, error };
}

const untilSaid = (caller: Caller, text: string) =>
  until(
    () => caller.transcripts.some((one) => one.closed && one.text === text),
    `the agent to say ${JSON.stringify(text)}`,
    20_000,
  );

describe("a recorded call", () => {
  it("is played again with the same decisions, and altered ones are told apart", options, async () => {
    await using stack = new AsyncDisposableStack();
    const folder = `recordings/test-${crypto.randomUUID()}`;
    stack.defer(() => Deno.remove(new URL(folder, root), { recursive: true }).catch(() => {}));
    const ears = stack.use(
      await startDeepgramEmulator({ apiKey: keys.deepgram, minEndpointMs: 300, transcripts: questions }),
    );
    const model = stack.use(
      await startOpenAIEmulator({
        apiKey: keys.openai,
        answer: (user) => answers[user] ?? "Pardon?",
        tokenMs: 20,
      }),
    );
    const { url, apiKey, apiSecret } = access();
    const server = stack.use(
      await startServer({
        LIVEKIT_URL: url,
        LIVEKIT_API_KEY: apiKey,
        LIVEKIT_API_SECRET: apiSecret,
        OPENAI_API_KEY: keys.openai,
        OPENAI_BASE_URL: model.url,
        DEEPGRAM_API_KEY: keys.deepgram,
        DEEPGRAM_BASE_URL: ears.url,
        HOST: "127.0.0.1",
        RECORD: folder,
      }),
    );
    const address = await server.url;
    const room = `room-${crypto.randomUUID()}`;
    const token = new AccessToken(apiKey, apiSecret, { identity: "operator" });
    token.addGrant({ room, roomAdmin: true });
    const headers = { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" };
    const ask = (method: string, path: string, body: unknown = {}) =>
      fetch(`${address}${path}`, {
        method,
        headers,
        ...(method === "POST" && { body: JSON.stringify(body) }),
      });

    const caller = stack.use(await joinCaller({ ...access(), roomName: room, identity: "caller-jane" }));
    const { sessionId } = await (await ask("POST", "/dispatch", { room })).json();
    await untilSaid(caller, greeting);
    await caller.untilQuiet();
    await caller.speak((await loadClip("one")).samples);
    await untilSaid(caller, answers[questions[0]!] ?? "");
    await caller.untilQuiet();
    const askedMs = performance.now();
    await caller.speak((await loadClip("two")).samples);
    await caller.untilSpeech({ sinceMs: askedMs, timeoutMs: 20_000 });
    await caller.speak((await loadClip("three")).samples);
    await untilSaid(caller, answers[questions[2]!] ?? "");
    await (await ask("POST", `/sessions/${sessionId}/say`, { text: "One more thing." })).body?.cancel();
    await untilSaid(caller, "One more thing.");
    await (await ask("DELETE", `/sessions/${sessionId}`)).body?.cancel();
    await until(() => caller.agent() === undefined, "the agent to leave");
    server.kill("SIGTERM");
    assertEquals(await server.exit, 0);

    const [file, ...more] = [...Deno.readDirSync(new URL(folder, root))];
    assert(file && more.length === 0, "expected one recording");
    assertMatch(file.name, new RegExp(`^[-\\dTZ]+_${sessionId}\\.jsonl$`));
    const path = `${folder}/${file.name}`;
    const text = await Deno.readTextFile(new URL(path, root));
    for (const hidden of [apiSecret, keys.openai, keys.deepgram]) assert(!text.includes(hidden));
    const { entries } = readRecording(text, file.name);
    assertEquals(
      entries.filter(({ type }) => type === "speaker-paused").length > 0,
      true,
      "nobody interrupted",
    );

    const same = await replayTask(path, "--tolerance", String(toleranceMs));
    assertEquals([same.code, same.error], [0, ""], same.out);
    assertMatch(same.out, /user's turn ended with "And what lives down there\?"/);
    assertMatch(same.out, /turn-2 was interrupted/);
    assertMatch(same.out, /The replay decided the same: \d+ decisions, \d+ ms apart at the most\.$/);

    const altered = path.replace(".jsonl", "-altered.jsonl");
    await Deno.writeTextFile(
      new URL(altered, root),
      text.replace('"outcome":"interrupted"', '"outcome":"answered"'),
    );
    const other = await replayTask(altered, "--tolerance", String(toleranceMs));
    assertEquals(other.code, 1);
    assertMatch(
      other.error,
      /^The replay differs\. At \S+ s the recording has: turn-2 was answered; the replay/,
    );
  });
});

describe("deno task replay", () => {
  it("says of what is no recording what was expected", async () => {
    const cases: [args: string[], error: RegExp][] = [
      [["recordings/none.jsonl"], /^recordings\/none\.jsonl cannot be read: No such file/],
      [["deno.json"], /^deno\.json: line 1 is no JSON; expected a recorded session/],
      [
        ["deno.json", "--tolerance", "much"],
        /^--tolerance is "much"; expected milliseconds, a whole number$/,
      ],
      [["a", "b"], /^Expected: deno task replay FILE \[--tolerance MILLISECONDS\]$/],
    ];
    for (const [[file = "", ...args], error] of cases) {
      const { code, out, error: told } = await replayTask(file, ...args);
      assertEquals([code, out], [1, ""]);
      assertMatch(told, error);
    }
  });
});
