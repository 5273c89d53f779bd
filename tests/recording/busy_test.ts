/** Sessions on a machine that is busy, recorded: what their replays, which never are, must know to decide the same. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { runPicker } from "../../src/recording/replayed_streams.ts";
import type { VoiceActivityDetector, VoiceEvent } from "../../src/vad/vad.ts";
import type { Stalls } from "../fakes/late_clock.ts";
import { decidedAgain, record } from "./recorded.ts";

const folder = new URL("../conversations/", import.meta.url);

/** Nothing fires for `forMs` of each `everyMs`. */
const stalls = (everyMs: number, forMs: number): Stalls =>
  Array.from({ length: Math.ceil(30_000 / everyMs) }, (_, at) => [at * everyMs, at * everyMs + forMs]);

describe("a golden conversation on a machine that is busy, recorded and played again, is decided the same", () => {
  for (
    const name of [
      "plain-turn",
      "barge-in",
      "back-channel",
      "tool-call",
      "push-to-talk",
      "stt-drop",
      "user-away",
    ]
  ) {
    for (const [everyMs, forMs] of [[310, 170], [700, 250]] as const) {
      it(`${name.replaceAll("-", " ")}, ${forMs} ms of ${everyMs}`, async () => {
        const [script = ""] = (await Deno.readTextFile(new URL(`${name}.txt`, folder))).split("\n----\n");
        await decidedAgain(await record(script, undefined, stalls(everyMs, forMs)));
      });
    }
  }
  it("plain turn, where the device runs dry", async () => {
    const [script = ""] = (await Deno.readTextFile(new URL("plain-turn.txt", folder))).split("\n----\n");
    await decidedAgain(await record(script, undefined, stalls(1_300, 700)));
  });
});

describe("a replay", () => {
  const script = `
    llm "It is noon."
    0.5 user "What time is it" 1.6s
    6.0 end`;

  it("hears how loud each piece of a frame was: a voice that is weak, and loud in between, has not faded", async () => {
    const lines = await decidedAgain(
      await record(
        script,
        ({ providers }) => ({ providers: { ...providers, vad: weakened(providers.vad) } }),
      ),
    );
    assertEquals(lines.filter((line) => line.includes("model was asked")).length, 1);
  });

  it("leaves the room as slowly", async () => {
    const lines = await decidedAgain(
      await record(script, ({ join, clock }) => ({
        async join(given) {
          const room = await join(given);
          const { [Symbol.asyncDispose]: leave } = room;
          return Object.assign(room, {
            showEnd: () => clock.sleep(100),
            async [Symbol.asyncDispose]() {
              await clock.sleep(200);
              await leave();
            },
          });
        },
      })),
    );
    assertEquals(lines.at(-1)?.trim(), "6.30 s  the session ended: closed");
  });

  it("takes no answer from another when one is prepared that was not", () => {
    const pick = runPicker(["a", "b", "a"]);
    const asked = ["b", "c", "a", "a", "a"].map((input) => pick((run) => run === input));
    assertEquals(asked, ["b", undefined, "a", "a", undefined]);
  });
});

/** `vad`, which hears of two frames in the middle of each word 10 ms at a time: nothing, and what is not quite nothing. */
function weakened(vad: VoiceActivityDetector): VoiceActivityDetector {
  let voiced = 0;
  return {
    ...vad,
    detect(options) {
      const { readable, writable } = vad.detect(options);
      const weaken = new TransformStream<VoiceEvent, VoiceEvent>({
        transform(event, controller) {
          if (event.type !== "audio" || !event.speech || ++voiced % 20 < 18) return controller.enqueue(event);
          const { frame } = event;
          const half = frame.samples.length / 2;
          const samples = frame.samples.map((sample, at) => at < half ? 0 : sample * 0.1);
          controller.enqueue({ ...event, frame: { ...frame, samples } });
        },
      });
      return { readable: readable.pipeThrough(weaken), writable };
    },
  };
}
