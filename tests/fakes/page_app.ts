/** The routes with the page, and sessions that do nothing but begin and end. */
import { type AppDependencies, createApp } from "../../routes/app.ts";
import { defineAgent } from "../../src/agent.ts";
import type { LiveKitConfig, PlaygroundAccess } from "../../src/config.ts";
import { createDispatcher } from "../../src/dispatch/dispatcher.ts";
import { createPages, PAGE_LIMITS } from "../../src/dispatch/pages.ts";
import { fakeClock } from "./clock.ts";
import { silentLog } from "./log.ts";
import { fakeSessions } from "./session.ts";

/** What the page shows of an agent. */
export const pageAgent = {
  description: "Be brief.",
  stages: [{ stage: "llm", model: "demo", simulated: true }],
  recognizer: "page",
  pushToTalk: false,
  sees: false,
} as const;

export function setUpPage(
  { access = { type: "local" }, livekit, sessionMs = PAGE_LIMITS.sessionMs, log = silentLog, ...more }: {
    readonly access?: PlaygroundAccess;
    readonly livekit?: LiveKitConfig;
    readonly sessionMs?: number;
  } & Partial<Omit<AppDependencies, "dispatcher" | "playground" | "clock">> = {},
) {
  const clock = fakeClock();
  const { started, start } = fakeSessions();
  const agents = {
    assistant: defineAgent({ instructions: "Be brief." }),
    sales: defineAgent({ instructions: "Sell." }),
  };
  const defaultAgent = "assistant";
  const dispatcher = createDispatcher({
    agents,
    defaultAgent,
    maxSessions: 10,
    clock,
    log,
    start(request) {
      const session = start(request);
      started.at(-1)?.arrive();
      return session;
    },
  });
  const limits = { ...PAGE_LIMITS, sessionMs };
  const pages = createPages({ dispatcher, agents, defaultAgent, limits, clock, log });
  const shown = Object.keys(agents).map((name) => ({ ...pageAgent, name }));
  const playground = { access, agents: shown, defaultAgent, pages };
  return { app: createApp({ ...more, dispatcher, livekit, playground, clock, log }), started, clock };
}
