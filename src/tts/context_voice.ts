/** A voice whose replies are spoken in contexts, each on a connection of its own or those of a session on one. */
import { abortable } from "../abort.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { wordAligner } from "./alignment.ts";
import { keepOpen } from "./connection.ts";
import { type Context, type ContextLine, createContextLine } from "./context_line.ts";
import type { ContextEvent, ContextProtocol } from "./context_protocol.ts";
import type { VoicePool } from "./pool.ts";
import { audioWriter, sounds, speak } from "./speaking.ts";
import type { TextToSpeech } from "./tts.ts";

export interface ContextVoiceOptions {
  /** Where a session's connection is kept for the next (default: it is closed). */
  readonly pool: VoicePool | undefined;
  readonly clock: Clock;
  readonly log: Log | undefined;
}

/** Speaks by `protocol`, every clause as it comes, and says when each word sounds where the provider does. */
export function contextVoice(
  facts: Pick<TextToSpeech, "provider" | "model" | "output">,
  protocol: ContextProtocol,
  { pool, clock, log }: ContextVoiceOptions,
): TextToSpeech {
  const { url, headers, settings } = protocol;
  const newLine = () => createContextLine(protocol, { clock, log });
  /** `release`: what is done when a reply is over. */
  const speakOn =
    (line: ContextLine, release: () => void): TextToSpeech["synthesize"] => (text, { signal }) =>
      speakReply(text, { protocol, output: facts.output, line, clock, signal, release });
  return {
    ...facts,
    synthesize(text, options) {
      const line = newLine();
      return speakOn(line, line.close)(text, options);
    },
    connect(session) {
      const connected = () => {
        const line = newLine();
        return { line, voice: { ...facts, synthesize: speakOn(line, line.prepare) } };
      };
      if (pool) return pool.lend(JSON.stringify({ url, headers, settings }), connected, session);
      const { line, voice } = connected();
      keepOpen(line, session);
      return voice;
    },
  };
}

interface ReplyOptions {
  readonly protocol: ContextProtocol;
  readonly output: TextToSpeech["output"];
  readonly line: ContextLine;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly release: () => void;
}

/** Speaks one reply: in one context, or in several, one after the other, where one goes stale. */
function speakReply(
  text: ReadableStream<string>,
  { protocol, output, line, clock, signal, release }: ReplyOptions,
) {
  const aligner = wordAligner();
  let context: Context | undefined;
  let finished = Promise.withResolvers<void>();
  let characters = 0;
  let textEnded = false;
  let ended = false;
  let owed = false;
  let soundedMs = 0;
  /** Where the context's audio begins in the reply, in milliseconds. */
  let fromMs = 0;
  let lateEnd: Disposable | undefined;

  return speak(text, signal, (reply) => {
    let audio = audioWriter(reply, output);
    const audioMs = () => fromMs + audio.audioMs;
    const progress = () => ({
      textEnded,
      ended,
      owed,
      audioMs: audioMs(),
      quietMs: clock.now() - soundedMs,
      reachedLast: aligner.reachedLast,
    });
    const begin = () => {
      fromMs = audioMs();
      audio = audioWriter(reply, output);
      ended = false;
      finished = Promise.withResolvers();
      return line.context(hear);
    };
    const end = () => {
      ended = true;
      context?.end();
    };
    const endInTime = () => {
      lateEnd?.[Symbol.dispose]();
      if (!textEnded) return;
      const afterMs = protocol.endAfterMs(progress());
      if (afterMs === 0) end();
      else if (afterMs !== undefined) lateEnd = clock.after(afterMs, end);
    };
    const hear = (event: ContextEvent) => {
      switch (event.type) {
        case "audio":
          audio.write(event.bytes);
          soundedMs = clock.now();
          owed = false;
          return endInTime();
        case "words": {
          const words = event.words.map(({ text, startMs, endMs }) => (
            { text, startMs: fromMs + startMs, endMs: fromMs + endMs }
          ));
          return reply.push({ type: "words", words });
        }
        case "alignment": {
          const words = aligner.timed(event.alignment, audioMs());
          return words.length > 0 ? reply.push({ type: "words", words }) : undefined;
        }
        case "final": {
          context = undefined;
          const error = protocol.incomplete(progress());
          if (error) return reply.fail(error);
          reply.push({ type: "mark", characters });
          finished.resolve();
          return textEnded ? reply.spoken() : undefined;
        }
        case "error":
          return reply.fail(event.error);
      }
    };
    reply.signal.addEventListener("abort", () => {
      lateEnd?.[Symbol.dispose]();
      context?.cancel();
    });
    return {
      start: () => abortable(line.open(), reply.signal),
      async write(clause) {
        if (context && protocol.isStale?.(progress())) {
          end();
          await abortable(finished.promise, reply.signal);
        }
        characters += clause.length;
        if (!sounds(clause)) return;
        await abortable(line.open(), reply.signal);
        context ??= begin();
        owed = true;
        aligner.sent(clause);
        context.speak(clause.replace(/\s+/g, " "));
      },
      close() {
        textEnded = true;
        if (context) endInTime();
        else reply.spoken();
      },
      release,
    };
  }).events;
}
