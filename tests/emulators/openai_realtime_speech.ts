/**
 * OpenAI's speech-to-speech sessions on 127.0.0.1, as strict as the real ones, with faults on demand:
 * https://developers.openai.com/api/docs/guides/realtime-conversations
 */
import {
  createSession,
  Refusal,
  type SessionConnection,
  type SessionOptions,
  type Told,
} from "./openai_realtime_session.ts";
import {
  clientEvent,
  createItems,
  type SpeechItem,
  type SpeechMessage,
} from "./openai_realtime_speech_items.ts";
import { type SocketServer, startSocketServer, type Wire } from "./socket_server.ts";
import { voice } from "./voice.ts";

const sampleRate = 24_000;
const models = ["gpt-realtime", "gpt-realtime-mini", "gpt-realtime-1.5", "gpt-realtime-2"];

/** What the model answers. */
export interface SpokenAnswer {
  readonly text?: string;
  readonly calls?: readonly { readonly name: string; readonly arguments?: unknown }[];
  /** "hang": nothing more comes of it; "fail": it fails after its words; "drop": the connection is lost in its middle. */
  readonly then?: "hang" | "fail" | "drop";
}

/** What is asked for, by a `response.create`. */
export interface AskedResponse {
  readonly instructions: string;
  readonly tools: readonly string[];
  /** The conversation at that moment, or the text that is to be read. */
  readonly items: readonly Readonly<SpeechItem>[];
  readonly inConversation: boolean;
}

export interface SpeechConnection extends SessionConnection<SpeechMessage> {
  readonly asked: AskedResponse[];
  /** The conversation as it is. */
  items: readonly Readonly<SpeechItem>[];
}

export interface SpeechEmulatorOptions extends SessionOptions {
  /** What is answered to the `n`th request in conversation, counted from 0 (default: "You said: …"). */
  readonly answer?: (asked: AskedResponse, n: number) => SpokenAnswer;
  /** Milliseconds to the first words (default 100), of audio a word (default 200), and of audio a millisecond (default 5). */
  readonly firstMs?: number;
  readonly msPerWord?: number;
  readonly speed?: number;
}

export type SpeechEmulator = SocketServer<SpeechConnection>;

/** Starts one; disposing it ends its connections. */
export function startSpeechEmulator(options: SpeechEmulatorOptions = {}): Promise<SpeechEmulator> {
  const { apiKey = "test-key" } = options;
  const told = { utterances: 0, commits: 0, answers: 0 };
  return startSocketServer<SpeechConnection>(options, {
    path: "/v1",
    accept({ pathname, searchParams }, { authorization }) {
      if (pathname !== "/v1/realtime") return 404;
      if (authorization !== `Bearer ${apiKey}`) return 401;
      if (!models.includes(searchParams.get("model") ?? "")) return 400;
      return { authorization, messages: [], asked: [], refused: [], items: [], closed: undefined };
    },
    serve: (wire) => converse(wire, options, told),
  });
}

