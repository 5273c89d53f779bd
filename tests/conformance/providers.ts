/** Every provider, each with the emulator of its wire protocol, and the faults that fit it. */
import type { Clock } from "../../src/clock.ts";
import type { Keys } from "../../src/keys.ts";
import { startAnthropicEmulator } from "../emulators/anthropic.ts";
import { startAssemblyAIEmulator } from "../emulators/assemblyai.ts";
import { startCartesiaEmulator } from "../emulators/cartesia.ts";
import { startDeepgramEmulator } from "../emulators/deepgram.ts";
import { startElevenLabsEmulator } from "../emulators/elevenlabs.ts";
import { startScribeEmulator } from "../emulators/elevenlabs_scribe.ts";
import { startGoogleEmulator } from "../emulators/google.ts";
import { type ChatFault, startOpenAIEmulator } from "../emulators/openai.ts";
import { startResponsesEmulator } from "../emulators/openai_responses.ts";
import { type AudioFault, startOpenAIAudio } from "../emulators/openai_audio.ts";
import { startRealtimeEmulator } from "../emulators/openai_realtime.ts";
import { startSpeechEmulator } from "../emulators/openai_realtime_speech.ts";
import { fastVoice, utterances } from "./call.ts";
import { type FaultName, oversizedBytes, socketFaults } from "./faults.ts";

/** The emulator of a provider, and how to reach it. */
export interface Served extends AsyncDisposable {
  readonly keys: Partial<Keys>;
  /** Sockets that are open at the emulator, or requests that it is answering. */
  readonly open: () => number;
}

/** A row of the table. */
export interface Row {
  /** A model string. */
  readonly name: string;
  readonly kind: "STT" | "LLM" | "TTS" | "speech";
  /** The faults that its protocol can have. */
  readonly faults: readonly FaultName[];
  /** Starts its emulator with a fault in its first connection or request, or with none. */
  serve(fault: FaultName | undefined, clock: Clock): Promise<Served>;
}

/** The fault of a table for the first alone. */
const first =
  <T>(table: Partial<Record<FaultName, T>>, fault: FaultName | undefined) => (n: number): T | undefined =>
    n === 0 && fault ? table[fault] : undefined;
const namesOf = (table: Partial<Record<FaultName, unknown>>) => Object.keys(table) as FaultName[];

const apiKey = "test-key";
const listens = socketFaults(600);
const speaks = socketFaults(400);

const chat: Partial<Record<FaultName, ChatFault>> = {
  "refused": { type: "refuse" },
  "401": { type: "status", status: 401, code: "invalid_api_key" },
  "429": { type: "status", status: 429, retryAfter: 1 },
  "500": { type: "status", status: 500 },
  "no answer": { type: "hang" },
  "headers only": { type: "headers-only" },
  "slow": { type: "slow", tokenMs: 3_000 },
  "dies": { type: "drop", afterTokens: 3 },
  "half-open": { type: "stall", afterTokens: 3 },
  "malformed": { type: "malformed", data: "no {JSON", afterTokens: 3 },
  "oversized": { type: "malformed", data: "x".repeat(oversizedBytes), afterTokens: 3 },
  "slow reader": { type: "slow-reader", ms: 3_000 },
};

const audio: Partial<Record<FaultName, AudioFault>> = {
  "refused": { type: "refuse" },
  "401": { type: "status", status: 401 },
  "429": { type: "status", status: 429, retryAfter: 1 },
  "500": { type: "status", status: 500 },
  "no answer": { type: "hang" },
  "headers only": { type: "headers-only" },
  "slow": { type: "slow", pieceMs: 3_000 },
  "dies": { type: "die" },
  "half-open": { type: "stall" },
  "slow reader": { type: "slow-reader", ms: 3_000 },
};
/** Sound that is read as it comes has no messages; a transcript has. */
const transcript: typeof audio = {
  ...audio,
  "malformed": { type: "malformed", data: "no {JSON" },
  "oversized": { type: "malformed", data: "x".repeat(oversizedBytes) },
};

