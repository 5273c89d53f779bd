import type { Clock } from "./clock.ts";
import type { SessionEventBody } from "./events.ts";
import type { Room } from "./room/room.ts";
import type { Speaker } from "./turn/state.ts";
import { sameWords } from "./turn/words.ts";

/** Nobody says the same words again within this time: they are an utterance that was finalised twice. */
const sameAgainMs = 500;

/** The utterance that somebody is at, and the one before it. */
interface Utterance {
  id: string | undefined;
  /** What was shown of it so far. */
  shown: string | undefined;
  last: { readonly text: string; readonly atMs: number };
}

/** Shows the room and the session's listeners what the recognizer hears: the words of an utterance so far, or all of them. */
export function userWords(
  { room, clock, emit }: {
    readonly room: Pick<Room, "transcripts">;
    readonly clock: Clock;
    readonly emit: (event: SessionEventBody) => void;
  },
): (text: string, final: boolean, speaker?: Speaker) => void {
  let segments = 0;
  const utterances = new Map<string | undefined, Utterance>();
  return (text, final, speaker) => {
    if (text === "") return;
    const own = utterances.get(speaker?.identity) ??
      { id: undefined, shown: undefined, last: { text: "", atMs: -Infinity } };
    utterances.set(speaker?.identity, own);
    const { shown, last } = own;
    if (!final && text === shown) return;
    if (final && shown === undefined && clock.now() - last.atMs < sameAgainMs && sameWords(text, last.text)) {
      return;
    }
    const id = own.id ??= `user-${segments++}`;
    emit({ type: "user-transcript", text, final, ...(speaker && { speaker }) });
    room.transcripts.user({ id, text, final, ...(speaker && { speaker: speaker.identity }) });
    own.shown = final ? undefined : text;
    if (!final) return;
    own.last = { text, atMs: clock.now() };
    own.id = undefined;
  };
}
