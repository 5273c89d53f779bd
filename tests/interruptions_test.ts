/** Sounds over the agent's speech, through the real voice detector, each with the words that a recognizer would give. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { defineAgent } from "../src/agent.ts";
import { resample } from "../src/audio/resample.ts";
import { liveStream } from "../src/audio/live.ts";
import { turnTakingFor } from "../src/dispatch/turn_taking.ts";
import { memoryRoom } from "../src/room/memory.ts";
import { startSession } from "../src/session.ts";
import type { SpeechToText, TranscriptEvent } from "../src/stt/stt.ts";
import { fliteOutput, fliteTextToSpeech } from "../src/tts/flite.ts";
import type { SpeechEvent, TextToSpeech } from "../src/tts/tts.ts";
import { sileroDetector } from "../src/vad/silero.ts";
import type { VoiceActivityDetector, VoiceEvent } from "../src/vad/vad.ts";
import { type FakeClock, fakeClock } from "./fakes/clock.ts";
import { silentLog } from "./fakes/log.ts";
import { scriptedLanguageModel } from "./fakes/providers.ts";
import { framesOf, joined, loadClip, quiet, voiceOf } from "./fixtures/speech.ts";

const story =
  "Once upon a time there was a king who lived in a castle by the sea with his seven daughters and " +
  "a great many horses";
const msPerWord = 250;
/** When the sound begins; the agent has spoken for two seconds then. */
const soundMs = 2000;
const format = { sampleRate: 24_000, channels: 1 };
const perMs = 24;

/** A voice whose samples count, upwards in its first reply and downwards in others, so that each is known again. */
function countingVoice(): TextToSpeech & { readonly sent: string[] } {
  const sent: string[] = [];
  let replies = 0;
  async function* speak(text: ReadableStream<string>, sign: number): AsyncGenerator<SpeechEvent> {
    let next = 0;
    for await (const clause of text) {
      sent.push(clause);
      const count = clause.trim().split(/\s+/).length * msPerWord * perMs;
      for (let at = 0; at < count; at += 100 * perMs) {
        const samples = Int16Array.from(
          { length: Math.min(100 * perMs, count - at) },
          () => sign * (next++ % 20_000),
        );
        yield { type: "audio", frame: { ...format, samples, timestampMs: 0 } };
      }
    }
  }
  return {
    provider: "counting",
    model: "voice",
    output: format,
    sent,
    synthesize: (text) => ReadableStream.from(speak(text, replies++ === 0 ? 1 : -1)),
  };
}

/** What the real detector makes of `samples`, given frame by frame. */
async function detected(samples: Int16Array): Promise<VoiceActivityDetector & { endMs: number }> {
  const events = await Array.fromAsync(
    ReadableStream.from(framesOf(samples)).pipeThrough(sileroDetector().detect()),
  );
  const rounds: VoiceEvent[][] = [[]];
  for (const event of events) {
    rounds.at(-1)!.push(event);
    if (event.type === "audio") rounds.push([]);
  }
  const pauses = events.flatMap((event) => event.type === "speech-pause" ? [event.atMs] : []);
  return {
    model: "recorded",
    input: { sampleRate: 16_000, channels: 1 },
    endMs: pauses.at(-1) ?? soundMs,
    detect() {
      let round = 0;
      return new TransformStream({
        transform(frame, controller) {
          for (const event of rounds[round++] ?? []) {
            controller.enqueue(event.type === "audio" ? { ...event, frame } : event);
          }
        },
      });
    },
  };
}

/** A recognizer that says what it is told to, when it is told to. */
function recognizer(
  script: readonly { atMs: number; event: TranscriptEvent }[],
  clock: FakeClock,
): SpeechToText {
  return {
    provider: "scripted",
    model: "script",
    input: { sampleRate: 16_000, channels: 1 },
    transcribe(voice, { signal }) {
      const out = liveStream<TranscriptEvent>({ limit: Infinity });
      const timers = script.map(({ atMs, event }) => clock.after(atMs - clock.now(), () => out.push(event)));
      voice.pipeTo(new WritableStream(), { signal }).catch(() => {}).finally(() => {
        for (const timer of timers) timer[Symbol.dispose]();
        out.close();
      });
      return out.readable;
    },
  };
}

async function synthesized(text: string): Promise<Int16Array> {
  const parts: Int16Array[] = [];
  const { signal } = new AbortController();
  for await (const event of fliteTextToSpeech().synthesize(ReadableStream.from([text]), { signal })) {
    if (event.type === "audio") parts.push(event.frame.samples);
  }
  return resample(joined(...parts), fliteOutput.sampleRate, 16_000);
}

