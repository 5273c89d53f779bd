/** LiveKit's rooms in memory: they come and go when a test says so. */
import { StageError } from "../../src/errors.ts";
import type { Occupant, RoomDispatch, RoomNow, Rooms } from "../../src/dispatch/rooms.ts";

export interface FakeRooms extends Rooms {
  /** Makes a room, or gives the one of that name other metadata; returns its SID. */
  open(name: string, metadata?: string): string;
  /** Lets somebody in, into a new room where there is none; returns their SID. */
  enter(name: string, identity: string, what?: Partial<Occupant>): string;
  leave(name: string, identity: string): void;
  /** Has a dispatch made in the room, a new one where there is none. */
  dispatch(name: string, what: Partial<RoomDispatch>): void;
  /** Ends the room. */
  close(name: string): void;
  /** How many questions from now on are answered with a failure. */
  failing: number;
  /** What was asked, as `find r` and `ensure r`. */
  readonly asked: string[];
  /** Holds back every answer until it settles. */
  hold: Promise<void> | undefined;
}

export function fakeRooms(): FakeRooms {
  const rooms = new Map<
    string,
    { sid: string; metadata: string; participants: Occupant[]; dispatches: RoomDispatch[] }
  >();
  const asked: string[] = [];
  let count = 0;

  const open = (name: string, metadata?: string) => {
    const room = rooms.get(name) ?? { sid: `RM_${++count}`, metadata: "", participants: [], dispatches: [] };
    if (metadata !== undefined) room.metadata = metadata;
    rooms.set(name, room);
    return room;
  };
  const answer = async <T>(question: string, found: () => T): Promise<T> => {
    asked.push(question);
    await fake.hold;
    if (fake.failing > 0) {
      fake.failing--;
      throw new StageError("room", "LiveKit at ws://l could not be reached: refused", { retryable: true });
    }
    return found();
  };
  const fake: FakeRooms = {
    open: (name, metadata) => open(name, metadata).sid,
    enter(name, identity, what = {}) {
      const room = open(name);
      const occupant = { sid: `PA_${++count}`, identity, canTalk: true, ...what };
      room.participants.push(occupant);
      return occupant.sid;
    },
    leave(name, identity) {
      const room = open(name);
      room.participants = room.participants.filter((one) => one.identity !== identity);
    },
    dispatch(name, what) {
      open(name).dispatches.push({ id: `AD_${++count}`, agent: "", metadata: "", jobs: [], ...what });
    },
    close: (name) => void rooms.delete(name),
    participants: (name) => answer(`participants of ${name}`, () => rooms.get(name)?.participants ?? []),
    remove: (name, identity) => answer(`remove ${identity} from ${name}`, () => fake.leave(name, identity)),
    failing: 0,
    asked,
    hold: undefined,
    ensure: (name) => answer(`ensure ${name}`, () => open(name).sid),
    find: (name) =>
      answer(`find ${name}`, (): RoomNow | undefined => {
        const room = rooms.get(name);
        return room && {
          name,
          ...room,
          participants: [...room.participants],
          dispatches: [...room.dispatches],
        };
      }),
    list: () => answer("list", () => [...rooms].map(([name, { sid }]) => ({ name, sid }))),
    dispatches: (name) => answer(`dispatches ${name}`, () => [...rooms.get(name)?.dispatches ?? []]),
  };
  return fake;
}
