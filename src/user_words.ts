import type { Clock } from "./clock.ts";
import type { SessionEventBody } from "./events.ts";
import type { Room } from "./room/room.ts";
import { sameWords } from "./turn/words.ts";

/** Nobody says the same words again within this time: they are an utterance that was finalised twice. */
const sameAgainMs = 500;

/** Shows the room and the session's listeners what the recognizer hears: the words of an utterance so far, or all of them. */
export function userWords(
  { room, clock, emit }: {
    readonly room: Pick<Room, "transcripts">;
    readonly clock: Clock;
    readonly emit: (event: SessionEventBody) => void;
  },
): (text: string, final: boolean) => void {
  let segments = 0;
  let last = { text: "", atMs: -Infinity };
  let changed = false;
  return (text, final) => {
    if (text === "") return;
    if (final && !changed && clock.now() - last.atMs < sameAgainMs && sameWords(text, last.text)) return;
    emit({ type: "user-transcript", text, final });
    room.transcripts.user({ id: `user-${segments}`, text, final });
    changed = !final;
    if (!final) return;
    last = { text, atMs: clock.now() };
    segments++;
  };
}