/** Two bursts of noise that swell and fade, as a cough does. */
function cough(): Int16Array {
  let seed = 1;
  const noise = () => ((seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647 - 0.5) * 24_000;
  const burst = (ms: number) =>
    Int16Array.from(
      { length: ms * 16 },
      (_, at) => noise() * Math.exp(-at / (ms * 4)) * Math.min(1, at / 160),
    );
  return joined(burst(250), quiet(120), burst(300));
}

const mixed = (...voices: readonly Int16Array[]): Int16Array =>
  Int16Array.from(
    { length: Math.max(...voices.map(({ length }) => length)) },
    (_, at) => voices.reduce((sum, voice) => sum + (voice[at] ?? 0), 0) / 2,
  );
const quieter = (samples: Int16Array): Int16Array => samples.map((sample) => sample / 4);

/** Has `sound` heard over the story; the recognizer gives `words` for it: some while it sounds, all 160 ms after it. */
async function over(sound: Int16Array, words: string) {
  const clock = fakeClock();
  const room = memoryRoom({ name: "room", clock });
  const microphone = joined(quiet(soundMs), sound, quiet(9_000));
  const vad = await detected(microphone);
  const said = words.split(" ");
  const silence = Array.from({ length: 20 }, (_, at) => ({
    atMs: soundMs + at * 500,
    event: { type: "interim", text: "" } as const, // what a recognizer says that hears no words
  }));
  const script = words === "" ? silence : [
    ...said.map((_, at) => ({
      atMs: soundMs + 200 + (at + 1) * msPerWord,
      event: { type: "interim", text: said.slice(0, at + 1).join(" ") } as const,
    })).filter(({ atMs }) => atMs < vad.endMs + 160),
    { atMs: vad.endMs + 160, event: { type: "final", text: words } as const },
  ];
  const tts = countingVoice();
  const agent = defineAgent({
    instructions: "You are a test.",
    entry: (ctx) => void ctx.session.say(story),
  });
  const { session } = startSession({
    id: "session",
    agentName: "test",
    agent,
    providers: {
      vad,
      stt: recognizer(script, clock),
      llm: scriptedLanguageModel([{ text: "All right.", ttftMs: 200, tokenMs: 20 }], clock),
      tts,
    },
    turnTaking: turnTakingFor(agent, { endpointing: {}, interruption: {}, speculate: false }),
    join: () => Promise.resolve(room),
    metadata: "",
    clock,
    log: silentLog,
  });
  const events = Array.fromAsync(session.events());
  room.enter("caller");
  await clock.settle();
  for (const frame of framesOf(microphone)) {
    await clock.advance(20);
    room.hear({ ...frame, timestampMs: clock.now() - 20 });
    await clock.settle();
  }
  const closed = session.close();
  await clock.advance(5_000);
  await closed;
  const committed = (await events).filter((event) => event.type === "agent-speech-committed");
  const turns = (await events).flatMap((event) =>
    event.type === "user-speech-committed" ? [event.text] : event.type === "turn-ended" ? [event.outcome] : []
  );
  const story1 = committed.find(({ replyId }) => replyId === "say-1");
  return {
    story: story1,
    turns,
    played: joined(...room.played.map(({ samples }) => samples)),
    sent: tts.sent,
    clock,
  };
}

const storySamples = story.split(" ").length * msPerWord * perMs;

/** How many samples of the story were played, from its first on, none twice and none left out but where it faded. */
function playedInOrder(played: Int16Array): number {
  let wrong = 0;
  for (let at = 0; at < Math.min(played.length, storySamples); at++) {
    const faded = Math.abs(played[at] ?? 0) <= at % 20_000;
    if (played[at] !== at % 20_000) {
      assert(faded, `sample ${at} is ${played[at]}`);
      wrong++;
    }
  }
  assert(wrong <= 4 * 10 * perMs, `${wrong} samples are not those of the story: more than fades of 10 ms`);
  return played.length;
}

describe("sounds that interrupt nobody", () => {
  const sounds: Record<string, () => Promise<[sound: Int16Array, words: string, turns: string[]]>> = {
    "a cough": () => Promise.resolve([cough(), "", []]),
    '"mhm"': async () => [await synthesized("mm hmm."), "mm-hmm", ["mm-hmm", "declined"]],
    '"yeah, okay"': async () => [await synthesized("yeah, okay."), "yeah, okay", ["yeah, okay", "declined"]],
    "the agent's own voice": async () => [
      quieter(await synthesized("a king who lived in a castle by the sea.")),
      "a king who lived in a castle by the sea",
      [],
    ],
    "babble": async () => {
      const clips = await Promise.all((["one", "two", "three"] as const).map(loadClip));
      return [mixed(...clips.map(voiceOf)), "", []];
    },
  };
  for (const [name, make] of Object.entries(sounds)) {
    it(`${name}: every sample of the story is played, once, and nothing is synthesized twice`, async () => {
      const [sound, words, turns] = await make();
      const result = await over(sound, words);
      assertEquals([result.story?.text, result.story?.interrupted], [story, false]);
      assertEquals(playedInOrder(result.played), storySamples);
      assertEquals(result.sent.join("").length, story.length);
      assertEquals(result.turns, turns);
    });
  }
});

describe("words that always stop the agent", () => {
  for (const word of ["stop", "wait", "no"]) {
    it(`"${word}": it falls silent, and nothing old is heard after it`, async () => {
      const result = await over(await synthesized(`${word}.`), word);
      assertEquals(result.story?.interrupted, true);
      assertEquals(result.turns, [word, "answered"]);
      // All that comes after the story's samples is the answer, which counts downwards.
      const { played } = result;
      const cut = played.findIndex((sample) => sample < 0) - 1;
      assert(cut > 2_000 * perMs && cut < 3_300 * perMs, `the story was cut after ${cut / perMs} ms`);
      assertEquals(played.length - cut, 2 * msPerWord * perMs);
      for (let at = cut; at < played.length; at++) assertEquals(0 - (played[at] ?? 1), at - cut);
    });
  }
});
