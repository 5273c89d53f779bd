/** A call with a provider's real service: a recording is played to it, and it must be heard, thought about or spoken. */
import { defineAgent } from "../../src/agent.ts";
import { type Config, loadConfig } from "../../src/config.ts";
import { readEnvironment } from "../../src/environment.ts";
import { messageOf } from "../../src/errors.ts";
import { forEachKeyed, MissingKeyError } from "../../src/keys.ts";
import { createModels } from "../../src/models.ts";
import { systemClock as clock } from "../../src/clock.ts";
import { type LiveCall, startLiveCall } from "../fakes/live_call.ts";
import { silentLog as log } from "../fakes/log.ts";
import { stageOf } from "./call.ts";
import type { Row } from "./providers.ts";

export type RealResult = {
  /** "skipped": there is no key for it. */
  readonly type: "passed" | "failed" | "skipped";
  readonly words: string;
};

/** What stands in for the stages that are not tried. */
const others = { stt: "browser/speech", llm: "demo/rules", tts: "flite/slt" };

/** What can be provoked at a real service; the rest of the table's faults are the emulators' alone. */
export const behaviours = ["answers", "401"] as const;

/** Makes the call, in real time; the key comes from the environment, as the server's does, or is a wrong one on purpose. */
export async function callReal(
  { name, kind }: Pick<Row, "name" | "kind">,
  behaviour: typeof behaviours[number],
): Promise<RealResult> {
  const config = loadConfig(await readEnvironment());
  const models = createModels({ ...config, clock, log });
  try {
    if (kind === "speech") models.speech(name);
    else models[stageOf[kind]](name);
  } catch (error) {
    if (error instanceof MissingKeyError) return { type: "skipped", words: error.message };
    throw error;
  }
  const used = kind === "speech" ? { model: name } : { ...others, [stageOf[kind]]: name };
  const agent = defineAgent({ instructions: "Answer in one short sentence.", ...used });
  try {
    await using call = await startLiveCall(agent, behaviour === "401" ? withWrongKeys(config) : config);
    if (kind === "STT" || kind === "speech") await call.speak("one");
    else call.room.tell({ type: "text", text: "What is the capital of France?" });
    return behaviour === "401" ? await refusal(call) : await answer(call);
  } catch (error) {
    return { type: "failed", words: messageOf(error) };
  }
}

const withWrongKeys = (config: Config): Config => ({
  ...config,
  ...forEachKeyed((provider) => config[provider].apiKey ? { ...config[provider], apiKey: "no-key" } : {}),
});

/** It is heard, thought about and spoken, and nothing fails. */
async function answer({ events, until }: LiveCall): Promise<RealResult> {
  const committed = await until(
    () => events.find((event) => event.type === "user-speech-committed"),
    "the user's words",
  );
  const begun = await until(
    () => events.find((event) => event.type === "agent-started-speaking"),
    "the agent's voice",
  );
  const said = await until(
    () => events.find((event) => event.type === "agent-speech-committed"),
    "the agent's words",
  );
  const failures = events.filter((event) => event.type === "error").map(({ error }) => error.message);
  if (failures.length > 0) return { type: "failed", words: failures.join("; ") };
  const times = Object.entries(begun.latency).map(([part, ms]) => `${part} ${Math.round(ms)}`).join(", ");
  return {
    type: "passed",
    words: `${JSON.stringify(committed.text)} → ${JSON.stringify(said.text)} (${times})`,
  };
}

/** The key is refused, which is told in words, and the call goes on. */
async function refusal({ events, session, until }: LiveCall): Promise<RealResult> {
  const { error } = await until(() => events.find((event) => event.type === "error"), "an error");
  const goesOn = error.refused && session.state !== "closed";
  return { type: goesOn ? "passed" : "failed", words: error.message };
}
