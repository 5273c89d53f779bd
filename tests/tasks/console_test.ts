/** `deno task console` as a process of its own: what is typed goes in, what the agent says comes out. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { environment } from "../../src/environment.ts";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";

const root = new URL("../..", import.meta.url);
const apiKey = "sk-console-never-shown";

/** A task of deno.json; `.env` files are not seen, nor other variables of the server's. */
async function command(task: string, args: readonly string[]): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  return [...tasks[task].replace("deno", Deno.execPath()).split(" "), ...args];
}

interface Console extends AsyncDisposable {
  /** What came out by now, errors included. */
  readonly output: string;
  type(text: string): Promise<void>;
  /** Waits for `what` in the output. */
  until(what: RegExp): Promise<void>;
  /** Ends its input; settles with the exit code. */
  end(): Promise<number>;
  /** Settles with the exit code. */
  readonly code: Promise<number>;
}

async function start(
  args: readonly string[] = [],
  { task = "console", env = {}, wrap = (command) => command }: {
    readonly task?: string;
    readonly env?: Record<string, string>;
    readonly wrap?: (command: string[]) => string[];
  } = {},
): Promise<Console> {
  const unset = Object.fromEntries(Object.keys(environment.shape).map((name) => [name, ""]));
  const [program = "", ...rest] = wrap(await command(task, args));
  const process = new Deno.Command(program, {
    args: rest,
    cwd: root,
    env: { ...unset, NO_COLOR: "1", TZ: "UTC", ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const input = process.stdin.getWriter();
  const late = setTimeout(() => process.kill(), 60_000); // whoever waits for something is told then what there was
  let output = "";
  let grown = Promise.withResolvers<void>();
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      output += text;
      grown.resolve();
      grown = Promise.withResolvers();
    }
  };
  const done = Promise.all([read(process.stdout), read(process.stderr), process.status]);
  const over = done.then(() => false);
  const code = done.then(([, , { code }]) => code);
  let isOver = false;
  void over.then(() => isOver = true);
  return {
    get output() {
      return output.replaceAll("\r", "");
    },
    code,
    type: (text) => input.write(new TextEncoder().encode(text)),
    async until(what) {
      while (!what.test(output)) {
        assert(!isOver, `it ended without ${what}:\n${output}`);
        await Promise.race([grown.promise, over]);
      }
    },
    async end() {
      await input.close();
      return await code;
    },
    async [Symbol.asyncDispose]() {
      clearTimeout(late);
      if (!isOver) process.kill();
      await code;
      await input.abort().catch(() => {}); // the process that read it is gone
    },
  };
}

describe("deno task console", () => {
  it("says what is piped in, line by line, and shows what the agent says and does", async () => {
    await using console = await start();
    await console.type("My name is Ada.\nWhat time is it?\nWhat is my name?\n");
    assertEquals(await console.end(), 0, console.output);
    assertMatch(
      console.output,
      new RegExp([
        "^assistant: Hello! How can I help you today\\?",
        "you: My name is Ada\\.",
        "assistant: Nice to meet you, Ada\\. I will remember that\\.",
        "you: What time is it\\?",
        '  · getTime\\(\\{"reason":"What time is it\\?"\\}\\)',
        "  · getTime done: (\\d+:\\d\\d.[AP]M)",
        "assistant: It is \\1\\.",
        "you: What is my name\\?",
        "assistant: Your name is Ada\\.",
        "The call has ended: closed\\.\n$",
      ].join("\n")),
    );
  });

  it("is interrupted by an empty line, and by what is said; /quit ends it", async () => {
    await using console = await start(["assistant"]);
    await console.until(/help you today\?\n/);
    await console.type("Tell me a story.\n");
    await console.until(/Once upon a time/);
    await console.type("\n");
    await console.until(/Once upon a time.* —\n/);
    await console.type("Thank you.\n");
    await console.until(/You are welcome\.\n/);
    await console.type("/quit\n");
    assertEquals(await console.code, 0, console.output);
  });

  it("asks the agent's own model where its key is set, and says so where it is not", async () => {
    await using openai = await startOpenAIEmulator({ apiKey, answer: () => "A real answer.", ttftMs: 1 });
    await using real = await start(["support"], {
      env: { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: openai.url },
    });
    await real.type("Are you real?\n");
    assertEquals(await real.end(), 0, real.output);
    assertMatch(
      real.output,
      /support: Welcome to TechCorp.*\nyou: Are you real\?\nsupport: A real answer\.\n/,
    );
    assertEquals(openai.requests.map(({ body }) => body.model), ["gpt-4o"]);

    await using demo = await start(["support"]);
    await demo.type("Are you real?\n");
    assertEquals(await demo.end(), 0, demo.output);
    assertMatch(
      demo.output,
      /OPENAI_API_KEY is not set; LLM openai\/gpt-4o needs it; a demo of fixed rules answers/,
    );
    assertMatch(demo.output, /support: I am a demo/);
  });

  it("goes on with the agent that is handed the conversation", async () => {
    await using console = await start(["sales"]);
    await console.type("What are your prices?\n");
    assertEquals(await console.end(), 0, console.output);
    assertMatch(
      console.output,
      /· transferToSales done: .*\n {2}· sales hands over to sales-specialist\nsales-specialist: Transfer complete\./,
    );
  });

  it("shows what fails, without the key", async () => {
    await using openai = await startOpenAIEmulator({ apiKey });
    const env = { OPENAI_API_KEY: "sk-wrong", OPENAI_BASE_URL: openai.url };
    await using console = await start([], { env });
    await console.type("Hello?\n");
    assertEquals(await console.end(), 0, console.output);
    assertMatch(console.output, / {2}! llm: 127\.0\.0\.1:\d+ refused the key: check OPENAI_API_KEY\n/);
    assert(!console.output.includes("sk-wrong"), console.output);
  });

  it("tells how it is used, and what is wrong, in one sentence", async () => {
    const cases: readonly [args: string[], code: number, output: RegExp][] = [
      [["--help"], 0, /^deno task console \[AGENT\].*\/quit.*Agents: assistant, support, /s],
      [["nobody"], 1, /^There is no agent "nobody"; there are assistant, support, .*\.\n$/],
      [["a", "b"], 1, /^Expected: deno task console \[AGENT\]\n$/],
      [["--loud"], 1, /^Unknown option '--loud'.*Expected: deno task console \[AGENT\]\n$/],
    ];
    for (const [args, expected, output] of cases) {
      await using console = await start(args);
      assertEquals(await console.code, expected, console.output);
      assertMatch(console.output, output);
    }
  });
});

const terminal = await new Deno.Command("script", { args: ["--version"], stdout: "null", stderr: "null" })
  .output()
  .then(({ success }) => success, () => false);

describe("deno task console in a terminal", { ignore: !terminal }, () => {
  it("prompts; ctrl-c interrupts, and ends the call while the agent listens", async () => {
    await using console = await start([], {
      // A shell that stays between them dies of the ctrl-c itself.
      wrap: (command) => ["script", "-qec", `exec ${command.join(" ")}`, "/dev/null"],
    });
    await console.until(/^assistant, with demo\/rules\.[^]*assistant: Hello!.*\r\n> $/);
    await console.type("Tell me a story.\n");
    await console.until(/Once upon a time/);
    await console.type("\x03");
    await console.until(/Once upon a time.* —\r\n> $/);
    await new Promise((resolve) => setTimeout(resolve, 600)); // as the same ctrl-c may come twice, so soon after
    await console.type("\x03");
    assertEquals(await console.code, 0, console.output);
    assertMatch(console.output, /The call has ended: closed\.\n$/);
  });
});

/** Programs that stand for SoX's, in a folder of their own; `PATH` for them alone. */
async function programs(scripts: Record<string, string>) {
  const folder = await Deno.makeTempDir();
  for (const [name, script] of Object.entries(scripts)) {
    await Deno.writeTextFile(`${folder}/${name}`, `#!/bin/sh\nexport PATH=/usr/bin:/bin\n${script}\n`, {
      mode: 0o755,
    });
  }
  return { folder, PATH: folder, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

describe("deno task console:audio", () => {
  const deepgramKey = "deepgram-key";

  it("hears the microphone, and plays the agent's voice", async () => {
    await using ears = await startDeepgramEmulator({
      apiKey: deepgramKey,
      transcripts: ["What is your name?"],
    });
    const pieces = "head -c 3200 /dev/zero; sleep 0.1";
    await using sox = await programs({
      // Silence, while the agent greets; then a recording, at its own pace; then silence.
      rec: `for i in $(seq 50); do ${pieces}; done
        exec 3<${new URL("tests/fixtures/speech/one.wav", root).pathname}
        for i in $(seq 40); do head -c 3200 <&3; sleep 0.1; done
        while true; do ${pieces}; done`,
      play: `cat > "$(dirname "$0")/played.raw"`,
    });
    await using console = await start([], {
      task: "console:audio",
      env: { PATH: sox.PATH, DEEPGRAM_API_KEY: deepgramKey, DEEPGRAM_BASE_URL: ears.url },
    });
    await console.until(/assistant: Hello! How can I help you today\?\n/);
    await console.until(/you: What is your name\?\nassistant: I am a demo/);
    await console.type("/quit\n");
    assertEquals(await console.code, 0, console.output);
    const played = new Int16Array((await Deno.readFile(`${sox.folder}/played.raw`)).buffer);
    const loudest = played.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    assert(played.length > 24_000 && loudest > 1_000, `${played.length} samples, the loudest ${loudest}`);
  });

  it("says in one sentence what is missing", async () => {
    const keys = { DEEPGRAM_API_KEY: deepgramKey, DEEPGRAM_BASE_URL: "http://127.0.0.1:1" };
    const failing = "echo 'rec FAIL sox: Sorry, there is no default audio device configured' >&2; exit 2";
    await using none = await programs({});
    await using broken = await programs({ rec: failing, play: "cat > /dev/null" });
    const cases: readonly [env: Record<string, string>, output: RegExp][] = [
      [{}, /^There is nothing to recognize speech with; expected DEEPGRAM_API_KEY, .*\.\n$/],
      [{ ...keys, PATH: none.PATH }, /There is no rec; expected SoX to be installed, which brings it\.\n$/],
      [{ ...keys, PATH: broken.PATH }, /SoX cannot record\. .*no default audio device configured\n$/],
    ];
    for (const [env, output] of cases) {
      await using console = await start([], { task: "console:audio", env });
      assertEquals(await console.code, 1, console.output);
      assertMatch(console.output, output);
    }
  });
});
