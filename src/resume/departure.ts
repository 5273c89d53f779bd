/** What a session that goes on in another process is asked for in the one that it leaves. */
import type { Call } from "../call.ts";
import type { SentenceEnd } from "../reply.ts";
import type { Room } from "../room/room.ts";
import type { Succession } from "../succession.ts";
import { firstWords, silently } from "./conversation.ts";
import { begunTurn, canSayOn, isMoment, silenceMs, type Standing } from "./moment.ts";
import type { SessionSnapshot } from "./snapshot.ts";
import { problemOfJson } from "./take.ts";

/** What of the user's silence is not heard twice, lest it has the end of their voice in it; milliseconds. */
const marginMs = 100;

/** The end of a sentence. */
export interface Juncture extends SentenceEnd {
  /** What is said behind it. */
  readonly next: string;
}

export interface Departure {
  readonly room: Pick<Room, "identity" | "publishOnBehalf">;
  /** What of the session would be lost, in words; undefined when nothing is. */
  readonly obstacle: string | undefined;
  /** Whether nobody would notice if it went on elsewhere now. */
  readonly isMoment: boolean;
  /** Whether the user is speaking, and another could hear on from the last words that are written down. */
  readonly isMidSpeech: boolean;
  /** Where a sentence ends, in `leadMs` or later, behind which another could go on; undefined when that is not known. */
  sentence(leadMs: number): Juncture | undefined;
  /** In how many milliseconds that is; undefined when nobody could go on there any more. */
  untilMs(juncture: Juncture): number | undefined;
  /** Hears, takes in and says nothing from now on, until what this returns is called; `at`: where it is. */
  hold(at?: Juncture): () => void;
  /** How it stands. */
  take(): SessionSnapshot;
}

/** Undefined while there is nothing to go on with. */
export function departureOf(
  call: Call | undefined,
  { userdata, succession, take }: {
    readonly userdata: unknown;
    readonly succession: Pick<Succession, "busy">;
    readonly take: (call: Call) => SessionSnapshot;
  },
): Departure | undefined {
  if (call?.talkingSinceMs === undefined) return undefined;
  const { sentences } = call.conversation;
  const standing = (): Standing => {
    const { standing } = call.conversation;
    return { ...standing, heardMs: call.heardMs ?? standing.nowMs };
  };
  const mayChange = () => !succession.busy && canSayOn(standing());
  const begun = () => succession.busy ? undefined : begunTurn(standing());
  return {
    room: call.room,
    obstacle: problemOfJson(userdata, "userdata"),
    get isMoment() {
      return !succession.busy && isMoment(standing());
    },
    get isMidSpeech() {
      return begun() !== undefined;
    },
    sentence(leadMs) {
      const at = mayChange() ? sentences.sentence(leadMs) : undefined;
      if (!at) return undefined;
      const { saying, ...snapshot } = take(call);
      if (!saying) return undefined;
      const heard = saying.text.slice(0, at.end);
      return { ...at, next: firstWords({ ...snapshot, saying: { ...saying, heard } }, silently) };
    },
    untilMs: (juncture) => mayChange() ? sentences.untilMs(juncture) : undefined,
    hold: (at) => call.hold(at),
    take() {
      const turn = begun();
      const { nowMs, heardMs } = standing();
      const unheardMs = turn?.agoMs ?? nowMs - heardMs + silenceMs - marginMs;
      return { ...take(call), unheardMs, ...(turn && { begun: turn.text }) };
    },
  };
}
