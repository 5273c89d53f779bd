import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { afterGap, isSpeech, SILENT, voice, type VoiceState } from "../../src/vad/voice.ts";

const OPTIONS = { activationThreshold: 0.5, minSpeechMs: 64, minSilenceMs: 96, prefixPaddingMs: 100 };

/** Marks as "start@400", for windows of 32 ms; `probabilities` are tenths, a digit a window ("0055" …). */
function marksOf(
  tenths: string,
  options: Partial<typeof OPTIONS> = {},
  jitterMs: readonly number[] = [],
): string {
  let state: VoiceState = SILENT;
  const found: string[] = [];
  [...tenths].forEach((tenth, i) => {
    const endMs = 1000 + (i + 1) * 32 + (jitterMs[i] ?? 0);
    const window = { probability: Number(tenth) / 10, startMs: endMs - 32, endMs };
    const next = voice(state, window, { ...OPTIONS, ...options });
    state = next.state;
    for (const { type, atMs } of next.marks) found.push(`${type.replace("speech-", "")}@${atMs - 1000}`);
  });
  return found.join(" ");
}

describe("voice", () => {
  const table: [what: string, tenths: string, expected: string, options?: Partial<typeof OPTIONS>][] = [
    ["silence brings nothing", "000000", ""],
    ["one window is too short for speech", "0009000", ""],
    ["two windows are speech, from 100 ms before the first", "00000990", "start@60 pause@224"],
    ["speech may begin before the stream", "99", "start@-100"],
    ["a threshold is met at its value", "0055", "start@-36"],
    ["below it nothing begins", "004444", ""],
    ["down to 0.15 less a voice goes on", "0009444", "start@-4"],
    ["below that it pauses", "0009943", "start@-4 pause@192"],
    ["a pause ends only at the threshold itself", "000994344", "start@-4 pause@192 end@192"],
    ["a voice that comes back resumes", "000990900", "start@-4 pause@160 resume@192 pause@224"],
    ["silence ends it", "000990000", "start@-4 pause@160 end@160"],
    [
      "the prefix does not reach into the speech before",
      "99000990",
      "start@-100 pause@64 end@64 start@64 pause@224",
    ],
    ["no minimum of speech", "000900", "start@-4 pause@128", { minSpeechMs: 0 }],
    ["no minimum of silence", "0009900", "start@-4 pause@160 end@160", { minSilenceMs: 0 }],
    ["no padding", "000990", "start@96 pause@160", { prefixPaddingMs: 0 }],
    ["minimums are met to the nearest window", "0009900", "start@-4 pause@160 end@160", { minSilenceMs: 70 }],
    ["a low threshold keeps a floor", "0001100", "start@-4 pause@160", { activationThreshold: 0.1 }],
  ];
  for (const [what, tenths, expected, options] of table) {
    it(what, () => assertEquals(marksOf(tenths, options), expected));
  }

  it("bears timestamps that jitter", () => {
    assertEquals(marksOf("000990000", {}, [0, 0, 0, 8, -4, 0, 0, -6, 0]), "start@4 pause@156 end@156");
  });

  it("does not join a voice over a gap", () => {
    const starting = voice(SILENT, { probability: 1, startMs: 0, endMs: 32 }, OPTIONS).state;
    assertEquals(starting.type, "starting");
    assertEquals(afterGap(starting), SILENT);
    const speaking = voice(starting, { probability: 1, startMs: 32, endMs: 64 }, OPTIONS).state;
    assertEquals(afterGap(speaking), speaking);
  });

  it("counts a pause as speech", () => {
    assertEquals(
      [SILENT, { type: "speaking", voicedUntilMs: 1 } as const, { type: "paused", voicedUntilMs: 1 } as const]
        .map(
          isSpeech,
        ),
      [false, true, true],
    );
  });
});
