/** What is typed in the room, and the keys of telephones, as LiveKit's clients send it: text streams on one topic (https://docs.livekit.io/agents/build/text/). */
import { type Room, RoomEvent, type TextStreamReader } from "@livekit/rtc-node";
import { liveStream } from "../../audio/live.ts";
import type { Log } from "../../log.ts";
import type { Participant, RoomMessage } from "../room.ts";

export const CHAT_TOPIC = "lk.chat";

/** How many typed turns wait to be read. */
const MESSAGES_KEPT = 100;
const MAX_CHARACTERS = 4_000;
/** How many messages are kept of those who may yet be linked. */
const EARLY_KEPT = 20;

export interface Messages {
  readonly readable: ReadableStream<RoomMessage>;
  /** Adds what comes another way. */
  push(message: RoomMessage): void;
  /** `participant` is heard from now on: what they have sent before is taken in. */
  admit(participant: Participant): void;
}

/** The texts of those who are heard, one a stream of the topic, and what they press; to be called before the room is connected. It ends with `closed`. */
export function receiveMessages(
  room: Room,
  { from, several, closed, log }: {
    /** Whoever of those who are heard has that identity. */
    readonly from: (identity: string) => Participant | undefined;
    /** Several may be heard: each message says whose it is. */
    readonly several: boolean;
    /** Aborts when the room has ended. */
    readonly closed: AbortSignal;
    readonly log: Log;
  },
): Messages {
  const messages = liveStream<RoomMessage>({ limit: MESSAGES_KEPT });
  /** What came before anybody was linked, the oldest first; undefined once somebody is. */
  let early: { readonly identity: string; readonly message: RoomMessage }[] | undefined = [];
  const push = (participant: Participant, message: RoomMessage) => {
    const { identity, name } = participant;
    messages.push({ ...message, ...(several && message.type === "text" && { from: { identity, name } }) });
  };
  const take = (identity: string, message: RoomMessage) => {
    const participant = from(identity);
    if (participant) push(participant, message);
    else early = early && [...early, { identity, message }].slice(-EARLY_KEPT);
  };
  const read = async (reader: TextStreamReader, identity: string) => {
    const text = await readText(reader);
    if (text === undefined) log.warn({ limit: MAX_CHARACTERS }, "a typed message was too long");
    else if (text) take(identity, { type: "text", text });
  };
  room.registerTextStreamHandler(CHAT_TOPIC, (reader, { identity }) => {
    const done = early || from(identity) ? read(reader, identity) : reader.close();
    done.catch((error) => log.debug({ error }, "a typed message did not come whole"));
  });
  // From a telephone: https://docs.livekit.io/telephony/features/dtmf/
  room.on(RoomEvent.DtmfReceived, (_code, digit, sender) => {
    if (sender) take(sender.identity, { type: "dtmf", digit });
  });
  closed.addEventListener("abort", messages.close, { once: true });
  return {
    readable: messages.readable,
    push: messages.push,
    admit(participant) {
      const theirs = early?.filter(({ identity }) => identity === participant.identity) ?? [];
      early = several ? early?.filter((held) => !theirs.includes(held)) : undefined;
      for (const { message } of theirs) push(participant, message);
    },
  };
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
