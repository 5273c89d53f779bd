/**
 * OpenAI's models that hear and speak: https://developers.openai.com/api/docs/guides/realtime-conversations. What ends the
 * user's turn, and what interrupts the agent, is decided here as for any other agent (`turn_detection: null`).
 */
import { type Clock, systemClock } from "../clock.ts";
import { StageError } from "../errors.ts";
import { writtenArguments } from "../llm/wire.ts";
import type { Log } from "../log.ts";
import type { OpenAIServer } from "../openai.ts";
import { openSocket, socketError } from "../socket.ts";
import { transcriptionOf } from "../stt/openai_realtime.ts";
import { answeringOn } from "./answering.ts";
import { hearingOn } from "./hearing.ts";
import { createLine } from "./line.ts";
import {
  type ClientEvent,
  editEvent,
  parseEvent,
  responseEvent,
  type ServerEvent,
  type ServerFailure,
  tokensOf,
} from "./openai_messages.ts";
import type { RealtimeConnection, RealtimeListener, RealtimeProtocol } from "./protocol.ts";
import type { SpeechToSpeech } from "./realtime.ts";
import type { RealtimeResponse } from "./response.ts";
import { speakingOn } from "./speaking.ts";

const provider = "openai-realtime";

/** What all its models have in common. */
const wire = {
  provider: "OpenAI",
  format: { sampleRate: 24_000, channels: 1 },
  leastMs: 120, // less than 100 ms are refused
  longestMs: 50 * 60_000, // a session ends after 60 minutes
} as const satisfies Omit<RealtimeProtocol, "connect">;

export interface OpenAIRealtimeOptions extends OpenAIServer {
  /** Such as gpt-realtime. */
  readonly model: string;
  /** Its name (default "marin"): https://developers.openai.com/api/docs/guides/realtime-conversations#voice-options */
  readonly voice?: string | undefined;
  /** 0.25–1.5, 1 is the voice's own. */
  readonly speed?: number | undefined;
  /** What transcribes the user, for the transcript and the history (default gpt-transcribe). */
  readonly transcription?: string | undefined;
  /** BCP 47, of what the user says. */
  readonly language?: string | undefined;
  /** Default: the machine's. */
  readonly clock?: Clock;
  readonly log?: Log | undefined;
}

/** Such a model; its sessions speak over one WebSocket each, not through the SDK, whose socket cannot drop a dead peer. */
export function openaiRealtime(options: OpenAIRealtimeOptions): SpeechToSpeech {
  const { apiKey, baseUrl = "https://api.openai.com/v1", model, clock = systemClock, log } = options;
  const { voice = "marin", speed, transcription = "gpt-transcribe", language } = options;
  const format = { type: "audio/pcm", rate: wire.format.sampleRate } as const;
  const input = { format, transcription: transcriptionOf(transcription, language), turn_detection: null };
  const output = { format, voice, ...(speed !== undefined && { speed }) };
  const settings: ClientEvent = {
    type: "session.update",
    session: { type: "realtime", output_modalities: ["audio"], audio: { input, output } },
  };
  const url = new URL(`${baseUrl.replace(/^http/, "ws")}/realtime`);
  url.searchParams.set("model", model);
  const server = { url: url.href, apiKey, settings, clock, log };
  return {
    provider,
    model,
    stages() {
      const line = createLine({ ...wire, connect: (listener) => connect(server, listener) }, { clock });
      return {
        stt: hearingOn(line, { provider: "openai", transcription, clock }),
        llm: answeringOn(line, { provider, model, clock }),
        tts: speakingOn(line, { provider, model, clock, log }),
      };
    },
  };
}

interface Server {
  readonly url: string;
  readonly apiKey: string;
  /** The message that makes a session of a connection. */
  readonly settings: ClientEvent;
  readonly clock: Clock;
  readonly log: Log | undefined;
}

