import * as z from "zod";
import { type Tool, tool } from "../tool.ts";

/** A tool for an agent that is to see what the user shows when it matters: the model is shown the newest picture. */
export function lookTool(): Tool {
  return tool({
    description:
      "Looks at what the user shows you by camera or on their screen, as it is at this moment. Use it " +
      "whenever what they say is about something that can be seen.",
    parameters: z.object({
      source: z.enum(["camera", "screen"]).optional()
        .describe("What to look at; left out: their screen while they share it, else their camera"),
    }),
    effect: "none",
    async execute({ source }, { session, signal }) {
      const nothing = source ? `no ${source}` : "neither a camera nor a screen";
      return await session.look({ source, signal }) ?? `The user shows ${nothing} now.`;
    },
  });
}
