import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { agents } from "../../agents/mod.ts";
import echo from "../../agents/echo.ts";
import { saidIn } from "../../src/history.ts";
import { providersFor } from "../../src/dispatch/settings.ts";
import { loadConfig } from "../../src/config.ts";
import { createModels } from "../../src/models.ts";
import { startCall, talk, timeToClose } from "../fakes/call.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog } from "../fakes/log.ts";

describe("agents/echo", () => {
  it("repeats what it heard, once the user has said it", async () => {
    const { llm } = echo;
    assert(typeof llm === "object" && "generate" in llm);
    const call = startCall(echo, { providers: { llm } });
    await call.joined;
    call.room.enter("caller");
    await talk(call, 3_000);
    assertEquals(saidIn(call.session.history).map(({ role, text }) => [role, text]), [
      ["user", "hello there"],
      ["assistant", "hello there"],
    ]);
    await timeToClose(call);
    assertEquals(call.clock.pending, 0);
  });

  it("needs a recognizer and a voice, and no language model's key", () => {
    const config = loadConfig({ DEEPGRAM_API_KEY: "k" });
    const models = createModels({ ...config, clock: fakeClock(), log: silentLog });
    const { stt, llm, tts } = providersFor(agents.echo ?? echo, config, models);
    assertEquals([stt.provider, llm.provider, tts.provider], ["deepgram", "echo", "deepgram"]);
  });
});