function connect(
  { url, apiKey, settings, clock, log }: Server,
  listener: RealtimeListener,
): RealtimeConnection {
  let isBegun = false;
  let requests = 0;
  /** Those it is at, by the names that we have given them. */
  const asked = new Map<string, RealtimeResponse>();
  /** The names by which the server tells of those that it has begun. */
  const names = new WeakMap<RealtimeResponse, string>();

  const fail = (message: string, retryable: boolean, refused = false) =>
    new StageError("llm", message.replaceAll(apiKey, "(hidden)"), { retryable, refused });

  const obey = (event: ServerEvent) => {
    const { type, item_id: id } = event;
    switch (type) {
      case "session.updated":
        isBegun = true;
        return listener.begun();
      case "input_audio_buffer.committed":
        return listener.utterance({ type: "committed", id });
      case "conversation.item.input_audio_transcription.delta":
        return listener.utterance({ type: "delta", id, words: event.delta });
      case "conversation.item.input_audio_transcription.completed":
        return listener.utterance({ type: "completed", id, words: event.transcript });
      case "conversation.item.input_audio_transcription.failed":
        return listener.utterance({ type: "failed", id });
      case "error":
        return complain(event.error ?? { message: "an error without a name" });
    }
    if (type.startsWith("response.")) hear(event);
  };
  const hear = (event: ServerEvent) => {
    const { response: about, response_id = about?.id ?? "", item } = event;
    const named = about?.metadata?.id;
    const [name = "", response] =
      asked.entries().find(([name, one]) => name === named || names.get(one) === response_id) ?? [];
    if (!response) return;
    switch (event.type) {
      case "response.created":
        names.set(response, response_id);
        return response.cancelled ? cancel(response) : undefined;
      case "response.output_item.added":
        if (!item || !response.inConversation) return;
        if (item.type === "message") listener.spoke(item.id, response);
        if (item.type === "function_call") listener.called(item.id, item.call_id);
        return;
      case "response.output_audio_transcript.delta":
        return response.say(event.delta);
      case "response.output_audio.delta":
        return response.sound(event.item_id, Uint8Array.fromBase64(event.delta));
      case "response.function_call_arguments.done":
        return response.call({
          id: event.call_id,
          name: event.name,
          ...writtenArguments(event.arguments),
        });
      case "response.done":
        asked.delete(name);
        return about && finish(response, about);
    }
  };
  const finish = (
    response: RealtimeResponse,
    { status, status_details: details, usage }: NonNullable<ServerEvent["response"]>,
  ) => {
    if (status === "failed" || (status === "cancelled" && !response.cancelled)) {
      const { message = `the response was ${status}`, code } = details?.error ?? {};
      return response.fail(fail(`OpenAI failed: ${message}`, code !== "insufficient_quota"));
    }
    const cut = details?.reason === "content_filter" ? "content-filter" : "length";
    response.finish(usage ? tokensOf(usage) : undefined, status === "incomplete" ? cut : undefined);
  };
  const complain = ({ type, code, message, event_id }: ServerFailure) => {
    const response = asked.get(event_id ?? "");
    if (response) {
      asked.delete(event_id ?? "");
      return response.fail(fail(`OpenAI failed: ${message}`, type !== "invalid_request_error"));
    }
    if (code === "invalid_api_key" || type === "authentication_error") {
      return listener.fail(fail("OpenAI refused the key: check OPENAI_API_KEY", false, true));
    }
    const isOver = code === "session_expired";
    const isLasting = code === "insufficient_quota" || type === "invalid_request_error";
    if (!isBegun || isOver || code === "insufficient_quota" || type === "server_error") {
      return listener.fail(fail(`OpenAI failed: ${message}`, isOver || !isLasting));
    }
    // What it says of items that are gone, and of responses that were over before they were cut off, changes nothing.
    log?.warn({ code, message }, "OpenAI did not do as it was told");
  };

  const socket = openSocket(url, { authorization: `Bearer ${apiKey}` }, {
    open: () => send(settings),
    message(data) {
      listener.alive();
      const event = parseEvent(data);
      if (event) obey(event);
      else listener.fail(fail("OpenAI sent a message that is none", true));
    },
    pong: () => listener.alive(),
    end: (why) => listener.fail(socketError("llm", "OpenAI", why)),
  }, { clock });
  const send = (event: ClientEvent) => socket.send(JSON.stringify(event));
  /** One that has no name yet is cancelled when it gets one. */
  const cancel = (response: RealtimeResponse) => {
    const response_id = names.get(response);
    if (response_id !== undefined) send({ type: "response.cancel", response_id });
  };
  return {
    send(samples) {
      const audio = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength).toBase64();
      send({ type: "input_audio_buffer.append", audio });
    },
    commit: () => send({ type: "input_audio_buffer.commit" }),
    clear: () => send({ type: "input_audio_buffer.clear" }),
    edit: (edit) => send(editEvent(edit)),
    respond(response, request) {
      const id = `response_${++requests}`;
      asked.set(id, response);
      send(responseEvent(id, request));
    },
    cancel,
    ping: () => socket.ping(),
    close: () => socket.close(),
  };
}
