/** `deno task replay FILE`: plays a recorded session again and says whether the same was decided. */
import { ConfigError, messageOf } from "../errors.ts";
import { conversationLines, decisionsOf, farthestApart, firstDifference } from "../recording/decisions.ts";
import { readRecording } from "../recording/recording.ts";
import { replay } from "../recording/replay.ts";
import { argumentsOf, runTask } from "./task.ts";

/** A machine that was busy lets its timers fire late; the replay's never do. */
const toleranceMs = 100;
/** Of a reply that was cut off, the last word may have been heard in the one and not in the other. */
const words = 1;

await runTask(async () => {
  const { values, positionals } = argumentsOf({
    usage: "deno task replay FILE [--tolerance MILLISECONDS]",
    options: { tolerance: { type: "string", default: String(toleranceMs) } },
    min: 1,
    max: 1,
  });
  const [name = ""] = positionals;
  const ms = Number(values.tolerance);
  if (!/^\d+$/.test(values.tolerance)) {
    throw new ConfigError(
      `--tolerance is ${JSON.stringify(values.tolerance)}; expected milliseconds, a whole number`,
    );
  }
  const recording = readRecording(await textOf(name), name);
  const replayed = await replay(recording);
  const [then, now] = [decisionsOf(recording), decisionsOf(replayed)];
  const { agentName, startedAt } = recording.header;
  console.log(`${agentName}, ${startedAt}`);
  for (const line of conversationLines(now)) console.log(line);
  const difference = firstDifference(then, now, { ms, words });
  if (difference !== undefined) throw new ConfigError(`The replay differs. ${difference}`);
  const decided = now.filter(({ prepares }) => !prepares).length;
  console.log(
    `The replay decided the same: ${decided} decisions, ${
      Math.ceil(farthestApart(then, now))
    } ms apart at the most.`,
  );
});

async function textOf(name: string): Promise<string> {
  try {
    return await Deno.readTextFile(name);
  } catch (error) {
    throw new ConfigError(`${name} cannot be read: ${messageOf(error)}`);
  }
}
