/** What is typed in the room, as LiveKit's clients send it: text streams on one topic (https://docs.livekit.io/agents/build/text/). */
import type { Room, TextStreamReader } from "@livekit/rtc-node";
import { liveStream } from "../../audio/live.ts";
import type { Log } from "../../log.ts";
import type { RoomMessage } from "../room.ts";

export const CHAT_TOPIC = "lk.chat";

/** How many typed turns wait to be read. */
const MESSAGES_KEPT = 100;
const MAX_CHARACTERS = 4_000;

export interface Messages {
  readonly readable: ReadableStream<RoomMessage>;
  /** Adds what comes another way. */
  push(message: RoomMessage): void;
}

/** The texts that `from()` sends, one a stream of the topic; to be called before the room is connected. It ends with `closed`. */
export function receiveMessages(
  room: Room,
  { from, closed, log }: {
    /** The identity of the linked participant; undefined before there is one. */
    readonly from: () => string | undefined;
    /** Aborts when the room has ended. */
    readonly closed: AbortSignal;
    readonly log: Log;
  },
): Messages {
  const messages = liveStream<RoomMessage>({ limit: MESSAGES_KEPT });
  const take = async (reader: TextStreamReader) => {
    const text = await readText(reader);
    if (text === undefined) log.warn({ limit: MAX_CHARACTERS }, "a typed message was too long");
    else if (text) messages.push({ type: "text", text });
  };
  room.registerTextStreamHandler(CHAT_TOPIC, (reader, { identity }) => {
    const read = identity === from() ? take(reader) : reader.close();
    read.catch((error) => log.debug({ error }, "a typed message did not come whole"));
  });
  closed.addEventListener("abort", messages.close, { once: true });
  return messages;
}

/** All that `reader` brings; undefined when that is too long. */
async function readText(reader: TextStreamReader): Promise<string | undefined> {
  let text = "";
  for await (const piece of reader) {
    text += piece;
    if (text.length > MAX_CHARACTERS) return undefined;
  }
  return text.trim();
}
