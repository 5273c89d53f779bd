/** The providers of a session that is played again: they bring what the recording says. */
import * as z from "zod";
import { abortable } from "../abort.ts";
import { liveStream } from "../audio/live.ts";
import type { Clock } from "../clock.ts";
import type { LanguageEvent } from "../llm/llm.ts";
import type { Providers } from "../session.ts";
import type { TranscriptEvent } from "../stt/stt.ts";
import type { SpeechEvent } from "../tts/tts.ts";
import { PIECE_MS } from "../vad/loudness.ts";
import type { VoiceActivityDetector, VoiceEvent } from "../vad/vad.ts";
import { lastInput } from "./recorded_providers.ts";
import type { EquippedThen, Recording } from "./recording.ts";
import { errorFrom, type RecordedRun, replayedStream, runPicker, runsOf } from "./replayed_streams.ts";

const hearing = { sampleRate: 16_000, channels: 1 } as const;
const speaking = { sampleRate: 24_000, channels: 1 } as const;

const sound = z.object({ type: z.literal("audio"), ms: z.number() });

/**
 * What makes the providers of each agent of `recording` on `clock`, which stands where the session begins. What was heard
 * comes when it came then; answers and voices come as long after they were asked for as they came then.
 */
export function replayedProviders(recording: Recording, clock: Clock): (then: EquippedThen) => Providers {
  const heard = runsOf(recording, "stt");
  const judged = runsOf(recording, "turn");
  const pickAnswer = runPicker(runsOf(recording, "llm"));
  const texts = runsOf(recording, "text");
  const pickVoice = runPicker(runsOf(recording, "tts").map((run, at) => ({ run, text: texts[at] })));
  const next = { stt: 0, turn: 0 };
  const asked = (run: RecordedRun | undefined) => clock.now() - (run?.openedMs ?? 0);
  const vad = replayedDetector(recording, clock);
  return ({ stt: { elsewhere, ...stt }, llm, tts, turnDetector }) => ({
    vad,
    stt: {
      ...stt,
      ...(elsewhere && { elsewhere }),
      input: hearing,
      transcribe(voice, { signal }) {
        voice.pipeTo(new WritableStream(), { signal }).catch(() => {}); // it is only read along with
        const itemFrom = (item: unknown) => item as TranscriptEvent; // as the recorder wrote it
        return replayedStream(heard[next.stt++], { clock, signal, shiftMs: 0, itemFrom });
      },
    },
    llm: {
      ...llm,
      generate({ messages }, { signal }) {
        const input = lastInput(messages);
        const run = pickAnswer((run) => run.input === input);
        const itemFrom = (item: unknown) => item as LanguageEvent; // as the recorder wrote it
        return replayedStream(run, { clock, signal, shiftMs: asked(run), itemFrom });
      },
    },
    tts: {
      ...tts,
      output: speaking,
      synthesize(text, { signal }) {
        const askedMs = clock.now();
        return ReadableStream.from(speak(text, { pick: pickVoice, askedMs, clock, signal }));
      },
    },
    ...(turnDetector && {
      turnDetector: {
        ...turnDetector,
        async endOfTurn(_, { signal }) {
          const run = judged[next.turn++];
          const shiftMs = asked(run);
          const itemFrom = (item: unknown) => ({ probability: z.number().parse(item) });
          for await (const { probability } of replayedStream(run, { clock, signal, shiftMs, itemFrom })) {
            return probability;
          }
          throw errorFrom({ stage: "turn", message: "no answer", retryable: true, refused: false });
        },
      },
    }),
  });
}

