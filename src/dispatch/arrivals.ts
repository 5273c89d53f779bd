/** Whether a room where somebody came is to have an agent: decided from the room as it is, and from who is and was there. */
import type { CloseReason } from "../events.ts";
import type { Visit } from "./places.ts";
import type { RoomNow } from "./rooms.ts";
import type { Tombstone } from "./tombstones.ts";

/** What is known beside the room itself. */
export interface ArrivalFacts {
  /** The SID that the hint gave. */
  readonly roomSid: string | undefined;
  /** Whether the hint was that the room is new. */
  readonly started: boolean;
  /** Our sessions in the room. */
  readonly visits: readonly Visit[];
  /** Our sessions that were in it. */
  readonly endings: readonly Tombstone[];
  /** The names in the registry. */
  readonly agents: readonly string[];
  /** The agent of rooms that name none. */
  readonly autoAgent: string | undefined;
}

export type ArrivalDecision =
  | { readonly type: "send"; readonly agent: string }
  /** An agent is there; when it goes, the room may need another. */
  | { readonly type: "wait"; readonly visits: readonly Visit[] }
  /** An agent of that name is there that is none of ours; it may be one that has died. */
  | { readonly type: "look-again"; readonly why: string }
  | { readonly type: "nothing"; readonly why: string }
  | { readonly type: "unknown-agent"; readonly agent: string };

/** Reasons after which somebody new finds an agent again; after any other it was meant to be over. */
const notMeantToEnd: ReadonlySet<CloseReason> = new Set([
  "participant-left",
  "removed",
  "disconnected",
  "error",
]);

export function decideArrival(room: RoomNow, facts: ArrivalFacts): ArrivalDecision {
  const nothing = (why: string): ArrivalDecision => ({ type: "nothing", why });
  if (facts.roomSid !== undefined && facts.roomSid !== room.sid) return nothing("that room is over");
  const named = agentNamedBy(room.metadata);
  const agent = named ?? facts.autoAgent;
  if (named === undefined && room.dispatches.some(({ agent }) => agent !== "")) {
    return nothing("it was dispatched an agent by name");
  }
  if (agent === undefined) return nothing("neither the room's metadata nor AUTO_AGENT names an agent");
  if (!facts.agents.includes(agent)) return { type: "unknown-agent", agent };
  const callers = room.participants.filter(({ canTalk }) => canTalk);
  const isEmptyAndNew = facts.started && room.participants.length === 0;
  if (callers.length === 0 && !isEmptyAndNew) return nothing("there is nobody to talk with");

  // Whom the room names shares it with others; the one for rooms that name none comes where nobody is.
  const isMeant = (one: { readonly agent: string }) => named === undefined || one.agent === agent;
  const visits = facts.visits.filter((visit) => isMeant(visit) && !visit.ending);
  if (visits.length > 0) return { type: "wait", visits };
  const isOurs = (identity: string) => facts.visits.some((visit) => visit.identity === identity);
  if (room.participants.some((one) => one.agentName === agent && !isOurs(one.identity))) {
    return { type: "look-again", why: "an agent of that name is there already" };
  }
  const endings = facts.endings.filter(isMeant);
  const isNew = ({ sid }: { readonly sid: string }) => endings.every(({ witnesses }) => !witnesses.has(sid));
  const revives = endings.every(({ reason }) => notMeantToEnd.has(reason)) && callers.some(isNew);
  if (endings.length > 0 && !revives) return nothing("its session has ended, and nobody came since");
  return { type: "send", agent };
}

/** The agent that a room's metadata asks for, as `{"agent": "support"}`. */
function agentNamedBy(metadata: string): string | undefined {
  try {
    const { agent } = JSON.parse(metadata);
    return typeof agent === "string" && agent !== "" ? agent : undefined;
  } catch {
    return undefined; // it is the application's own, and need not be JSON
  }
}
