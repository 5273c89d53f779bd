/** Who is in the rooms of calls, as LiveKit's server has it. */
import { type ParticipantInfo, ParticipantInfo_Kind } from "@livekit/protocol";
import type { RoomServiceClient } from "livekit-server-sdk";
import { messageOf } from "../../src/errors.ts";
import { sleep } from "./fleet.ts";

export interface RoomWatch extends AsyncDisposable {
  /** What should not have been, in words: a room without its caller or an agent, or with two that stay. */
  readonly problems: readonly string[];
}

/** How often each room is looked at, in milliseconds; who leaves may be there as long. */
const everyMs = 1_000;

/** Looks at `rooms`, in each of which there are one caller and one agent, until it is disposed of. */
export function watchRooms(admin: RoomServiceClient, rooms: readonly string[]): RoomWatch {
  const problems: string[] = [];
  /** Rooms in which there were two agents when they were last looked at. */
  const doubled = new Set<string>();
  let isOver = false;
  const look = async (room: string) => {
    const participants = await admin.listParticipants(room);
    const agents = participants.filter(isSeen).map(({ identity }) => identity);
    if (participants.every(isAgent)) problems.push(`nobody who calls is in ${room}`);
    if (agents.length === 0) problems.push(`no agent is in ${room}`);
    if (agents.length > 1 && doubled.has(room)) problems.push(`${agents.join(" and ")} stay in ${room}`);
    if (agents.length > 1) doubled.add(room);
    else doubled.delete(room);
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
    async [Symbol.asyncDispose]() {
      isOver = true;
      await done;
    },
  };
}

const isAgent = ({ kind }: ParticipantInfo) => kind === ParticipantInfo_Kind.AGENT;
/** One that is about to take over hides behind the one that is there. */
const isSeen = (one: ParticipantInfo) => isAgent(one) && !one.attributes["lk.publish_on_behalf"];
