/** `deno task doctor` as it is run. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { answering } from "../doctor/emulated.ts";
import { runDoctor } from "./doctor.ts";

describe("deno task doctor", () => {
  it("exits with 0 where nothing has failed, and says what is not there", async () => {
    const { code, output } = await runDoctor({ PORT: "0" }, { json: false });
    assertEquals(code, 0, output);
    assertMatch(output, /^ok +permissions +Deno allows what the configuration needs$/m);
    assertMatch(output, /^ok +voice detection +/m);
    assertMatch(output, /^skipped +livekit +its keys are not set/m);
    assertMatch(output, /^warning +configuration +LIVEKIT_URL.* are not set/m);
    assertMatch(output, /^0 failed, \d+ to look at\n$/m);
  });

  it("exits with 1 where a provider refuses the key, which it does not show", async () => {
    await using server = answering(({ headers }) =>
      new Response(headers.get("authorization"), { status: 401 })
    );
    const { code, output, checks } = await runDoctor({
      OPENAI_API_KEY: "sk-s3cret",
      OPENAI_BASE_URL: server.url,
    });
    assertEquals([code, checks.find(({ name }) => name === "openai")?.status], [1, "failed"]);
    assert(!output.includes("s3cret"));
  });

  it("says which permissions are missing, for what, and tries nothing that needs them", async () => {
    const env = { PORT: "0", STT: "local/whisper-tiny", RECORD: "recordings", STATE_DIR: "state" };
    const { code, checks } = await runDoctor(env, {
      without: ["--allow-ffi", "--allow-write", "--allow-run"],
    });
    const { status, text = "" } = checks.find(({ name }) => name === "permissions") ?? {};
    assertEquals([code, status], [1, "failed"]);
    for (const flag of ["ffi=./node_modules", "write=.models", "write=recordings", "write=state"]) {
      assert(text.includes(`--allow-${flag} (`), text);
    }
    const after = checks.filter(({ name }) => ["voice detection", "recordings"].includes(name));
    assertEquals(after.map(({ status }) => status), ["skipped", "skipped"]);
    assertMatch(JSON.stringify(checks), /how many may be open cannot be read: .*run/);
    const none = await runDoctor({ PORT: "0" }, { without: ["--allow-sys"] });
    assertMatch(JSON.stringify(none.checks), /"permissions".*"failed".*Requires sys access.*--allow-sys/);
  });

  it("says all that is wrong with the configuration, and where a file is not there", async () => {
    const wrong = await runDoctor({ PORT: "x", LIVEKIT_API_SECRET: "s3cret" });
    assertEquals([wrong.code, wrong.checks.length], [1, 2]);
    assert(!wrong.output.includes("s3cret"));
    const unknown = await runDoctor({ LLM: "nobody/model" });
    assertMatch(unknown.checks[0]?.text ?? "", /nobody/);
    const missing = await runDoctor({ PORT: "0", TURN_MODEL: "no/such.onnx" });
    const { status, text } = missing.checks.find(({ name }) => name === "turn model") ?? {};
    assertMatch(`${status}: ${text}`, /^failed: .* no such file is there; `deno task turn-model` fetches it/);
  });
});
