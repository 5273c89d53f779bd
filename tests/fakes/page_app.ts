/** The routes with the page, and sessions that do nothing but begin and end. */
import { type AppDependencies, createApp } from "../../routes/app.ts";
import { defineAgent } from "../../src/agent.ts";
import type { LiveKitConfig, PlaygroundAccess } from "../../src/config.ts";
import { createDispatcher } from "../../src/dispatch/dispatcher.ts";
import { createPages, PAGE_LIMITS } from "../../src/dispatch/pages.ts";
import { fakeClock } from "./clock.ts";
import { silentLog } from "./log.ts";
import { fakeSessions } from "./session.ts";

export function setUpPage(
  { access = { type: "local" }, livekit, sessionMs = PAGE_LIMITS.sessionMs, log = silentLog, ...more }: {
    readonly access?: PlaygroundAccess;
    readonly livekit?: LiveKitConfig;
    readonly sessionMs?: number;
  } & Partial<Omit<AppDependencies, "dispatcher" | "playground" | "clock">> = {},
) {
  const clock = fakeClock();
  const { started, start } = fakeSessions();
  const dispatcher = createDispatcher({
    agents: { assistant: defineAgent({ instructions: "Be brief." }) },
    defaultAgent: "assistant",
    maxSessions: 10,
    clock,
    log,
    start(request) {
      const session = start(request);
      started.at(-1)?.arrive();
      return session;
    },
  });
  const agentName = "assistant";
  const pages = createPages({ dispatcher, agentName, limits: { ...PAGE_LIMITS, sessionMs }, clock, log });
  const stages = [{ stage: "llm", model: "demo", simulated: true }] as const;
  const playground = { access, agentName, stages, recognizer: "page" as const, pages };
  return { app: createApp({ ...more, dispatcher, livekit, playground, clock, log }), started, clock };
}
