/** Transcription by OpenAI while one speaks: https://developers.openai.com/api/docs/guides/realtime-transcription */
import * as z from "zod";
import { resampler } from "../audio/resample.ts";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import { parseJson } from "../json.ts";
import type { OpenAIServer } from "../openai.ts";
import { openSocket, socketError } from "../socket.ts";
import { type CommitConnection, type CommitListener, committedFormat } from "./commit_protocol.ts";
import { transcribeCommitted } from "./committed.ts";
import type { SpeechToText } from "./stt.ts";

/** What is sent: the one rate of PCM that it takes. */
const sampleRate = 24_000;
/** Less than 100 ms cannot be committed. */
const leastMs = 120;
/** The models that begin with the commit take 1 to 2 s. */
const patienceMs = 5_000;
/** A session ends after 60 minutes. */
const longestMs = 50 * 60_000;

/** The models that transcribe in no other way. */
const realtimeOnly = /^gpt-(live-transcribe|realtime-whisper)/;
/** Those that take several languages in place of one. */
const multilingual = /^gpt-(live-)?transcribe/;

export interface OpenAIRealtimeSpeechToTextOptions extends OpenAIServer {
  /** Default: gpt-live-transcribe. It and gpt-realtime-whisper bring words while one speaks, others once one pauses. */
  readonly model?: string | undefined;
  /** ISO 639-1 ("en"), which makes it faster and more accurate; a region that follows ("en-GB") is not sent. */
  readonly language?: string | undefined;
  readonly clock: Clock;
}

/** Whether `model` is to be reached by a WebSocket alone. */
export const isRealtimeOnly = (model: string): boolean => realtimeOnly.test(model);

/** How a session is told what transcribes: `language` as above. */
export function transcriptionOf(model: string, language: string | undefined) {
  const code = language?.replace(/-.*/, "");
  return { model, ...(code && (multilingual.test(model) ? { languages: [code] } : { language: code })) };
}

/**
 * Transcribes speech over one WebSocket, which is sent what is said and the half second before; the words are final when our
 * detector hears the voice end. An aborted `transcribe()` fails with the signal's reason; any other failure is a StageError
 * of stage "stt".
 */
export function openaiRealtimeSpeechToText(
  { apiKey, baseUrl = "https://api.openai.com/v1", model = "gpt-live-transcribe", language, clock }:
    OpenAIRealtimeSpeechToTextOptions,
): SpeechToText {
  const format = { type: "audio/pcm", rate: sampleRate };
  const transcription = transcriptionOf(model, language);
  const input = { format, transcription, turn_detection: null };
  const settings = { type: "session.update", session: { type: "transcription", audio: { input } } };
  const server = { url: `${baseUrl}/realtime?intent=transcription`, apiKey, settings };
  const protocol = {
    provider: "OpenAI",
    sendsSilence: false, // it would be transcribed, and paid for, with what is said after it
    leastMs,
    patienceMs,
    longestMs,
    connect: (listener: CommitListener) => connect(server, listener, clock),
  };
  return {
    provider: "openai",
    model,
    input: committedFormat,
    countsSent: true,
    transcribe: (voice, options) => transcribeCommitted(voice, options, protocol, clock),
  };
}

interface Server {
  readonly url: string;
  readonly apiKey: string;
  /** The message that makes a session of a connection. */
  readonly settings: unknown;
}

/** Connects to `url`. Not through the SDK: its socket does not give up on a handshake, or on a peer that does not close. */
function connect(
  { url, apiKey, settings }: Server,
  listener: CommitListener,
  clock: Clock,
): CommitConnection {
  const resample = resampler(committedFormat.sampleRate, sampleRate);
  const items = createItems(listener);
  const fail = (message: string, retryable: boolean, refused = false) =>
    new StageError("stt", message.replaceAll(apiKey, "(hidden)"), { retryable, refused });

  const obey = (data: string | Uint8Array) => {
    const message = parseJson(data, messageSchema);
    if (!message) return listener.fail(fail("OpenAI sent a message that is none", true));
    const { type, item_id: item = "", error } = message;
    switch (type) {
      case "session.updated":
        return listener.begun();
      case "input_audio_buffer.committed":
        return items.add(item);
      case "conversation.item.input_audio_transcription.delta":
        return items.grow(item, message.delta ?? "");
      case "conversation.item.input_audio_transcription.completed":
        return items.complete(item, message.transcript ?? "", message.languages?.[0]?.code);
      case "conversation.item.input_audio_transcription.failed":
        return listener.fail(
          fail(`OpenAI could not transcribe it: ${error?.message ?? "for no reason"}`, true),
        );
      case "error":
        if (error?.code === "session_expired") listener.expired(fail(`OpenAI: ${error.message}`, true));
        else listener.fail(reported(error ?? { message: "an error without a name" }));
    }
  };
  const reported = ({ type, code, message }: NonNullable<Message["error"]>) => {
    const refused = code === "invalid_api_key" || type === "authentication_error";
    if (refused) return fail("OpenAI refused the key: check OPENAI_API_KEY", false, true);
    const lasting = type === "invalid_request_error" || type === "insufficient_quota" ||
      code === "insufficient_quota";
    return fail(`OpenAI failed: ${message}`, !lasting);
  };
  const socket = openSocket(url, { authorization: `Bearer ${apiKey}` }, {
    open: () => send(settings),
    message: obey,
    pong: () => listener.alive(),
    end: (why) => listener.fail(socketError("stt", "OpenAI", why)),
  }, { clock });
  const send = (message: unknown) => socket.send(JSON.stringify(message));
  return {
    send(samples) {
      const audio = new Uint8Array(resample(samples).buffer).toBase64();
      if (audio !== "") send({ type: "input_audio_buffer.append", audio });
    },
    commit: () => send({ type: "input_audio_buffer.commit" }),
    ping: () => socket.ping(),
    close: () => socket.close(),
  };
}

/** What was committed, or is about to be, until its words are told: in the order of the commits, whatever order they come in. */
function createItems({ interim, final }: Pick<CommitListener, "interim" | "final">) {
  const items = new Map<string, { text: string; language?: string | undefined; whole: boolean }>();
  const told = new Set<string>();
  const itemOf = (id: string) => {
    const item = items.get(id) ?? { text: "", whole: false };
    if (!told.has(id)) items.set(id, item);
    return item;
  };
  const isFirst = (id: string) => items.keys().next().value === id;
  return {
    add: (id: string): void => void itemOf(id),
    grow(id: string, delta: string): void {
      const item = itemOf(id);
      item.text += delta;
      if (isFirst(id)) interim(item.text.trim());
    },
    complete(id: string, text: string, language?: string): void {
      Object.assign(itemOf(id), { text, language, whole: true });
      for (const [id, { text, language, whole }] of items) {
        if (!whole) return text.trim() === "" ? undefined : interim(text.trim());
        items.delete(id);
        told.add(id);
        final({ text: text.trim(), ...(language && { language }) });
      }
    },
  };
}

const messageSchema = z.object({
  type: z.string(),
  item_id: z.string().optional(),
  delta: z.string().optional(),
  transcript: z.string().optional(),
  languages: z.array(z.object({ code: z.string() })).nullish(),
  error: z.object({
    type: z.string().nullish(),
    code: z.string().nullish(),
    message: z.string().default(""),
  }).nullish(),
});

type Message = z.infer<typeof messageSchema>;
