/** What a page shows of a session beyond its transcripts. */
import { type LiveStream, liveStream } from "../audio/live.ts";
import type { Stage, StageError } from "../errors.ts";
import type { BrowserRoom } from "../room/browser/room.ts";
import type { ServerMessage } from "../room/browser/wire.ts";
import { type Gap, gapFinder } from "../telemetry/why.ts";
import type { ToolResult } from "../tools/result.ts";
import type { VoiceSession } from "../voice_session.ts";

/** Posts what happens in the session to the page; settles when the session has ended. */
export async function forwardEvents(
  session: Pick<VoiceSession, "events">,
  room: Pick<BrowserRoom, "post">,
): Promise<void> {
  const findGap = gapFinder();
  for await (const event of session.events()) {
    const gap = findGap(event);
    switch (event.type) {
      case "agent-started-speaking":
        room.post({ type: "latency", id: event.replyId, latency: event.latency });
        break;
      case "agent-speech-committed":
        room.post({
          type: "agent-heard",
          id: event.replyId,
          text: event.text,
          interrupted: event.interrupted,
        });
        break;
      case "tools-called":
        for (const { id, name } of event.calls) room.post({ type: "tool-called", id, name });
        break;
      case "tools-finished":
        for (const result of event.results) room.post(finished(result));
        break;
      case "handoff":
        room.post({ type: "handoff", from: event.from, to: event.to });
        break;
      case "error":
        if (!event.retried) room.post({ type: "error", text: wordsFor(event.error) });
    }
    if (gap) room.post(whyOf(gap));
  }
}

/** A page has room for so much of what a tool brings, in characters. */
const mostCharacters = 300;

function finished({ callId: id, name, outcome, content }: Omit<ToolResult, "value">): ServerMessage {
  const text = content.length <= mostCharacters
    ? content
    : `${content.slice(0, mostCharacters).toWellFormed()}…`;
  return { type: "tool-finished", id, name, outcome, text };
}

function whyOf({ replyId: id, where, ms, parts }: Gap): ServerMessage {
  return { type: "why", id, inside: where === "inside-speech", ms, parts };
}

/** How many messages wait for a page that does not read them; the oldest are dropped. */
const messagesKept = 100;

/** What a page is told that has no socket of ours. */
export interface PageFeed {
  /** What no reader has been told yet, and what follows until the session ends; whoever read before is done. */
  read(): ReadableStream<ServerMessage>;
  /** Settles when the session has ended. */
  readonly done: Promise<void>;
}

/** Keeps what a page is to be told of `session`, from now on, for one reader at a time. */
export function openFeed(session: Pick<VoiceSession, "events">): PageFeed {
  const open = (): LiveStream<ServerMessage> => {
    const stream = liveStream<ServerMessage>({
      limit: messagesKept,
      onCancel() {
        if (stream === current) renew();
      },
    });
    return stream;
  };
  const renew = () => {
    current = open();
    taken = false;
  };
  let current = open();
  let taken = false;
  const done = forwardEvents(session, { post: (message) => current.push(message) });
  return {
    read() {
      if (taken) {
        current.close();
        renew();
      }
      taken = true;
      return current.readable;
    },
    done: done.then(() => current.close()),
  };
}

const stages: Readonly<Record<Stage, string>> = {
  room: "The connection",
  vad: "Voice detection",
  stt: "Speech recognition",
  llm: "The language model",
  tts: "The voice",
  turn: "The end-of-turn model",
  agent: "The agent's own code",
  session: "The session",
};

/** What failed, for the user: errors' own words may hold what is nobody's business. */
function wordsFor(error: StageError): string {
  const stage = stages[error.stage];
  if (error.refused) return `${stage} refused the server's key. Check the key, then start again.`;
  return `${stage} failed. The server's log says why.`;
}
