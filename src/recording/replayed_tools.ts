/** The tools of an agent that is played again: they do nothing, and take and tell what they did then. */
import * as z from "zod";
import type { Clock } from "../clock.ts";
import type { Tool, ToolSet } from "../tool.ts";
import { inputOf } from "./recorded_tools.ts";
import type { Recording } from "./recording.ts";
import { replayedStream, runPicker, runsOf } from "./replayed_streams.ts";

const item = z.discriminatedUnion("type", [
  z.object({ type: z.literal("progress"), text: z.string() }),
  z.object({ type: z.literal("heartbeat") }),
  z.object({ type: z.literal("keep") }),
  z.object({ type: z.literal("result"), text: z.string() }),
]);

/** The tools of `recording`: each use takes as long as it took then. */
export function replayedTools(recording: Recording, clock: Clock): ToolSet {
  const { header, entries } = recording;
  const pick = runPicker(runsOf(recording, "tool"));
  const pickChecked = runPicker(entries.filter((entry) => entry.type === "tool-checked"));
  const pickAsked = runPicker(entries.filter((entry) => entry.type === "tool-asked"));
  const offered = entries.flatMap((entry) => entry.type === "tool-offered" ? [entry.tool] : []);
  return Object.fromEntries(
    // The agent's own come before others of their names.
    [...offered.toReversed(), ...header.tools ?? []].map((
      { name, effect, timeoutMs, confirm },
    ): [string, Tool] => [
      name,
      {
        type: "tool",
        description: "(not recorded)",
        parameters: { type: "object", properties: {} },
        effect,
        timeoutMs,
        ...(confirm && { confirm: () => pickAsked((one) => one.name === name)?.question ?? "" }),
        validate(given) {
          const { issues = [] } = pickChecked(({ input }) => input === inputOf(name, given)) ?? {};
          return Promise.resolve(issues.length > 0 ? { issues } : { value: given });
        },
        async execute(_, { signal, progress, heartbeat, disallowInterruptions }) {
          const run = pick(({ input }) => input === name);
          const shiftMs = clock.now() - (run?.openedMs ?? 0);
          for await (
            const told of replayedStream(run, { clock, signal, shiftMs, itemFrom: (one) => item.parse(one) })
          ) {
            if (told.type === "result") return told.text;
            if (told.type === "heartbeat") heartbeat();
            else if (told.type === "keep") disallowInterruptions();
            else progress(told.text);
          }
        },
      },
    ]),
  );
}
