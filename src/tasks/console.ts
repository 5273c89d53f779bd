/** `deno task console [AGENT]`: talk with an agent in the terminal; `deno task console:audio [AGENT]`: by voice. */
import { agents, defaultAgent } from "../../agents/mod.ts";
import type { Agent } from "../agent.ts";
import type { Equipped } from "../charge.ts";
import { systemClock as clock } from "../clock.ts";
import { type Config, loadConfig } from "../config.ts";
import { providersFor } from "../dispatch/settings.ts";
import { turnTakingFor } from "../dispatch/turn_taking.ts";
import { readEnvironment } from "../environment.ts";
import { ConfigError } from "../errors.ts";
import type { CloseReason } from "../events.ts";
import { MissingKeyError } from "../keys.ts";
import { silentLog as log } from "../log.ts";
import { createModels, type Models } from "../models.ts";
import { recognizesInBrowser } from "../stand_ins.ts";
import { browserSpeechToText } from "../stt/browser.ts";
import { loudnessDetector } from "../testing/speech.ts";
import { silentTextToSpeech } from "../tts/silent.ts";
import { type ConsoleOptions, talk } from "./console_call.ts";
import { pacedDevice, startSox } from "./console_sox.ts";
import { argumentsOf, runTask } from "./task.ts";

const usage = "deno task console [AGENT]";

const help = `${usage}          talk with an agent in writing
deno task console:audio [AGENT]    by voice, through SoX; with headphones, or it hears itself

Type, and press Enter. Enter alone, or ctrl-c, interrupts the agent; ctrl-c while it listens, or /quit, ends the call.
What is piped in is said line by line, each when the one before was answered.

Agents: ${Object.keys(agents).join(", ")} (default: ${defaultAgent}).
They think with their own models where the keys are set (in the environment, or in .env), and otherwise, in
writing, with a demo of fixed rules.`;

/** A word takes so long where it is read and not heard, in milliseconds. */
const msPerWord = 120;
/** Nobody is away who may be typing: a day. */
const neverMs = 86_400_000;

await runTask(async () => {
  const { values, positionals } = argumentsOf({
    usage,
    options: { help: { type: "boolean", short: "h" }, audio: { type: "boolean" } },
    min: 0,
    max: 1,
  });
  if (values.help) return console.log(help);
  const [agentName = defaultAgent] = positionals;
  const agent = Object.hasOwn(agents, agentName) ? agents[agentName] : undefined;
  if (!agent) {
    throw new ConfigError(
      `There is no agent ${JSON.stringify(agentName)}; there are ${Object.keys(agents).join(", ")}.`,
    );
  }
  const config = loadConfig(await readEnvironment());
  const models = createModels({ ...config, clock, log });
  const isTerminal = Deno.stdin.isTerminal();
  const equip = (agent: Agent, name = nameOf(agent)): Equipped => {
    const adapted = values.audio ? agent : inWriting(agent, config, models);
    return {
      agent: adapted,
      agentName: name,
      providers: providersFor(adapted, config, models),
      turnTaking: turnTakingFor(adapted, config),
    };
  };
  const first = equip(agent, agentName);
  if (values.audio && recognizesInBrowser(config.models) && agent.stt === undefined) {
    throw new ConfigError(
      "There is nothing to recognize speech with; expected DEEPGRAM_API_KEY, OPENAI_API_KEY or STT=local/… to be set.",
    );
  }
  if (isTerminal) {
    const { provider, model } = first.providers.llm;
    console.log(`${agentName}, with ${provider}/${model}. Enter interrupts, /quit ends.`);
  }
  const reason = await converse(
    { ...first, equip, input: Deno.stdin.readable, isTerminal, clock },
    values.audio,
  );
  Deno.exit(reason === "error" ? 1 : 0); // a terminal that is being read would keep the process
});

async function converse(
  call: Omit<ConsoleOptions, "write" | "device">,
  isAudio = false,
): Promise<CloseReason> {
  const encoder = new TextEncoder();
  const write = (text: string) => void Deno.stdout.writeSync(encoder.encode(text));
  if (!isAudio) return await talk({ ...call, write, device: pacedDevice(clock) });
  await using sox = startSox(clock);
  const { device, microphone, failed } = sox;
  return await Promise.race([talk({ ...call, write, device, microphone }), failed]);
}

/** `agent`, whose words are typed and read. */
function inWriting(agent: Agent, config: Config, models: Models): Agent {
  const { llm = config.models.llm } = agent;
  return {
    ...agent,
    vad: loudnessDetector(),
    stt: browserSpeechToText(),
    llm: typeof llm === "object" && "generate" in llm ? llm : modelOrDemo(llm, models),
    tts: silentTextToSpeech({ msPerWord }),
    away: { afterMs: neverMs },
  };
}

function modelOrDemo(llm: Parameters<Models["llm"]>[0], models: Models): ReturnType<Models["llm"]> {
  try {
    return models.llm(llm);
  } catch (error) {
    if (!(error instanceof MissingKeyError)) throw error;
    console.error(`${error.message}; a demo of fixed rules answers in its place.`);
    return models.llm("demo/rules");
  }
}

function nameOf(agent: Agent): string {
  const registered = Object.entries(agents).find(([, other]) => other === agent)?.[0];
  return registered ?? agent.name ?? "agent";
}
