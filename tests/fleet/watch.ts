/** Who is in the rooms of calls, as LiveKit's server has it. */
import { type ParticipantInfo, ParticipantInfo_Kind } from "@livekit/protocol";
import type { RoomServiceClient } from "livekit-server-sdk";
import { messageOf } from "../../src/errors.ts";
import { sleep } from "./fleet.ts";

export interface RoomWatch extends AsyncDisposable {
  /** What should not have been, in words: a room without its caller or an agent, or with two that stay. */
  readonly problems: readonly string[];
  /** How often in a row two agents were to be seen in a room, at the most. */
  readonly longestDouble: number;
}

/** How often each room is looked at, in milliseconds. */
const everyMs = 1_000;
/** Who leaves hides at once, where a machine has the time, and is gone a second later: not to be seen so often any more. */
const looks = 5;

/** Looks at `rooms`, in each of which there are one caller and one agent, until it is disposed of. */
export function watchRooms(admin: RoomServiceClient, rooms: readonly string[]): RoomWatch {
  const problems: string[] = [];
  /** How often in a row there were two agents in a room. */
  const doubled = new Map<string, number>();
  let longestDouble = 0;
  let isOver = false;
  const look = async (room: string) => {
    const participants = await admin.listParticipants(room);
    const agents = participants.filter(isSeen).map(({ identity }) => identity);
    if (participants.every(isAgent)) problems.push(`nobody who calls is in ${room}`);
    const all = participants.map(({ identity, attributes }) => `${identity} ${JSON.stringify(attributes)}`);
    if (agents.length === 0) problems.push(`no agent is to be seen in ${room}, where there are ${all}`);
    const times = agents.length > 1 ? (doubled.get(room) ?? 0) + 1 : 0;
    doubled.set(room, times);
    longestDouble = Math.max(longestDouble, times);
    if (times === looks) problems.push(`${agents.join(" and ")} stay in ${room}`);
  };
  const run = async () => {
    while (!isOver) {
      const failed = (error: unknown) => void problems.push(messageOf(error));
      await Promise.all([sleep(everyMs), ...rooms.map((room) => look(room).catch(failed))]);
    }
  };
  const done = run();
  return {
    problems,
    get longestDouble() {
      return longestDouble;
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      await done;
    },
  };
}

const isAgent = ({ kind }: ParticipantInfo) => kind === ParticipantInfo_Kind.AGENT;
/** One that is about to take over hides behind the one that is there. */
const isSeen = (one: ParticipantInfo) => isAgent(one) && !one.attributes["lk.publish_on_behalf"];
