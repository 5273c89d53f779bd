/** A connection to Cartesia's speech synthesis: https://docs.cartesia.ai/api-reference/tts/websocket */
import * as z from "zod";
import type { Clock } from "../clock.ts";
import { StageError } from "../errors.ts";
import type { Log } from "../log.ts";
import { createContextLine, type Line } from "./context_line.ts";
import type { WordTime } from "./tts.ts";

/** The version of the protocol: https://docs.cartesia.ai/2026-03-01/api-reference/tts/websocket */
const version = "2026-03-01";

/** What is told of a context. */
export interface ContextListener {
  audio(bytes: Uint8Array): void;
  /** Their times count from the context's first sample. */
  words(words: readonly WordTime[]): void;
  /** All of its text was spoken, and it takes no more: it was ended, or has expired. */
  final(): void;
  fail(error: StageError): void;
}

export interface LineOptions {
  readonly url: string;
  readonly apiKey: string;
  /** What is to be the same in every message of a context. */
  readonly request: Readonly<Record<string, unknown>>;
  readonly clock: Clock;
  readonly log: Log | undefined;
}

export function createLine({ url, apiKey, request, clock, log }: LineOptions): Line<ContextListener> {
  const line = createContextLine<ContextListener>({
    provider: "Cartesia",
    url,
    headers: { "X-API-Key": apiKey, "Cartesia-Version": version },
    clock,
    log,
    onMessage: obey,
  });
  const { connection, live } = line;
  const { open, openAhead, send, ready, adopt } = connection;

  function obey(text: string) {
    const message = parse(text);
    if (!message) {
      return line.lose(new StageError("tts", "Cartesia sent a message that is none", { retryable: true }));
    }
    const { type, context_id: id, data, word_timestamps: words } = message;
    const context = live.get(id ?? "");
    if (context) context.unheardSinceMs = undefined;
    if (type === "chunk" && data) context?.listener?.audio(data);
    if (type === "timestamps" && words) context?.listener?.words(words);
    if (type !== "done" && type !== "error") return;
    if (context) live.delete(context.id);
    if (type === "done") context?.listener?.final();
    else if (context) line.failed(context, reported(message));
    else if (!id) line.lose(reported(message));
  }

  return {
    open,
    openAhead,
    ready,
    adopt,
    /** A context that was cancelled counts until the server has ended it: what was begun of it may still come. */
    get reusable() {
      return line.sound && live.size === 0;
    },
    context(listener) {
      const context = line.make();
      context.listener = listener;
      const input = { ...request, context_id: context.id };
      const isLive = () => live.get(context.id) === context && !context.ended;
      return {
        speak(text) {
          if (!isLive()) return;
          line.spoke(context);
          send({ ...input, transcript: text, continue: true });
        },
        end() {
          if (isLive()) send({ ...input, transcript: "", continue: false });
        },
        release() {
          context.listener = undefined;
          if (!isLive() || line.dropIfDeaf(context)) return;
          context.ended = true;
          send({ context_id: context.id, cancel: true });
        },
      };
    },
    close: line.close,
  };
}

const messageSchema = z.object({
  type: z.string(),
  context_id: z.string().nullish(),
  data: z.base64().optional().transform((text) => text ? Uint8Array.fromBase64(text) : undefined),
  word_timestamps: z.object({
    words: z.array(z.string()),
    start: z.array(z.number()),
    end: z.array(z.number()),
  }).nullish().transform((times) =>
    times?.words.map((text, i): WordTime => {
      const start = times.start[i] ?? 0; // seconds, as `end`
      return { text, startMs: start * 1_000, endMs: (times.end[i] ?? start) * 1_000 };
    })
  ),
  status_code: z.number().nullish(),
  title: z.string().nullish(),
  message: z.string().nullish(),
});
type Message = z.infer<typeof messageSchema>;

/** What the server says went wrong. */
function reported({ status_code: status, title, message }: Message): StageError {
  const refused = status === 401 || status === 403;
  const retryable = !status || status === 429 || status >= 500;
  const words = `Cartesia reports ${[title, message].filter(Boolean).join(": ") || "an error"}` +
    (status ? ` (${status})` : "");
  return new StageError("tts", refused ? `${words}; check CARTESIA_API_KEY` : words, { retryable, refused });
}

/** A message of the server's; undefined when it is none. */
function parse(text: string): Message | undefined {
  try {
    return messageSchema.parse(JSON.parse(text));
  } catch {
    return undefined; // the caller says so
  }
}
