/** Scripts of the golden conversations that are recorded, and recordings that are compared with their replays. */
import { assert, assertEquals } from "@std/assert";
import {
  conversationLines,
  decisionsOf,
  farthestApart,
  firstDifference,
} from "../../src/recording/decisions.ts";
import { readRecording, type Recording } from "../../src/recording/recording.ts";
import { replay } from "../../src/recording/replay.ts";
import { startRecorded } from "../../src/recording/start.ts";
import type { SessionOptions } from "../../src/session.ts";
import { runScript } from "../conversations/run.ts";
import { parseScript } from "../conversations/script.ts";
import type { Stalls } from "../fakes/late_clock.ts";

/** The same clock, the same times: but for what rounding to the microsecond leaves. */
const exactly = { ms: 1, words: 0 };

/** What is written of a session while it runs. */
export function recordingLines() {
  const lines: string[] = [];
  return {
    write: (line: string) => lines.push(line) > 0,
    close() {},
    /** The recording, once the session has ended. */
    read: (name: string) => readRecording(lines.join(""), name),
  };
}

/** A session by `script`, recorded; `change`: what else it has; `stalls`: when its machine is busy. */
export async function record(
  script: string,
  change: (options: SessionOptions) => Partial<SessionOptions> = () => ({}),
  stalls?: Stalls,
): Promise<Recording> {
  const parsed = parseScript(script);
  const lines = recordingLines();
  const config = { endpointing: {}, interruption: {}, speculate: parsed.options.speculate };
  const { pending } = await runScript(
    parsed,
    (options) => startRecorded({ ...options, ...change(options) }, config, lines),
    stalls,
  );
  assertEquals(pending, 0, "the recorded session left timers behind");
  return lines.read("the recording");
}

/** Plays `recording` again and sees that the same was decided; returns what was, a line each. */
export async function decidedAgain(recording: Recording): Promise<string[]> {
  const [then, now] = [decisionsOf(recording), decisionsOf(await replay(recording))];
  assert(then.length > 0 && then.at(-1)?.what.startsWith("the session ended"), "nothing was recorded");
  // What happens at the same moment may do so in another order.
  assertEquals(conversationLines(now).toSorted(), conversationLines(then).toSorted());
  assertEquals(firstDifference(then, now, exactly), undefined);
  assert(farthestApart(then, now) < 1);
  return conversationLines(now);
}
