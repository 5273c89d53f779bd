/** Processes that share a store and a LiveKit in memory; time is the test's. */
import { defineAgent } from "../../src/agent.ts";
import { type Clock, clockFrom } from "../../src/clock.ts";
import { createDispatcher, type DispatchRequest } from "../../src/dispatch/dispatcher.ts";
import { createLeases } from "../../src/dispatch/leases.ts";
import type { Rooms } from "../../src/dispatch/rooms.ts";
import { createSharedTombstones } from "../../src/dispatch/shared_tombstones.ts";
import { memoryStore } from "../../src/dispatch/store/memory.ts";
import { type Store, StoreError } from "../../src/dispatch/store/store.ts";
import { createCheckpoints } from "../../src/resume/checkpoints.ts";
import { createOffers } from "../../src/resume/offers.ts";
import { fakeClock } from "./clock.ts";
import { fakeLog } from "./log.ts";
import { fakeRooms } from "./rooms.ts";
import { type FakeRoom, fakeSessions } from "./session.ts";

const assistant = defineAgent({ instructions: "Be brief." });
const agents = { assistant, other: assistant };

export interface ProcessesOptions {
  /** How many (default: 2). */
  readonly count?: number;
  /** How long each way of a question takes, milliseconds (default: no time at all). */
  readonly late?: (asked: "store" | "rooms") => number;
}

/** Two processes, or as many as are asked for. */
export function processes({ count = 2, late }: ProcessesOptions = {}) {
  const clock = fakeClock();
  const rooms = fakeRooms();
  let shared = memoryStore({ clock });
  const all = Array.from({ length: count }, () => {
    const log = fakeLog();
    const { started, start } = fakeSessions();
    const process = stoppable(clock);
    const outcomes: string[] = [];
    const state: StoreState = { away: false };
    const way = (asked: "store" | "rooms") => late && (() => process.clock.sleep(late(asked)));
    const store = reachable(() => shared, state, way("store"));
    const seen = slowly(rooms, way("rooms"));
    const tombstones = createSharedTombstones({ store, agents: Object.keys(agents) });
    const leases = createLeases({
      store,
      agents: Object.keys(agents),
      rooms: seen,
      tombstones,
      onOutcome: (outcome) => void outcomes.push(outcome),
      clock: process.clock,
      log,
    });
    const dispatcher = createDispatcher({
      agents,
      defaultAgent: "assistant",
      start,
      rooms: seen,
      shared: {
        leases,
        tombstones,
        checkpoints: createCheckpoints({ store, sumsOf: () => undefined, log }),
        offers: createOffers(store),
      },
      maxSessions: 5,
      clock: process.clock,
      log,
    });
    /** Lets the last session's agent into its room, where everybody sees it. */
    const arrive = (more: Omit<FakeRoom, "id"> = {}) => {
      const last = started.at(-1);
      if (!last) throw new Error("no session was started");
      const { id, roomName, roomSid, agentName } = last.request;
      rooms.enter(roomName, `agent-${id}`, { canTalk: false, agentName });
      last.arrive({ id: roomSid, ...more });
    };
    /** Dispatches, and lets the agent arrive. */
    const connect = async (request: DispatchRequest) => {
      const result = dispatcher.dispatch(request);
      await clock.settle();
      arrive();
      return await result;
    };
    /** The next question has no answer before the test gives it one. */
    const hang = () => {
      const answer = Promise.withResolvers<never>();
      state.answer = answer.promise;
      return answer;
    };
    /** The next time that it takes a lease the answer is lost. */
    const loseTaking = () => void (state.losesTaking = true);
    return { dispatcher, started, outcomes, log, arrive, connect, state, process, hang, loseTaking };
  });
  const [first, second] = all;
  if (!first || !second) throw new Error("expected two processes or more");
  return {
    clock,
    rooms,
    all,
    first,
    second,
    /** Every process's sessions that go on. */
    sessions: () => all.flatMap(({ started }) => started.filter(({ session }) => session.state !== "closed")),
    /** The store loses all it knew. */
    wipe: () => shared = memoryStore({ clock }),
    setAway: (away: boolean) => all.forEach(({ state }) => Object.assign(state, { away, wasAway: true })),
  };
}

/** How one process reaches the store. */
interface StoreState {
  away: boolean;
  wasAway?: boolean;
  /** To the next question. */
  answer?: Promise<never> | undefined;
  losesTaking?: boolean;
}

/** The store, as long as it is not away. */
function reachable(
  store: () => Store,
  state: StoreState,
  way: (() => Promise<void>) | undefined,
): Store {
  const through =
    <Args extends unknown[], T>(method: (store: Store) => (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      const { answer } = state;
      state.answer = undefined;
      await answer;
      if (state.away) throw new StoreError("the store is away");
      if (way) await way();
      const answered = await method(store())(...args);
      if (way) await way();
      return answered;
    };
  return {
    get reachableMs() {
      return state.wasAway ? 0 : Infinity;
    },
    async take(...args) {
      const taking = await through(({ take }) => take)(...args);
      if (!state.losesTaking) return taking;
      state.losesTaking = false;
      throw new StoreError("no answer");
    },
    renew: through(({ renew }) => renew),
    release: through(({ release }) => release),
    read: through(({ read }) => read),
    set: through(({ set }) => set),
    get: through(({ get }) => get),
    delete: through(({ delete: remove }) => remove),
    keys: through(({ keys }) => keys),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** LiveKit's rooms, far away. */
function slowly(rooms: Rooms, way: (() => Promise<void>) | undefined): Rooms {
  if (!way) return rooms;
  const through = <Args extends unknown[], T>(method: (...args: Args) => Promise<T>) =>
  async (
    ...args: Args
  ): Promise<T> => {
    await way();
    const answered = await method(...args);
    await way();
    return answered;
  };
  return {
    ensure: through(rooms.ensure),
    find: through(rooms.find),
    list: through(rooms.list),
    dispatches: through(rooms.dispatches),
    participants: through(rooms.participants),
    remove: through(rooms.remove),
  };
}

/** A process's clock: while it is stopped none of its timers fire, and those that are due do when it continues. */
function stoppable(clock: Clock): { readonly clock: Clock; stop(): void; continue(): void } {
  let due: (() => void)[] | undefined;
  const later = clockFrom(clock.now, (ms, callback) => {
    const timer = clock.after(ms, () => due ? due.push(callback) : callback());
    return () => {
      timer[Symbol.dispose]();
      due = due?.filter((one) => one !== callback);
    };
  });
  return {
    clock: later,
    stop: () => void (due = []),
    continue() {
      for (const callback of due?.splice(0) ?? []) callback();
      due = undefined;
    },
  };
}
