/** Several people who talk with the agent: each is heard by themselves, and to turn-taking all are one user. */
import { asStageError } from "./errors.ts";
import type { SessionEventBody } from "./events.ts";
import { type Ears, type Hearing, type HearingOptions, startHearing } from "./hearing.ts";
import type { ParticipantVoice, Room } from "./room/room.ts";
import { onDemand } from "./stt/on_demand.ts";
import { type Floor, takeFloor, type VoiceChange } from "./turn/floor.ts";
import type { UnstampedTurnEvent } from "./turn_taker.ts";

const defaultMaxRecognizers = 5;

export interface PeopleOptions extends Omit<HearingOptions, "microphone" | "recognizing"> {
  readonly room: Pick<Room, "closed">;
  readonly voices: NonNullable<Room["voices"]>;
  /** How many recognizers may be connected at the same time (default 5). */
  readonly maxRecognizers?: number | undefined;
  readonly emit: (event: SessionEventBody) => void;
}

/**
 * Listens from now on to everybody who comes. What fails for one of them is told, and ends the hearing of nobody else; it is
 * done when the room has ended and the last words have come.
 */
export function startHearingPeople(
  { room, voices, maxRecognizers, emit, ...options }: PeopleOptions,
): Hearing {
  const { note, clock, onError } = options;
  const recognizing = onDemand({ most: maxRecognizers ?? defaultMaxRecognizers, clock });
  const hearings = new Set<Hearing>();
  let ears: Ears = options;
  let floor: Floor = {};

  const hear = async ({ participant: { identity, name }, microphone }: ParticipantVoice): Promise<void> => {
    const speaker = { identity, name };
    const noteVoice = (change: VoiceChange) => {
      const taken = takeFloor(floor, identity, change);
      floor = taken.floor;
      if (taken.change) note(taken.change);
    };
    const noteTheirs: HearingOptions["note"] = (event) => {
      if (isVoice(event)) noteVoice(event);
      else if (event.type === "transcript-interim" || event.type === "transcript-final") {
        const { untilMs: _, ...words } = event; // others may be speaking, too
        note({ ...words, speaker });
      } else note(event);
    };
    emit({ type: "user-joined", participant: speaker });
    try {
      const hearing = startHearing({ ...options, ...ears, microphone, recognizing, note: noteTheirs });
      hearings.add(hearing);
      await hearing.done.finally(() => hearings.delete(hearing));
    } catch (error) {
      if (!options.signal.aborted) onError(asStageError("stt", error));
    }
    noteVoice({ type: "speech-end", atMs: clock.now() }); // who has left in the middle of a word has said it all
    const { aborted, reason } = room.closed;
    if (!aborted || reason === "participant-left") emit({ type: "user-left", participant: speaker });
  };
  const hearAll = async () => {
    const heard: Promise<void>[] = [];
    for await (const voice of voices) heard.push(hear(voice));
    await Promise.all(heard);
  };
  return {
    turnEnded() {
      for (const hearing of hearings) hearing.turnEnded();
    },
    askFinal() {
      for (const hearing of hearings) hearing.askFinal();
    },
    hold() {
      const holds = [...hearings].map((hearing) => hearing.hold());
      return () => holds.forEach((goOn) => goOn());
    },
    use(next) {
      ears = next;
      for (const hearing of hearings) hearing.use(next);
    },
    get heardMs() {
      const each = [...hearings].flatMap(({ heardMs }) => heardMs ?? []);
      return each.length === 0 ? undefined : Math.min(...each);
    },
    done: hearAll(),
  };
}

const isVoice = (event: UnstampedTurnEvent): event is VoiceChange => event.type.startsWith("speech-");
