/** The routes with scripted sessions, on a free port of the loopback interface. */
import { createApp } from "../../routes/app.ts";
import type { StageModel } from "../../src/stand_ins.ts";
import { defineAgent } from "../../src/agent.ts";
import { systemClock as clock } from "../../src/clock.ts";
import type { PlaygroundAccess } from "../../src/config.ts";
import { createDispatcher } from "../../src/dispatch/dispatcher.ts";
import { createPages, PAGE_LIMITS, type PageLimits } from "../../src/dispatch/pages.ts";
import { silentLog } from "../fakes/log.ts";
import { type ScriptedCalls, scriptedCalls } from "../fakes/scripted_call.ts";

export interface PageServer extends AsyncDisposable {
  readonly url: string;
  readonly calls: ScriptedCalls;
  /** Ends every session, as a shutdown does. */
  drain(): Promise<unknown>;
}

const stages: readonly StageModel[] = [
  { stage: "stt", model: "your browser", simulated: false, hint: "Set DEEPGRAM_API_KEY for Deepgram." },
  {
    stage: "llm",
    model: "a demo of fixed rules",
    simulated: true,
    hint: "Set OPENAI_API_KEY for a real model.",
  },
  {
    stage: "tts",
    model: "flite, on this machine",
    simulated: false,
    hint: "Set OPENAI_API_KEY for a better voice.",
  },
];

/** Starts it; `script` says what its sessions do. */
export function startPageServer(
  { access = { type: "local" }, limits = {}, ...script }: {
    readonly access?: PlaygroundAccess;
    readonly limits?: Partial<PageLimits>;
  } & Omit<Parameters<typeof scriptedCalls>[0], "clock"> = {},
): PageServer {
  const calls = scriptedCalls({ clock, ...script });
  const log = silentLog;
  const defaultAgent = "assistant";
  const agents = { [defaultAgent]: defineAgent({ instructions: "Be brief.", autoSubscribe: "all" }) };
  const dispatcher = createDispatcher({
    agents,
    defaultAgent,
    start: calls.start,
    maxSessions: 10,
    clock,
    log,
  });
  const pages = createPages({
    dispatcher,
    agents,
    defaultAgent,
    limits: { ...PAGE_LIMITS, ...limits },
    clock,
    log,
  });
  const shown = {
    name: defaultAgent,
    description: "Be brief.",
    stages,
    recognizer: "server",
    pushToTalk: false,
    sees: true,
  } as const;
  const playground = { access, agents: [shown], defaultAgent, pages };
  const app = createApp({ dispatcher, playground, clock, log });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, app.fetch);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    calls,
    drain: () => dispatcher.drain({ budgetMs: 0 }),
    async [Symbol.asyncDispose]() {
      await dispatcher.drain({ budgetMs: 0 });
      await server.shutdown();
    },
  };
}