interface Speaking {
  readonly pick: (
    fits: (voice: { readonly text: RecordedRun | undefined }) => boolean,
  ) => { readonly run: RecordedRun; readonly text: RecordedRun | undefined } | undefined;
  /** When the voice was asked to speak. */
  readonly askedMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Speaks as the voice did that was given the same first clause, and not beyond the end of what it is given. */
async function* speak(
  text: ReadableStream<string>,
  { pick, askedMs, clock, signal }: Speaking,
): AsyncGenerator<SpeechEvent> {
  const reader = text.getReader();
  const { done, value: first } = await abortable(reader.read(), signal);
  if (done) return;
  // Text transforms that are functions are not in the recording: a clause may be another than it was.
  const voice = pick(({ text }) => firstClause(text) === first) ?? pick(() => true);
  const shiftMs = askedMs - (voice?.run.openedMs ?? askedMs);
  const taken = takeText(reader, voice?.text, { clock, signal, shiftMs });
  yield* replayedStream(voice?.run, { clock, signal, shiftMs, itemFrom: speechFrom });
  await taken;
}

function firstClause(run: RecordedRun | undefined): unknown {
  const [first] = run?.entries ?? [];
  return first?.type === "stream-brought" ? first.item : undefined;
}

/** Takes each clause, from the second on, when the voice was ready for it then. */
async function takeText(
  reader: ReadableStreamDefaultReader<string>,
  run: RecordedRun | undefined,
  { clock, signal, shiftMs }: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly shiftMs: number;
  },
): Promise<void> {
  const times = (run?.entries ?? []).map((entry) => "askedMs" in entry ? (entry.askedMs ?? 0) + shiftMs : 0);
  try {
    for (let at = 1;; at++) {
      const waitMs = (times[at] ?? 0) - clock.now();
      if (waitMs > 0) await clock.sleep(waitMs, { signal });
      if ((await reader.read()).done) return;
    }
  } catch {
    await reader.cancel().catch(() => {}); // the reply is over, or its words have failed: both are known elsewhere
  }
}

function speechFrom(item: unknown): SpeechEvent {
  const { data } = sound.safeParse(item);
  if (!data) return item as SpeechEvent; // as the recorder wrote it
  const samples = new Int16Array(Math.round(data.ms * speaking.sampleRate / 1000));
  return { type: "audio", frame: { ...speaking, samples, timestampMs: 0 } };
}

/** Tells the marks and the frames of the recording, whatever it is given; the frames are as loud as those were. */
function replayedDetector({ entries }: Recording, clock: Clock): VoiceActivityDetector {
  let microphones = 0;
  return {
    model: "recorded",
    input: hearing,
    detect({ signal } = {}) {
      const own = microphones++;
      const timers: Disposable[] = [];
      const stop = () => {
        for (const timer of timers) timer[Symbol.dispose]();
      };
      const out = liveStream<VoiceEvent>({ limit: Infinity, onCancel: stop });
      const at = (atMs: number, event: VoiceEvent) =>
        timers.push(clock.after(atMs - clock.now(), () => out.push(event)));
      for (const entry of entries) {
        if (entry.type !== "voice-marked" && entry.type !== "microphone-heard") continue;
        if (entry.microphone !== own) continue;
        if (entry.type === "voice-marked") {
          at(entry.atMs, entry.mark);
          continue;
        }
        for (const [atMs, timestampMs, ms, level, speech] of entry.frames) {
          const samples = samplesOf(ms, typeof level === "number" ? [level] : level);
          at(atMs, { type: "audio", frame: { ...hearing, samples, timestampMs }, speech: speech === 1 });
        }
      }
      const end = () => {
        stop();
        out.close();
      };
      signal?.addEventListener("abort", end, { once: true });
      return { readable: out.readable, writable: new WritableStream({ close: end, abort: end }) };
    },
  };
}

/** Samples of `ms` that are as loud as `levels` say: a whole frame, or one piece of it after the other. */
function samplesOf(ms: number, levels: readonly number[]): Int16Array {
  const samples = new Int16Array(Math.round(ms * hearing.sampleRate / 1000));
  const size = levels.length > 1 ? hearing.sampleRate * PIECE_MS / 1000 : samples.length;
  for (const [at, level] of levels.entries()) setLevel(samples.subarray(at * size, (at + 1) * size), level);
  return samples;
}

/** A level lies between two whole numbers: some samples are the one, the others the other. */
function setLevel(samples: Int16Array, level: number): void {
  const low = Math.floor(level);
  const share = (level ** 2 - low ** 2) / (2 * low + 1);
  samples.fill(low).fill(low + 1, 0, Math.round(share * samples.length));
}
