import * as z from "zod";
import { type Agent, defineAgent, tool } from "../src/mod.ts";

export interface Meeting {
  /** YYYY-MM-DD. */
  readonly date: string;
  /** HH:MM. */
  readonly time: string;
  readonly reason: string;
}

export interface ToolsOptions {
  /** Where the weather is asked for: wttr.in, or what answers as it does (https://wttr.in/:help). */
  readonly weatherUrl: string;
  /** Enters a meeting in a calendar, once for each `key`; returns its confirmation id. */
  readonly schedule: (meeting: Meeting, options: { readonly key: string }) => Promise<string>;
  /** Today's date, YYYY-MM-DD. */
  readonly today: () => string;
}

/** What of wttr.in's answer (`?format=j1`) is used. */
const report = z.object({
  current_condition: z.array(z.object({
    temp_F: z.string(),
    weatherDesc: z.array(z.object({ value: z.string() })).min(1),
  })).min(1),
});

/** An agent that looks something up, and does something. */
export function toolsAgent({ weatherUrl, schedule, today }: ToolsOptions): Agent {
  const getWeather = tool({
    description: "Tells the weather at a place, as it is now",
    parameters: z.object({ location: z.string().min(1).describe("The place's name, such as a city") }),
    effect: "none",
    timeoutMs: 10_000,
    async execute({ location }, { signal, progress }) {
      progress("Let me look.");
      const address = `${weatherUrl}/${encodeURIComponent(location)}?format=j1`;
      const response = await fetch(address, { signal });
      if (!response.ok) {
        await response.body?.cancel();
        throw new Error(`the weather service answered ${response.status} for ${location}`);
      }
      const [now] = report.parse(await response.json()).current_condition;
      return `The weather in ${location} is ${now?.temp_F}°F and ${now?.weatherDesc[0]?.value.trim()}`;
    },
  });

  const scheduleMeeting = tool({
    description: "Schedules a meeting with the user; tell them the confirmation id that it returns",
    parameters: z.object({
      date: z.iso.date().refine((date) => date >= today(), {
        error: () => `this date is over; expected today, ${today()}, or later`,
      }).describe("The day, YYYY-MM-DD"),
      time: z.iso.time({ precision: -1 }).describe("When it begins, HH:MM in 24 hours"),
      reason: z.string().min(1).describe("What it is about"),
    }),
    effect: "once",
    async execute(meeting, { idempotencyKey }) {
      const confirmationId = await schedule(meeting, { key: idempotencyKey });
      return { confirmationId, ...meeting };
    },
  });

  return defineAgent({
    instructions: "You are a helpful assistant who knows the weather and schedules meetings. Be concise. " +
      "Read a confirmation id back to the user, sign by sign.",
    tools: { getWeather, scheduleMeeting },
    async entry(ctx) {
      await ctx.waitForParticipant();
      ctx.session.say("Hello! I can tell you the weather, or schedule a meeting.");
    },
  });
}

/** A calendar in this process's memory; ids are short enough to be read aloud. */
export function memoryCalendar(): ToolsOptions["schedule"] {
  const meetings = new Map<string, { readonly id: string; readonly meeting: Meeting }>();
  return (meeting, { key }) => {
    const entered = meetings.get(key) ?? { id: `M${1001 + meetings.size}`, meeting };
    meetings.set(key, entered);
    return Promise.resolve(entered.id);
  };
}

export default toolsAgent({
  weatherUrl: "https://wttr.in",
  schedule: memoryCalendar(),
  today: () => new Date().toISOString().slice(0, 10),
});
