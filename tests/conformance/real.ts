/** A call with a provider's real service: a recording is played to it, and it must be heard, thought about or spoken. */
import { defineAgent } from "../../src/agent.ts";
import { loadConfig } from "../../src/config.ts";
import { readEnvironment } from "../../src/environment.ts";
import { messageOf } from "../../src/errors.ts";
import { createModels, MissingKeyError } from "../../src/models.ts";
import { systemClock as clock } from "../../src/clock.ts";
import { startLiveCall } from "../fakes/live_call.ts";
import { silentLog as log } from "../fakes/log.ts";
import type { Row } from "./providers.ts";

export type RealResult = {
  /** "skipped": there is no key for it. */
  readonly type: "passed" | "failed" | "skipped";
  readonly words: string;
};

/** What stands in for the stages that are not tried. */
const others = { stt: "browser/speech", llm: "demo/rules", tts: "flite/slt" };

/** Makes the call, in real time; the key comes from the environment, as the server's does. */
export async function callReal({ name, kind }: Pick<Row, "name" | "kind">): Promise<RealResult> {
  const config = loadConfig(await readEnvironment());
  const stage = kind.toLowerCase() as "stt" | "llm" | "tts";
  try {
    createModels({ ...config, clock, log })[stage](name);
  } catch (error) {
    if (error instanceof MissingKeyError) return { type: "skipped", words: error.message };
    throw error;
  }
  const agent = defineAgent({ instructions: "Answer in one short sentence.", ...others, [stage]: name });
  try {
    await using call = await startLiveCall(agent, config);
    if (stage === "stt") await call.speak("one");
    else call.room.tell({ type: "text", text: "What is the capital of France?" });
    const committed = await call.until(
      () => call.events.find((event) => event.type === "user-speech-committed"),
      "the user's words",
    );
    const begun = await call.until(
      () => call.events.find((event) => event.type === "agent-started-speaking"),
      "the agent's voice",
    );
    const said = await call.until(
      () => call.events.find((event) => event.type === "agent-speech-committed"),
      "the agent's words",
    );
    const failures = call.events.filter((event) => event.type === "error").map(({ error }) => error.message);
    if (failures.length > 0) return { type: "failed", words: failures.join("; ") };
    const { latency } = begun;
    const times = Object.entries(latency).map(([part, ms]) => `${part} ${Math.round(ms)}`).join(", ");
    const words = `${JSON.stringify(committed.text)} → ${JSON.stringify(said.text)} (${times})`;
    return { type: "passed", words };
  } catch (error) {
    return { type: "failed", words: messageOf(error) };
  }
}
