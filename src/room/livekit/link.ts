import {
  DisconnectReason,
  ParticipantKind,
  type RemoteParticipant,
  type Room,
  RoomEvent,
} from "@livekit/rtc-node";
import type { Clock } from "../../clock.ts";
import type { Participant, RoomEnd } from "../room.ts";

/** The one participant a session talks with, who may drop out and come back. */
export interface ParticipantLink {
  /** As they are in the room, or were when last seen. */
  readonly participant: Participant | undefined;
  /** Links the session to `identity`, or to whoever is there or comes first; rejects when the room or `signal` ends. */
  wait(identity?: string, options?: { readonly signal?: AbortSignal }): Promise<Participant>;
}

interface LinkOptions {
  readonly clock: Clock;
  /** How long a participant whose connection was lost may take to return, milliseconds. */
  readonly dropGraceMs: number;
  /** How long one who left by themselves may take, as when a page is loaded again, milliseconds. */
  readonly leaveGraceMs: number;
  /** Aborts when the room has ended. */
  readonly closed: AbortSignal;
  /** Told who is there: the linked participant, or nobody. */
  readonly onPresence: (participant: RemoteParticipant | undefined) => void;
  /** The linked participant is gone for good. */
  readonly onGone: (end: RoomEnd) => void;
}

type LinkState =
  | { readonly type: "open" }
  | { readonly type: "present"; readonly remote: RemoteParticipant }
  | { readonly type: "away"; readonly remote: RemoteParticipant; readonly timer: Disposable };

const CANNOT_TALK: ReadonlySet<ParticipantKind> = new Set([
  ParticipantKind.AGENT,
  ParticipantKind.EGRESS,
  ParticipantKind.INGRESS,
]);

/** Watches who comes and goes in `room`. It ends with the room, which drops its listeners. */
export function linkParticipant(
  room: Room,
  { clock, dropGraceMs, leaveGraceMs, closed, onPresence, onGone }: LinkOptions,
): ParticipantLink {
  let state: LinkState = { type: "open" };
  const waiting = new Set<(remote: RemoteParticipant) => void>();

  const link = (remote: RemoteParticipant): Participant => {
    if (state.type === "away") state.timer[Symbol.dispose]();
    state = { type: "present", remote };
    onPresence(remote);
    return describe(remote);
  };
  const gone = (remote: RemoteParticipant, end: RoomEnd, graceMs: number) => {
    state = { type: "away", remote, timer: clock.after(graceMs, () => onGone(end)) };
    onPresence(undefined);
  };

  room.on(RoomEvent.ParticipantConnected, (remote) => {
    if (state.type === "away" && state.remote.identity === remote.identity) link(remote);
    for (const offer of [...waiting]) offer(remote);
  });
  room.on(RoomEvent.ParticipantDisconnected, (remote) => {
    if (state.type !== "present" || state.remote.identity !== remote.identity) return;
    switch (remote.disconnectReason) {
      case DisconnectReason.ROOM_DELETED:
        return gone(remote, "room-deleted", 0);
      case DisconnectReason.USER_REJECTED:
        return gone(remote, "participant-left", 0);
      case DisconnectReason.CLIENT_INITIATED:
        return gone(remote, "participant-left", leaveGraceMs);
      default:
        return gone(remote, "participant-left", dropGraceMs);
    }
  });
  closed.addEventListener("abort", () => {
    if (state.type === "away") state.timer[Symbol.dispose]();
  }, { once: true });

  return {
    get participant() {
      return state.type === "open" ? undefined : describe(state.remote);
    },
    async wait(identity, { signal } = {}) {
      const fits = (remote: RemoteParticipant) =>
        identity === undefined ? !CANNOT_TALK.has(remote.kind) : remote.identity === identity;
      const over = AbortSignal.any(signal ? [signal, closed] : [closed]);
      const why = () =>
        signal?.aborted ? signal.reason : new DOMException("the room ended first", "AbortError");
      if (over.aborted) throw why();
      if (state.type !== "open" && fits(state.remote)) return describe(state.remote);
      const there = [...room.remoteParticipants.values()].find(fits);
      if (there) return link(there);
      return await new Promise<Participant>((resolve, reject) => {
        const onAbort = () => {
          waiting.delete(offer);
          reject(why());
        };
        const offer = (remote: RemoteParticipant) => {
          if (!fits(remote)) return;
          waiting.delete(offer);
          over.removeEventListener("abort", onAbort);
          resolve(link(remote));
        };
        waiting.add(offer);
        over.addEventListener("abort", onAbort, { once: true });
      });
    },
  };
}

function describe({ identity, name, metadata, attributes }: RemoteParticipant): Participant {
  return { identity, name: name ?? "", metadata, attributes };
}
