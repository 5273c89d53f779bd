/** The registry: every agent that can be dispatched, by name. */
import type { Agent } from "../src/mod.ts";
import assistant from "./assistant.ts";
import echo from "./echo.ts";
import events from "./events.ts";
import meeting from "./meeting.ts";
import realtime from "./realtime.ts";
import sales from "./sales.ts";
import support from "./support.ts";
import tools from "./tools.ts";
import vision from "./vision.ts";

/** The agent of a dispatch that names none. */
export const defaultAgent = "assistant";

export const agents: Readonly<Record<string, Agent>> = {
  assistant,
  support,
  echo,
  events,
  tools,
  sales,
  meeting,
  vision,
  realtime,
};
