/** Several people who talk with the agent are one user to turn-taking: their voices, and their words. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { type Floor, takeFloor, type VoiceChange } from "../../src/turn/floor.ts";
import { initialTurnState, type Said, type TurnEvent } from "../../src/turn/state.ts";
import { turn } from "../../src/turn/turn.ts";
import { defaults, mark } from "./play.ts";

const fade: VoiceChange = { type: "speech-fade" };
const swell: VoiceChange = { type: "speech-swell" };

/** What turn-taking is told when these voices do that, in order. */
function told(changes: readonly (readonly [who: string, change: VoiceChange])[]): string[] {
  let floor: Floor = {};
  return changes.map(([who, next]) => {
    const { floor: after, change } = takeFloor(floor, who, next);
    floor = after;
    if (!change) return "–";
    return "atMs" in change ? `${change.type} ${change.atMs}` : change.type;
  });
}

const voices: Record<string, [readonly (readonly [string, VoiceChange])[], string[]]> = {
  "one voice is told as it is": [
    [
      ["anna", mark("speech-start", 100)],
      ["anna", fade],
      ["anna", swell],
      ["anna", mark("speech-pause", 200)],
      ["anna", mark("speech-resume", 300)],
      ["anna", mark("speech-pause", 400)],
      ["anna", mark("speech-end", 400)],
    ],
    [
      "speech-start 100",
      "speech-fade",
      "speech-swell",
      "speech-pause 200",
      "speech-resume 300",
      "speech-pause 400",
      "speech-end 400",
    ],
  ],
  "who speaks into another's words goes on with them": [
    [
      ["anna", mark("speech-start", 100)],
      ["ben", mark("speech-start", 200)],
      ["anna", mark("speech-pause", 300)],
      ["anna", mark("speech-end", 300)],
      ["ben", mark("speech-pause", 500)],
      ["ben", mark("speech-end", 500)],
    ],
    ["speech-start 100", "–", "–", "–", "speech-pause 500", "speech-end 500"],
  ],
  "who speaks in another's pause is a speech of their own": [
    [
      ["anna", mark("speech-start", 100)],
      ["anna", mark("speech-pause", 200)],
      ["ben", mark("speech-start", 300)],
      ["anna", mark("speech-end", 200)],
      ["ben", mark("speech-pause", 400)],
      ["anna", mark("speech-start", 450)],
    ],
    ["speech-start 100", "speech-pause 200", "speech-start 300", "–", "speech-pause 400", "speech-start 450"],
  ],
  "silence begins with the last voiced window of all": [
    [
      ["anna", mark("speech-start", 100)],
      ["ben", mark("speech-start", 110)],
      ["ben", mark("speech-pause", 400)],
      ["anna", mark("speech-pause", 390)],
      ["ben", mark("speech-end", 400)],
      ["anna", mark("speech-end", 390)],
    ],
    ["speech-start 100", "–", "–", "speech-pause 400", "–", "speech-end 400"],
  ],
  "the voice fades when everybody's has": [
    [
      ["anna", mark("speech-start", 100)],
      ["ben", mark("speech-start", 100)],
      ["anna", fade],
      ["ben", fade],
      ["anna", swell],
    ],
    ["speech-start 100", "–", "–", "speech-fade", "speech-swell"],
  ],
  "who leaves in the middle of a word has fallen silent": [
    [["anna", mark("speech-start", 100)], ["anna", mark("speech-end", 300)]],
    ["speech-start 100", "speech-end 300"],
  ],
};

describe("several voices", () => {
  for (const [name, [changes, expected]] of Object.entries(voices)) {
    it(name, () => assertEquals(told(changes), expected));
  }
});

const anna = { identity: "anna", name: "Anna" };
const ben = { identity: "ben", name: "Ben" };
type Transcript = Omit<Extract<TurnEvent, { type: `transcript-${string}` }>, "nowMs">;
const words = (type: "interim" | "final", speaker: typeof anna, text: string): Transcript => ({
  type: `transcript-${type}`,
  text,
  speaker,
});

/** What is committed when these words have come, each 100 ms after the one before, and all is silent afterwards. */
function committed(transcripts: readonly Transcript[]): (readonly Said[])[] {
  let state = initialTurnState;
  let wakeAtMs: number | undefined;
  const turns: (readonly Said[])[] = [];
  const take = (event: TurnEvent) => {
    const result = turn(state, event, defaults);
    state = result.state;
    wakeAtMs = result.wakeAtMs;
    for (const action of result.actions) if (action.type === "commit-turn") turns.push(action.said);
  };
  for (const [at, transcript] of transcripts.entries()) take({ ...transcript, nowMs: at * 100 });
  for (let i = 0; wakeAtMs !== undefined && i < 10; i++) take({ type: "wake", nowMs: wakeAtMs });
  return turns;
}

const turns: Record<string, [readonly Transcript[], (readonly Said[])[]]> = {
  "the words of a turn are in the order in which they were said": [
    [
      words("final", anna, "Two coffees."),
      words("final", ben, "Three."),
      words("final", anna, "Three then."),
    ],
    [[
      { speaker: anna, text: "Two coffees." },
      { speaker: ben, text: "Three." },
      { speaker: anna, text: "Three then." },
    ]],
  ],
  "what one says goes on after its pause": [
    [words("final", anna, "Two"), words("final", anna, "coffees.")],
    [[{ speaker: anna, text: "Two coffees." }]],
  ],
  "an utterance does not replace another's that is under way": [
    [
      words("interim", anna, "Two"),
      words("interim", ben, "No"),
      words("interim", anna, "Two coffees"),
      words("final", ben, "No, three."),
      words("final", anna, "Two coffees."),
    ],
    [[{ speaker: ben, text: "No, three." }, { speaker: anna, text: "Two coffees." }]],
  ],
  "the same word twice is said twice, by two": [
    [words("final", anna, "Yes"), words("final", ben, "Yes")],
    [[{ speaker: anna, text: "Yes" }, { speaker: ben, text: "Yes" }]],
  ],
};

describe("several people's words", () => {
  for (const [name, [transcripts, expected]] of Object.entries(turns)) {
    it(name, () => assertEquals(committed(transcripts), expected));
  }

  it("what was answered before it was final is not answered again, whoever is final first", () => {
    const waiting = [words("interim", anna, "Two coffees"), words("interim", ben, "and tea")];
    let state = initialTurnState;
    const texts: string[] = [];
    const take = (event: TurnEvent) => {
      const result = turn(state, event, defaults);
      state = result.state;
      for (const action of result.actions) if (action.type === "commit-turn") texts.push(action.text);
    };
    for (const transcript of waiting) take({ ...transcript, nowMs: 0 });
    take({ type: "wake", nowMs: 4_000 });
    take({ type: "reply-started", replyId: "turn-1", nowMs: 4_500 });
    take({ type: "reply-ended", replyId: "turn-1", nowMs: 5_500 });
    take({ ...words("final", ben, "and tea"), nowMs: 5_600 });
    take({ ...words("final", anna, "Two coffees"), nowMs: 5_700 });
    take({ type: "wake", nowMs: 9_000 });
    assertEquals(texts, ["Two coffees and tea"]);
  });
});