/** The table's rows. */
export const rows: readonly Row[] = [
  ...["deepgram/nova-3", "deepgram/flux-general-en"].map((name): Row => ({
    name,
    kind: "STT",
    faults: namesOf(listens),
    async serve(fault, clock) {
      const transcripts = utterances;
      const wrong = first(listens, fault);
      const emulator = await startDeepgramEmulator({ clock, transcripts, fault: (_, n) => wrong(n) });
      return {
        ...ending(emulator),
        keys: { deepgram: { apiKey, baseUrl: emulator.url } },
      };
    },
  })),
  {
    name: "assemblyai/universal-streaming",
    kind: "STT",
    faults: namesOf(listens),
    async serve(fault, clock) {
      const transcripts = utterances;
      const wrong = first(listens, fault);
      const emulator = await startAssemblyAIEmulator({ clock, transcripts, fault: (_, n) => wrong(n) });
      return {
        ...ending(emulator),
        keys: { assemblyai: { apiKey, baseUrl: emulator.url } },
      };
    },
  },
  {
    name: "elevenlabs/scribe_v2_realtime",
    kind: "STT",
    faults: namesOf(listens),
    async serve(fault, clock) {
      const transcripts = utterances;
      const wrong = first(listens, fault);
      const emulator = await startScribeEmulator({ clock, transcripts, fault: (_, n) => wrong(n) });
      return {
        ...ending(emulator),
        keys: { elevenlabs: { apiKey, baseUrl: emulator.url } },
      };
    },
  },
  {
    name: "openai/gpt-live-transcribe",
    kind: "STT",
    faults: namesOf(listens),
    async serve(fault, clock) {
      const transcripts = utterances;
      const wrong = first(listens, fault);
      const emulator = await startRealtimeEmulator({ clock, transcripts, fault: (_, n) => wrong(n) });
      return {
        ...ending(emulator),
        keys: { openai: { apiKey, baseUrl: emulator.url } },
      };
    },
  },
  {
    name: "openai/gpt-4o-transcribe",
    kind: "STT",
    faults: namesOf(transcript),
    async serve(fault, clock) {
      let heard = 0;
      const hears = () => utterances[heard++ % utterances.length] ?? "";
      const emulator = await startOpenAIAudio({
        clock,
        hears,
        wholeEvents: true,
        fault: first(transcript, fault),
      });
      return { ...ending(emulator), keys: { openai: { apiKey, baseUrl: emulator.url } } };
    },
  },
  ...([
    ["openai/gpt-4o-mini", "openai", startOpenAIEmulator],
    ["openai-responses/gpt-4o-mini", "openai", startResponsesEmulator],
    ["anthropic/claude-haiku-4-5", "anthropic", startAnthropicEmulator],
    ["google/gemini-2.5-flash", "google", startGoogleEmulator],
    ["compatible/llama-4", "compatible", startOpenAIEmulator],
  ] as const).map(([name, account, start]): Row => ({
    name,
    kind: "LLM",
    faults: namesOf(chat),
    async serve(fault, clock) {
      const emulator = await start({ clock, fault: first(chat, fault) });
      return { ...ending(emulator), keys: { [account]: { apiKey, baseUrl: emulator.url } } };
    },
  })),
  {
    name: "deepgram/aura-2-thalia-en",
    kind: "TTS",
    faults: namesOf(speaks),
    async serve(fault, clock) {
      const wrong = first(speaks, fault);
      const emulator = await startDeepgramEmulator({ clock, ...fastVoice, fault: (_, n) => wrong(n) });
      return {
        ...ending(emulator),
        keys: { deepgram: { apiKey, baseUrl: emulator.url } },
      };
    },
  },
  {
    name: "elevenlabs/eleven_turbo_v2_5",
    kind: "TTS",
    faults: namesOf(speaks),
    async serve(fault, clock) {
      const wrong = first(speaks, fault);
      const emulator = await startElevenLabsEmulator({ clock, fault: (_, n) => wrong(n) });
      return {
        ...ending(emulator),
        keys: { elevenlabs: { apiKey, baseUrl: emulator.url } },
      };
    },
  },
  {
    name: "cartesia/sonic-3",
    kind: "TTS",
    faults: namesOf(speaks),
    async serve(fault, clock) {
      const wrong = first(speaks, fault);
      const emulator = await startCartesiaEmulator({ clock, ...fastVoice, fault: (_, n) => wrong(n) });
      return {
        ...ending(emulator),
        keys: { cartesia: { apiKey, baseUrl: emulator.url } },
      };
    },
  },
  {
    name: "openai-realtime/gpt-realtime:marin",
    kind: "speech",
    faults: namesOf(listens),
    async serve(fault, clock) {
      const transcripts = utterances;
      const wrong = first(listens, fault);
      const emulator = await startSpeechEmulator({ clock, transcripts, fault: (_, n) => wrong(n) });
      return {
        ...ending(emulator),
        keys: { openai: { apiKey, baseUrl: emulator.url } },
      };
    },
  },
  {
    name: "openai/gpt-4o-mini-tts",
    kind: "TTS",
    faults: namesOf(audio),
    async serve(fault, clock) {
      const emulator = await startOpenAIAudio({ clock, fault: first(audio, fault) });
      return { ...ending(emulator), keys: { openai: { apiKey, baseUrl: emulator.url } } };
    },
  },
];

const ending = (emulator: AsyncDisposable & { readonly open: number }): Omit<Served, "keys"> => ({
  open: () => emulator.open,
  [Symbol.asyncDispose]: () => emulator[Symbol.asyncDispose](),
});
