/** Speech recognition by ElevenLabs: https://elevenlabs.io/docs/api-reference/speech-to-text/v-1-speech-to-text-realtime */
import * as z from "zod";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import { parseJson } from "../json.ts";
import { openSocket, socketError } from "../socket.ts";
import {
  type CommitConnection,
  type CommitListener,
  type Committed,
  committedFormat,
} from "./commit_protocol.ts";
import { transcribeCommitted } from "./committed.ts";
import type { SpeechToText } from "./stt.ts";

const { sampleRate } = committedFormat;
/** A commit of less than 300 ms of audio ends the connection. */
const leastMs = 350;
/** Final words take 0.3 s; a connection that has not brought them in this time is replaced. */
const patienceMs = 3_000;
/** A connection that is sent nothing for 15 s is closed. */
const keepAliveMs = 5_000;

/** What it reports of a key that it does not take, and what is wrong again however often it is tried. */
const refusals = ["auth_error"];
const lasting = [
  "quota_exceeded",
  "unaccepted_terms",
  "input_error",
  "invalid_request",
  "chunk_size_exceeded",
];
/** How a session ends that had nothing wrong with it. */
const endings = ["session_time_limit_exceeded", "insufficient_audio_activity"];

export interface ElevenLabsSpeechToTextOptions {
  readonly apiKey: string;
  /** Another address of theirs (default: https://api.elevenlabs.io); http: and https: stand for ws: and wss:. */
  readonly baseUrl?: string | undefined;
  /** Default: scribe_v2_realtime. */
  readonly model?: string | undefined;
  /** BCP 47, of which the language is told without its region; found by listening when it is left out. */
  readonly language?: string | undefined;
  readonly clock: Clock;
}

/**
 * Recognizes speech with ElevenLabs' Scribe, live; the words are final when our detector hears the voice end, since Scribe's
 * own may be seconds late. An aborted `transcribe()` fails with the signal's reason; any other failure is a StageError of
 * stage "stt".
 */
export function elevenlabsSpeechToText(
  { apiKey, baseUrl = "https://api.elevenlabs.io", model = "scribe_v2_realtime", language, clock }:
    ElevenLabsSpeechToTextOptions,
): SpeechToText {
  const code = /^[a-z]{2,3}(?=-|$)/i.exec(language ?? "")?.[0].toLowerCase();
  const query = new URLSearchParams({
    model_id: model,
    audio_format: `pcm_${sampleRate}`,
    commit_strategy: "manual",
    include_timestamps: "true",
    ...(code ? { language_code: code } : { include_language_detection: "true" }),
  });
  const url = `${baseUrl}/v1/speech-to-text/realtime?${query}`;
  const protocol = {
    provider: "ElevenLabs",
    sendsSilence: true,
    leastMs,
    patienceMs,
    keepAliveMs,
    connect: (listener: CommitListener) => connect(url, apiKey, listener, clock),
  };
  return {
    provider: "elevenlabs",
    model,
    input: committedFormat,
    countsSent: true,
    transcribe: (voice, options) => transcribeCommitted(voice, options, protocol, clock),
  };
}

/** Connects to `url`. Not through their SDK: its live client is for Node.js alone. */
function connect(url: string, apiKey: string, listener: CommitListener, clock: Clock): CommitConnection {
  /** Words that were just told as final come once more as an interim. */
  let echo = "";
  const hear = (data: string | Uint8Array) => {
    const message = parseJson(data, messageSchema);
    if (!message) {
      const words = "ElevenLabs sent a message that is none";
      return listener.fail(new StageError("stt", words, { retryable: true }));
    }
    const { message_type: type, text = "", error } = message;
    switch (type) {
      case "session_started":
        return listener.begun();
      case "partial_transcript": {
        const isEcho = echo !== "" && text.trim() === echo;
        echo = "";
        return isEcho ? undefined : listener.interim(text.trim());
      }
      case "committed_transcript":
        // The same comes with times; where there are no words, it need not.
        return text.trim() === "" ? listener.final({ text: "" }) : undefined;
      case "committed_transcript_with_timestamps":
        echo = text.trim();
        return echo === "" ? undefined : listener.final(committed(message, echo));
    }
    if (error === undefined) return; // a warning, or what we know nothing of
    if (endings.includes(type)) listener.expired(reported(type, error));
    else listener.fail(reported(type, error));
  };
  const socket = openSocket(url, { "xi-api-key": apiKey }, {
    open() {}, // a key that is not taken is told only now: it begins with "session_started"
    message: hear,
    end: (why) => listener.fail(socketError("stt", "ElevenLabs", why)),
  }, { clock });
  const send = (bytes: Uint8Array, commit: boolean) => {
    const about = { message_type: "input_audio_chunk", commit, sample_rate: sampleRate };
    socket.send(JSON.stringify({ ...about, audio_base_64: bytes.toBase64() }));
  };
  return {
    send: ({ buffer, byteOffset, byteLength }) => send(new Uint8Array(buffer, byteOffset, byteLength), false),
    commit: () => send(new Uint8Array(), true),
    close: () => socket.close(),
  };
}

const wordSchema = z.object({
  text: z.string(),
  /** Seconds from the first audio of the connection. */
  start: z.number().nullish(),
  end: z.number().nullish(),
  /** "word", "spacing" or "audio_event". */
  type: z.string().nullish(),
  logprob: z.number().nullish(),
});

const messageSchema = z.object({
  message_type: z.string(),
  text: z.string().optional(),
  language_code: z.string().nullish(),
  words: z.array(wordSchema).nullish(),
  error: z.string().optional(),
});

type Message = z.infer<typeof messageSchema>;

function committed({ words: pieces, language_code: language }: Message, text: string): Committed {
  const words = (pieces ?? []).flatMap(({ text, start, end, type, logprob }) => {
    if ((type ?? "word") !== "word" || typeof start !== "number" || typeof end !== "number") return [];
    const times = { startMs: Math.round(start * 1000), endMs: Math.round(end * 1000) };
    return [{ text, ...times, ...(typeof logprob === "number" && { confidence: Math.exp(logprob) }) }];
  });
  const sure = words.flatMap(({ confidence }) => confidence ?? []);
  return {
    text,
    ...(sure.length > 0 && { confidence: sure.reduce((sum, one) => sum + one, 0) / sure.length }),
    ...(language && { language }),
    ...(words.length > 0 && { words }),
  };
}

function reported(type: string, error: string): StageError {
  const refused = refusals.includes(type);
  const words = `ElevenLabs reports ${type}: ${error}`;
  return new StageError("stt", refused ? `${words}; check ELEVENLABS_API_KEY` : words, {
    retryable: !refused && !lasting.includes(type),
    refused,
  });
}
