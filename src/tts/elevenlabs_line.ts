/**
 * A connection to ElevenLabs' speech synthesis, a context for each reply:
 * https://elevenlabs.io/docs/api-reference/multi-context-websocket
 */
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import type { Log } from "../log.ts";
import { createContextLine, type Line, type LiveContext } from "./context_line.ts";
import { parse, reported } from "./elevenlabs_messages.ts";
import type { Alignment } from "./elevenlabs_words.ts";

/** A connection on which nothing is sent for 20 s is closed (code 1008), unless it asked for longer: twice within that. */
const keepAliveMs = 8_000;
/** A connection holds 5 contexts; one that was cut off counts until the server has ended it. */
const mostContexts = 5;

/** What a reply is told. */
export interface ContextListener {
  /** The next piece of the audio; whose characters it speaks comes with it, or came with a piece before. */
  audio(bytes: Uint8Array, alignment: Alignment | undefined): void;
  /** Nothing more comes. */
  final(): void;
  fail(error: StageError): void;
}

export interface LineOptions {
  readonly url: string;
  readonly apiKey: string;
  /** How the voice speaks, as every context is told. */
  readonly voiceSettings: Readonly<Record<string, unknown>>;
  readonly clock: Clock;
  readonly log: Log | undefined;
}

export function createLine({ url, apiKey, voiceSettings, clock, log }: LineOptions): Line<ContextListener> {
  let keepAlive: Disposable | undefined;
  /** Made ahead: what a keep-alive is for, and what the next reply begins on. */
  let spare: LiveContext<ContextListener> | undefined;
  const line = createContextLine<ContextListener>({
    provider: "ElevenLabs",
    url,
    headers: { "xi-api-key": apiKey },
    clock,
    log,
    onOpen() {
      spare = make();
      keepAlive = clock.after(keepAliveMs, stayOpen);
    },
    onMessage: obey,
    onDrop() {
      keepAlive?.[Symbol.dispose]();
      spare = undefined;
    },
  });
  const { connection, live } = line;
  const { open, openAhead, send, ready, adopt } = connection;

  function make() {
    const context = line.make();
    send({ text: " ", context_id: context.id, voice_settings: voiceSettings });
    return context;
  }
  function stayOpen() {
    for (const { id, ended } of live.values()) if (!ended) send({ text: "", context_id: id });
    keepAlive = clock.after(keepAliveMs, stayOpen);
  }
  function obey(text: string) {
    const message = parse(text);
    if (!message) {
      return line.lose(new StageError("tts", "ElevenLabs sent a message that is none", { retryable: true }));
    }
    const id = message.contextId ?? "";
    const context = live.get(id);
    const listener = context?.listener;
    if (context) context.unheardSinceMs = undefined;
    if (message.error) {
      const error = reported(message.error, message.code, message.message);
      return context && listener ? line.failed(context, error) : line.lose(error);
    }
    if (message.audio) {
      listener?.audio(message.audio, message.alignment ?? message.normalizedAlignment ?? undefined);
    }
    if (!message.isFinal || !live.delete(id)) return;
    if (spare?.id === id) spare = undefined;
    listener?.final();
  }

  return {
    open,
    openAhead,
    ready,
    adopt,
    get reusable() {
      return line.sound && [...live.values()].every((context) => context === spare);
    },
    context(listener) {
      const context = spare ?? make();
      spare = undefined;
      context.listener = listener;
      const { id } = context;
      const on = connection.socket;
      /** Before the first audio this may drop it all. */
      const end = () => {
        if (context.ended || connection.socket !== on) return;
        context.ended = true;
        send({ context_id: id, close_context: true });
      };
      return {
        /** `text` is to end with a space. */
        speak(text) {
          if (connection.socket !== on) return;
          line.spoke(context);
          send({ text, context_id: id, flush: true });
        },
        end,
        release() {
          context.listener = undefined;
          if (connection.closed || connection.socket !== on || line.dropIfDeaf(context)) return;
          if (live.has(id)) end();
          if (live.size < mostContexts - 1) spare ??= make();
          else if (line.idle) {
            line.drop();
            openAhead();
          }
        },
      };
    },
    close: line.close,
  };
}