function converse(
  wire: Wire<SpeechConnection>,
  options: SpeechEmulatorOptions,
  told: Told & { answers: number },
): void {
  const { socket, connection, later, progress } = wire;
  const { firstMs = 100, msPerWord = 200, speed = 5 } = options;
  const { answer = ({ items }) => ({ text: `You said: ${items.at(-1)?.text}` }) } = options;
  const session = createSession(wire, options, told);
  const { newId, send, complain } = session;
  const conversation = createItems();
  connection.items = conversation.items;
  let audioMs = 0;
  /** Responses that are being made, by their ids. */
  const active = new Map<string, { readonly inConversation: boolean; end: (status: string) => void }>();
  const sounded = (ms: number) => progress(audioMs += ms);

  const respond = ({ response: asked, event_id }: Extract<SpeechMessage, { type: "response.create" }>) => {
    const inConversation = asked.conversation === "auto";
    if (inConversation && [...active.values()].some((one) => one.inConversation)) {
      return complain(
        "conversation_already_has_active_response",
        "Conversation already has an active response in progress. Wait until the response is finished before creating a new one.",
        event_id,
      );
    }
    const read = asked.input?.flatMap(({ content }) => content.map(({ text }) => text)).join(" ") ?? "";
    const items = inConversation
      ? conversation.items.map((item) => ({ ...item }))
      : [{ id: "input", type: "message", role: "user", text: read } as const];
    const about: AskedResponse = {
      instructions: asked.instructions,
      tools: asked.tools.map(({ name }) => name),
      items,
      inConversation,
    };
    connection.asked.push(about);
    const spokenAnswer: SpokenAnswer = inConversation ? answer(about, told.answers++) : { text: read };
    const { text = "", calls = [], then } = spokenAnswer;
    const id = newId("resp");
    const response = { id, object: "realtime.response", metadata: asked.metadata, conversation_id: null };
    const words = text.match(/\S+\s*/g) ?? [];
    let spoken: SpeechItem | undefined;
    let sample = 0;
    const done = (status: string, details?: object) => {
      if (!active.delete(id)) return;
      const tokens = { text_tokens: 20, audio_tokens: Math.round((spoken?.audioMs ?? 0) / 50) };
      const usage = {
        total_tokens: 120 + tokens.text_tokens + tokens.audio_tokens,
        input_tokens: 120,
        output_tokens: tokens.text_tokens + tokens.audio_tokens,
        input_token_details: {
          text_tokens: 80,
          audio_tokens: 40,
          cached_tokens: 64,
          cached_tokens_details: { text_tokens: 48, audio_tokens: 16 },
        },
        output_token_details: tokens,
      };
      send("response.done", { response: { ...response, status, status_details: details ?? null, usage } });
    };
    active.set(id, {
      inConversation,
      end: (status) => done(status, { type: status, reason: "client_cancelled" }),
    });
    const unless = (act: () => void) => () => {
      if (active.has(id)) act();
    };
    const where = (item_id: string) => ({ response_id: id, item_id, output_index: 0, content_index: 0 });
    const addItem = (item: SpeechItem) => {
      if (inConversation) conversation.add(item);
      const { id: item_id, type, callId: call_id } = item;
      send("response.output_item.added", { response_id: id, item: { id: item_id, type, call_id } });
    };
    const say = (word: string, n: number) => {
      if (!spoken) {
        addItem(spoken = { id: newId("item"), type: "message", role: "assistant", text: "", audioMs: 0 });
      }
      const count = msPerWord * sampleRate / 1000;
      const samples = voice(sampleRate, sample, count);
      sample += count;
      spoken.text += word;
      spoken.audioMs! += msPerWord;
      send("response.output_audio_transcript.delta", { ...where(spoken.id), delta: word });
      const delta = new Uint8Array(samples.slice().buffer).toBase64();
      send("response.output_audio.delta", { ...where(spoken.id), delta });
      sounded(msPerWord);
      if (then === "drop" && n >= words.length / 2) socket.terminate();
    };
    const finish = () => {
      if (then === "hang") return;
      if (then === "fail") {
        const error = { type: "server_error", code: "server_error", message: "It failed on purpose." };
        return done("failed", { type: "failed", error });
      }
      if (spoken) send("response.output_audio.done", where(spoken.id));
      for (const call of calls) {
        const call_id = newId("call");
        const given = JSON.stringify(call.arguments ?? {});
        const item: SpeechItem = {
          id: newId("item"),
          type: "function_call",
          callId: call_id,
          text: call.name,
        };
        addItem(item);
        const called = { ...where(item.id), call_id, name: call.name, arguments: given };
        send("response.function_call_arguments.done", called);
      }
      done("completed");
    };
    send("response.created", { response: { ...response, status: "in_progress" } });
    for (const [n, word] of words.entries()) {
      later(firstMs + n * msPerWord / speed, unless(() => say(word, n)));
    }
    later(firstMs + words.length * msPerWord / speed, unless(finish));
  };

  const cancel = (response_id: string | undefined) => {
    const found = response_id === undefined
      ? active.values().find(({ inConversation }) => inConversation)
      : active.get(response_id);
    if (!found) {
      throw new Refusal("response_cancel_not_active", "Cancellation failed: no active response found");
    }
    found.end("cancelled");
  };
  const obey = (message: SpeechMessage) => {
    switch (message.type) {
      case "session.update":
        session.transcriber = message.session.audio.input.transcription.model;
        return send("session.updated", { session: message.session });
      case "input_audio_buffer.append":
        return sounded(session.append(message.audio));
      case "input_audio_buffer.commit":
        return session.commit(
          conversation.items.at(-1)?.id,
          (item) => conversation.add({ ...item, type: "message", role: "user" }),
        );
      case "input_audio_buffer.clear":
        session.clear();
        return send("input_audio_buffer.cleared");
      case "conversation.item.create":
        return conversation.create(message);
      case "conversation.item.delete":
        return conversation.delete(message.item_id);
      case "conversation.item.truncate":
        return conversation.truncate(message.item_id, message.audio_end_ms);
      case "response.create":
        return respond(message);
      case "response.cancel":
        return cancel(message.response_id);
    }
  };
  session.begin("realtime", clientEvent, obey);
}
