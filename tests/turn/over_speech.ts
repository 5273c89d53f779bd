/** A whole session whose agent speaks, and a sound that is made over it, through the real voice detector. */
import { saidIn } from "../../src/history.ts";
import { defineAgent, type InterruptionOptions } from "../../src/agent.ts";
import { liveStream } from "../../src/audio/live.ts";
import type { Clock } from "../../src/clock.ts";
import { turnTakingFor } from "../../src/dispatch/turn_taking.ts";
import type { SessionEvent } from "../../src/events.ts";
import { memoryRoom } from "../../src/room/memory.ts";
import { startSession } from "../../src/session.ts";
import type { SpeechToText, TranscriptEvent } from "../../src/stt/stt.ts";
import type { SpeechEvent, TextToSpeech } from "../../src/tts/tts.ts";
import { sileroDetector } from "../../src/vad/silero.ts";
import type { VoiceActivityDetector, VoiceEvent, VoiceOptions } from "../../src/vad/vad.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog } from "../fakes/log.ts";
import { scriptedLanguageModel } from "../fakes/providers.ts";
import { framesOf, joined } from "../fixtures/speech.ts";
import { record, type Recording, type Sound, story } from "../fixtures/interruptions.ts";

const format = { sampleRate: 24_000, channels: 1 };
const perMs = format.sampleRate / 1000;
const msPerWord = 250;
/** Samples count up to here and begin again: a sample says where in a reply it belongs. */
const COUNT = 20_000;
/** A recognizer's words come this long after they were said. */
const recognizedMs = 150;
/** Long enough for a pause of two seconds, the rest of the story and an answer. */
const tailMs = 9_000;
/** What is answered was answered this long after it. */
const answeredByMs = 2_500;

export interface Settings {
  readonly voice: VoiceOptions;
  readonly interruption: InterruptionOptions;
}

export interface Outcome {
  readonly events: readonly SessionEvent[];
  /** What of the story was played, pauses left out, and until when. */
  readonly story: Int16Array;
  readonly storyUntilMs: number;
  /** When the first sample of another reply was played. */
  readonly answeredMs: number | undefined;
  /** What was given to the voice, as one text. */
  readonly spoken: string;
  /** Whether the detector took the sound for a voice. */
  readonly voiced: boolean;
  readonly pending: number;
}

/** The length of the story, in samples. */
export const storySamples = story.split(" ").length * msPerWord * perMs;

/** Makes `sound` while the agent tells the story, and plays the call to its end. */
export async function over(sound: Sound, recording: Recording, settings: Settings): Promise<Outcome> {
  const clock = fakeClock();
  const room = memoryRoom({ name: "room", clock });
  const { samples, fromMs, toMs } = await record(sound, recording, tailMs);
  const vad = await detected(samples, settings.voice);
  const agent = defineAgent({
    instructions: "You are a test.",
    interruption: settings.interruption,
    entry: (ctx) => void ctx.session.say(story),
  });
  const tts = countingVoice();
  const { session } = startSession({
    id: "session",
    agentName: "test",
    agent,
    providers: {
      vad,
      stt: recognizer(script(sound, { fromMs, toMs, pausedMs: vad.pausedMs }), clock),
      llm: scriptedLanguageModel([{ text: "All right.", ttftMs: 200, tokenMs: 20 }], clock),
      tts,
    },
    turnTaking: turnTakingFor(agent, { endpointing: {}, interruption: {}, speculate: true }),
    join: () => Promise.resolve(room),
    metadata: "",
    clock,
    log: silentLog,
  });
  const told = Array.fromAsync(session.events());
  room.enter("caller");
  await clock.settle();
  for (const frame of framesOf(samples)) {
    await clock.advance(20);
    room.hear(frame);
    await clock.settle();
    const told = saidIn(session.history).some(({ role }) => role === "assistant");
    if (told && clock.now() > toMs + answeredByMs) break;
  }
  const closed = session.close();
  await clock.advance(5_000);
  await closed;
  const answer = room.played.findIndex(({ samples }) => samples.some((sample) => sample < 0));
  const before = answer < 0 ? room.played : room.played.slice(0, answer);
  const after = answer < 0 ? [] : room.played.slice(answer);
  if (after.some(({ samples }) => samples.some((sample) => sample > 0))) {
    throw new Error("samples of the story were played after the answer had begun");
  }
  return {
    events: await told,
    story: joined(...before.map(({ samples }) => samples)),
    storyUntilMs: before.at(-1)?.toMs ?? 0,
    answeredMs: after[0]?.fromMs,
    spoken: tts.sent.join(""),
    voiced: vad.pausedMs !== undefined,
    pending: clock.pending,
  };
}

