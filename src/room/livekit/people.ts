import {
  DisconnectReason,
  ParticipantKind,
  type RemoteParticipant,
  type Room,
  RoomEvent,
} from "@livekit/rtc-node";
import type { Clock } from "../../clock.ts";
import type { Participant, RoomEnd } from "../room.ts";

/** Those a session talks with, who may drop out and come back. */
export interface People {
  /** The linked one, or who else is left of those there were; as they are in the room, or were when last seen. */
  readonly participant: Participant | undefined;
  /** Whoever of them has that identity. */
  find(identity: string): Participant | undefined;
  /** Whether none of them is there, though some may return. */
  readonly away: boolean;
  /** Takes in who is in the room when it is connected. */
  begin(): void;
  /** Links the session to `identity`, or to whoever is there or comes first; rejects when the room or `signal` ends. */
  wait(identity?: string, options?: { readonly signal?: AbortSignal }): Promise<Participant>;
}

interface PeopleOptions {
  readonly clock: Clock;
  /** With whom: the linked participant alone, or everybody who can talk. */
  readonly who: "linked" | "all";
  /** How long a participant whose connection was lost may take to return, milliseconds. */
  readonly dropGraceMs: number;
  /** How long one who left by themselves may take, as when a page is loaded again, milliseconds. */
  readonly leaveGraceMs: number;
  /** Aborts when the room has ended. */
  readonly closed: AbortSignal;
  /** One of them is there, for the first time or again. */
  readonly onThere: (participant: RemoteParticipant) => void;
  /** One has left, perhaps to return. */
  readonly onAway: (participant: RemoteParticipant) => void;
  /** One is gone for good, or talked with no more. */
  readonly onGone: (participant: RemoteParticipant) => void;
  /** The last of them is gone for good. */
  readonly onDeserted: (end: RoomEnd) => void;
}

/** `timer`: runs out when one who has left is gone for good. */
interface Person {
  readonly remote: RemoteParticipant;
  readonly timer?: Disposable;
}

const CANNOT_TALK: ReadonlySet<ParticipantKind> = new Set([
  ParticipantKind.AGENT,
  ParticipantKind.EGRESS,
  ParticipantKind.INGRESS,
]);

/** Watches who comes and goes in `room`. It ends with the room, which drops its listeners. */
export function watchPeople(
  room: Room,
  { clock, who, dropGraceMs, leaveGraceMs, closed, onThere, onAway, onGone, onDeserted }: PeopleOptions,
): People {
  const people = new Map<string, Person>();
  let linked: RemoteParticipant | undefined;
  const waiting = new Set<(remote: RemoteParticipant) => void>();

  const forget = ({ remote, timer }: Person) => {
    timer?.[Symbol.dispose]();
    people.delete(remote.identity);
    onGone(remote);
  };
  const welcome = (remote: RemoteParticipant) => {
    people.get(remote.identity)?.timer?.[Symbol.dispose]();
    people.set(remote.identity, { remote });
    if (linked?.identity === remote.identity) linked = remote;
    onThere(remote);
  };
  const link = (remote: RemoteParticipant): Participant => {
    const others = [...people.values()].filter((person) => person.remote.identity !== remote.identity);
    if (who === "linked") others.forEach(forget);
    linked = remote;
    if (people.get(remote.identity)?.remote !== remote) welcome(remote);
    return describe(remote);
  };
  const leave = (remote: RemoteParticipant, end: RoomEnd, graceMs: number) => {
    const timer = clock.after(graceMs, () => {
      forget({ remote });
      const [next] = people.values();
      const awaited = who === "all" && waiting.size > 0; // somebody is yet to come
      if (!next && !awaited) onDeserted(end);
      if (next && linked?.identity === remote.identity) linked = next.remote;
    });
    people.set(remote.identity, { remote, timer });
    onAway(remote);
  };

  room.on(RoomEvent.ParticipantConnected, (remote) => {
    const isOne = people.has(remote.identity) || (who === "all" && canTalk(remote));
    if (isOne) welcome(remote);
    for (const offer of [...waiting]) offer(remote);
  });
  room.on(RoomEvent.ParticipantDisconnected, (remote) => {
    const person = people.get(remote.identity);
    if (!person || person.timer || closed.aborted) return;
    switch (remote.disconnectReason) {
      case DisconnectReason.ROOM_DELETED:
        return leave(remote, "room-deleted", 0);
      case DisconnectReason.USER_REJECTED:
        return leave(remote, "participant-left", 0);
      case DisconnectReason.CLIENT_INITIATED:
        return leave(remote, "participant-left", leaveGraceMs);
      default:
        return leave(remote, "participant-left", dropGraceMs);
    }
  });
  closed.addEventListener("abort", () => {
    for (const { timer } of people.values()) timer?.[Symbol.dispose]();
  }, { once: true });

  return {
    get participant() {
      return linked && describe(linked);
    },
    find(identity) {
      const person = people.get(identity);
      return person && describe(person.remote);
    },
    get away() {
      return [...people.values()].every(({ timer }) => timer);
    },
    begin() {
      if (who === "linked") return;
      for (const remote of room.remoteParticipants.values()) {
        if (canTalk(remote) && !people.has(remote.identity)) welcome(remote);
      }
    },
    async wait(identity, { signal } = {}) {
      const fits = (remote: RemoteParticipant) =>
        identity === undefined ? canTalk(remote) : remote.identity === identity;
      const over = AbortSignal.any(signal ? [signal, closed] : [closed]);
      const why = () =>
        signal?.aborted ? signal.reason : new DOMException("the room ended first", "AbortError");
      if (over.aborted) throw why();
      if (linked && fits(linked)) return describe(linked);
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

const canTalk = ({ kind }: RemoteParticipant): boolean => !CANNOT_TALK.has(kind);

/** What is told of a participant. */
export function describe({ identity, name, metadata, attributes }: RemoteParticipant): Participant {
  return { identity, name: name ?? "", metadata, attributes };
}
