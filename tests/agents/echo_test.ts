import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { agents } from "../../agents/mod.ts";
import echo from "../../agents/echo.ts";
import { loadConfig } from "../../src/config.ts";
import { providersFor } from "../../src/dispatch/settings.ts";
import { createModels } from "../../src/models.ts";
import { testCall } from "../../src/testing.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog } from "../fakes/log.ts";

describe("agents/echo", () => {
  it("repeats what it heard, once the user has said it", async () => {
    await using call = await testCall(echo);
    await call.speak("The rain in Spain");
    call.expect.said(/^The rain in Spain$/);
    await call.user("stays mainly in the plain.");
    call.expect.said(/^stays mainly in the plain\.$/);
  });

  it("needs a recognizer and a voice, and no language model's key", () => {
    const config = loadConfig({ DEEPGRAM_API_KEY: "k" });
    const models = createModels({ ...config, clock: fakeClock(), log: silentLog });
    const { stt, llm, tts } = providersFor(agents.echo ?? echo, config, models);
    assertEquals([stt.provider, llm.provider, tts.provider], ["deepgram", "echo", "deepgram"]);
  });
});