/** When the recognizer says what. */
function script(
  { interims = [], final, confidence }: Sound,
  { fromMs, toMs, pausedMs = toMs }: {
    readonly fromMs: number;
    readonly toMs: number;
    readonly pausedMs: number | undefined;
  },
): { readonly atMs: number; readonly event: TranscriptEvent }[] {
  if (final === undefined) {
    // What one says that hears no words.
    return Array.from({ length: 20 }, (_, at) => ({ atMs: at * 500, event: { type: "interim", text: "" } }));
  }
  const sure = confidence === undefined ? {} : { confidence };
  const finalMs = Math.max(pausedMs, toMs) + recognizedMs;
  const heard = interims.map((text, at) => ({
    atMs: fromMs + (at + 1) * (toMs - fromMs) / interims.length + recognizedMs - 20,
    event: { type: "interim", text, ...sure } as const,
  }));
  return [...heard, { atMs: finalMs, event: { type: "final", text: final, ...sure } }];
}

function recognizer(script: readonly { atMs: number; event: TranscriptEvent }[], clock: Clock): SpeechToText {
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

/**
 * What the real detector makes of `samples`, to be told again frame by frame: its model takes real time, which the fake
 * clock does not wait for. `pausedMs`: the end of the last voice.
 */
async function detected(
  samples: Int16Array,
  voice: VoiceOptions,
): Promise<VoiceActivityDetector & { readonly pausedMs: number | undefined }> {
  const rounds: VoiceEvent[][] = [[]];
  const events = ReadableStream.from(framesOf(samples)).pipeThrough(sileroDetector(voice).detect());
  let pausedMs: number | undefined;
  for await (const event of events) {
    rounds.at(-1)?.push(event);
    if (event.type === "audio") rounds.push([]);
    if (event.type === "speech-pause") pausedMs = event.atMs;
  }
  return {
    model: "recorded",
    input: { sampleRate: 16_000, channels: 1 },
    pausedMs,
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

/** A voice whose samples count: upwards in its first reply, the story, and downwards in all others. */
function countingVoice(): TextToSpeech & { readonly sent: string[] } {
  const sent: string[] = [];
  let replies = 0;
  async function* speak(text: ReadableStream<string>, sign: number): AsyncGenerator<SpeechEvent> {
    let next = 0;
    for await (const clause of text) {
      if (sign > 0) sent.push(clause);
      const count = (clause.match(/\S+/g)?.length ?? 0) * msPerWord * perMs;
      for (let at = 0; at < count; at += 100 * perMs) {
        const length = Math.min(100 * perMs, count - at);
        const samples = Int16Array.from({ length }, () => sign * (1 + next++ % COUNT));
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

/** How many of `story`'s samples are not as loud as they were made; throws when one is missing, early or doubled. */
export function softened({ story }: Outcome): number {
  let soft = 0;
  for (const [at, sample] of story.entries()) {
    const made = 1 + at % COUNT;
    if (sample > made) {
      throw new Error(`sample ${at} of the story is ${sample}; expected ${made}, or less in a fade`);
    }
    if (sample < made) soft++;
  }
  return soft;
}
