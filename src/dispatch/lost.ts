/** Whether LiveKit has lost a dispatch: what tells it, from the dispatch, from the room, and from who of ours is there. */
import type { RoomDispatch, RoomNow } from "./rooms.ts";
import { sessionIdFrom } from "./session_id.ts";

/** Whether any of `agents` is whom it asks for; who serves rooms that ask for nobody by name leaves them to anybody else. */
export function isServed({ agent }: RoomDispatch, agents: readonly string[]): boolean {
  return agent === "" ? agents.length > 0 : agents.includes(agent);
}

/**
 * Whether nobody is in the room who serves it, by whichever process or framework: an agent of that name, or of the job.
 * Where a job's agent has gone and nobody is left to talk with, nobody is missing. `claimed`: whether a process has the
 * claim, where that is known; an agent of ours without it is what a process that died has left behind.
 */
export function isMissing(
  { agent, jobs }: RoomDispatch,
  { participants }: Pick<RoomNow, "participants">,
  { claimed = true }: { readonly claimed?: boolean | undefined } = {},
): boolean {
  const serves = ({ identity, agentName }: RoomNow["participants"][number]) =>
    (agentName === agent || jobs.some((job) => job.identity === identity)) &&
    (claimed || sessionIdFrom(identity) === undefined);
  return !participants.some(serves) && (jobs.length === 0 || participants.some(({ canTalk }) => canTalk));
}
