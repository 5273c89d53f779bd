/** Sessions whose process is gone are found and gone on with; what is kept of them. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { defineAgent } from "../../src/agent.ts";
import {
  createDispatcher,
  type DispatchRequest,
  type DispatchResult,
  type Refusal,
} from "../../src/dispatch/dispatcher.ts";
import { createLeases } from "../../src/dispatch/leases.ts";
import { createSharedTombstones } from "../../src/dispatch/shared_tombstones.ts";
import { memoryStore } from "../../src/dispatch/store/memory.ts";
import { type Store, StoreError } from "../../src/dispatch/store/store.ts";
import type { HistoryItem } from "../../src/history.ts";
import { createCheckpoints } from "../../src/resume/checkpoints.ts";
import { createOffers } from "../../src/resume/offers.ts";
import { type RecoveryOutcome, startRecovery } from "../../src/resume/recovery.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { fakeRooms } from "../fakes/rooms.ts";
import { fakeSessions } from "../fakes/session.ts";
import { snapshot } from "./snapshots.ts";

const claimMs = 3_000;

/** A room with Ann and the agent of a session, whose process holds its claim until it is gone. */
async function setUp() {
  const clock = fakeClock();
  const log = fakeLog();
  const rooms = fakeRooms();
  const roomSid = rooms.open("r");
  rooms.enter("r", "ann");
  let away = false;
  const all = memoryStore({ clock });
  let reachableMs = Infinity;
  const store: Store = {
    ...all,
    get reachableMs() {
      return reachableMs;
    },
    keys: (kind) => away ? Promise.reject(new StoreError("the store is away")) : all.keys(kind),
  };
  const tombstones = createSharedTombstones({ store, agents: ["assistant"] });
  const leases = createLeases({ store, agents: ["assistant"], rooms, tombstones, clock, log });
  const checkpoints = createCheckpoints({ store, sumsOf: () => undefined, log });
  const key = `claim:${JSON.stringify([roomSid, "assistant"])}`;
  const fence = async () => {
    const { token } = await store.take(key, "", claimMs);
    return { key, token };
  };
  const session = { sessionId: "session_1", room: "r", roomSid, agent: "assistant", metadata: "m" };
  const first = await fence();
  const kept = checkpoints.of(() => session, { fence: () => first, log });
  await kept.keep(snapshot);
  return {
    clock,
    log,
    rooms,
    store,
    roomSid,
    session,
    shared: { leases, tombstones, checkpoints, offers: createOffers(store) },
    kept,
    first,
    fence,
    setAway(is: boolean, forMs = 0) {
      away = is;
      reachableMs = forMs;
    },
  };
}
type World = Awaited<ReturnType<typeof setUp>>;

/** Another process, which looks for sessions that are left. */
function recover(
  { clock, log, rooms, store, shared }: World,
  { refusal, answers = [] }: { refusal?: Refusal; answers?: DispatchResult[] } = {},
) {
  const asked: DispatchRequest[] = [];
  const outcomes: RecoveryOutcome[] = [];
  const there = { sessionId: "session_1", room: "r", agent: "assistant", state: "connected" } as const;
  const recovery = startRecovery({
    ...shared,
    store,
    dispatcher: {
      refusal,
      async dispatch(request) {
        asked.push(request);
        const answer = answers.shift() ?? { type: "created", session: there };
        if ("session" in answer) await shared.checkpoints.remove(request.roomSid ?? "", "assistant");
        return answer;
      },
    },
    rooms,
    onOutcome: (outcome) => void outcomes.push(outcome),
    clock,
    log,
  });
  return { asked, outcomes, [Symbol.asyncDispose]: () => recovery[Symbol.asyncDispose]() };
}

describe("a session whose process is gone", () => {
  it("is gone on with as soon as its claim lapses, and not before", async () => {
    const world = await setUp();
    await world.clock.advance(130); // it is looked between two of them
    await using process = recover(world);
    await world.clock.advance(claimMs - 150);
    assertEquals(process.asked, []);
    await world.clock.advance(40);
    const [{ left, ...request } = { room: "" }] = process.asked;
    assertEquals(request, {
      room: "r",
      roomSid: world.roomSid,
      agent: "assistant",
      metadata: "m",
      isLastResort: false,
    });
    const { elapsedMs = 0, ...same } = left?.snapshot ?? {};
    const { elapsedMs: _, ...whole } = snapshot;
    assertEquals(same, whole);
    assert(elapsedMs >= 60_000 && elapsedMs < 90_000);
    assertEquals([left?.sessionId, left?.resumptions], ["session_1", 0]);
    await world.clock.advance(5_000);
    assertEquals([process.asked.length, process.outcomes], [1, ["resumed"]]);
  });

  const cases: {
    what: string;
    prepare: (world: World) => unknown;
    removed: boolean;
    outcomes: RecoveryOutcome[];
  }[] = [
    {
      what: "whose room is over",
      prepare: ({ rooms }) => rooms.close("r"),
      removed: true,
      outcomes: ["over"],
    },
    {
      what: "whose room is another by now",
      prepare({ rooms }) {
        rooms.close("r");
        rooms.enter("r", "bob");
      },
      removed: true,
      outcomes: ["over"],
    },
    {
      what: "that has ended its processes five times",
      async prepare({ shared, session, first, log, roomSid }) {
        for (let i = 0; i < 5; i++) {
          const left = await shared.checkpoints.find(roomSid, "assistant");
          await shared.checkpoints.of(() => session, { fence: () => first, left, log }).keep(snapshot);
        }
      },
      removed: true,
      outcomes: ["over"],
    },
    {
      what: "that has ended",
      prepare: ({ kept, first }) => kept.forget(first),
      removed: true,
      outcomes: [],
    },
    {
      what: "with nobody left",
      prepare: ({ rooms }) => rooms.leave("r", "ann"),
      removed: false,
      outcomes: [],
    },
    {
      what: "of which cannot be read what is kept",
      prepare: ({ store, roomSid }) =>
        store.set(`session:${JSON.stringify([roomSid, "assistant"])}`, '{"version": 2}', { ttlMs: 60_000 }),
      removed: false,
      outcomes: [],
    },
  ];
  for (const { what, prepare, removed, outcomes } of cases) {
    it(`is not gone on with: one ${what}`, async () => {
      const world = await setUp();
      await prepare(world);
      await using process = recover(world);
      await world.clock.advance(claimMs + 600);
      assertEquals([process.asked, process.outcomes], [[], outcomes]);
      assertEquals((await world.store.keys("session")).length, removed ? 0 : 1);
    });
  }

  it("is left to others by a process that takes no calls", async () => {
    const world = await setUp();
    await using process = recover(world, { refusal: { type: "draining" } });
    await world.clock.advance(claimMs + 5_000);
    assertEquals(process.asked, []);
  });

  it("is left to others for 2 s by a process that is full, which then takes it beyond its places", async () => {
    const world = await setUp();
    const full: Refusal = { type: "full", limit: "sessions", reason: "All 5 places are taken" };
    await using process = recover(world, { refusal: full, answers: [full] });
    await world.clock.advance(claimMs + 1_900);
    assertEquals(process.asked, []);
    await world.clock.advance(300);
    assertEquals(process.asked.map(({ isLastResort }) => isLastResort), [true]); // refused for its strain
    await world.clock.advance(500);
    assertEquals([process.asked.length, process.outcomes], [2, ["resumed"]]);
  });

  it("is tried again 3 s after a failure; where the store was away, its process has 5 s to renew its claim", async () => {
    const world = await setUp();
    await using process = recover(world, { answers: [{ type: "failed", reason: "no" }] });
    world.setAway(true, Infinity);
    await world.clock.advance(claimMs + 2_000);
    assertEquals(process.asked, []);
    const warnings = world.log.lines.filter(({ message }) => message.startsWith("it cannot be looked for"));
    assertEquals(warnings.length, 1);
    world.setAway(false, 4_900);
    await world.clock.advance(2_000);
    assertEquals(process.asked.length, 0);
    world.setAway(false, 5_000);
    await world.clock.advance(1_000);
    assertEquals([process.asked.length, process.outcomes], [1, ["failed"]]);
    await world.clock.advance(3_000);
    assertEquals([process.asked.length, process.outcomes], [2, ["failed", "resumed"]]);
  });

  it("is gone on with, too, by who is sent to its room, under its id", async () => {
    const world = await setUp();
    const { clock, rooms, log, shared } = world;
    const { started, start } = fakeSessions();
    const assistant = defineAgent({ instructions: "Be brief." });
    const agents = { assistant };
    const dispatcher = createDispatcher({
      agents,
      defaultAgent: "assistant",
      start,
      rooms,
      shared,
      maxSessions: 5,
      clock,
      log,
    });
    await clock.advance(claimMs);
    const dispatched = dispatcher.dispatch({ room: "r" });
    await clock.settle();
    const { request } = started[0]!;
    assertEquals([request.id, request.metadata, request.left?.snapshot?.turns], ["session_1", "m", 3]);
    const begun = await shared.checkpoints.find(world.roomSid, "assistant");
    assertEquals([begun?.snapshot?.turns, begun?.resumptions], [3, 1]);
    started[0]!.arrive({ id: world.roomSid });
    assertEquals((await dispatched).type, "created");
    await request.keep?.({ ...snapshot, turns: 4 });
    const left = await shared.checkpoints.find(world.roomSid, "assistant");
    assertEquals([left?.snapshot?.turns, left?.resumptions], [4, 1]);
    started[0]!.end("closed");
    await clock.advance(1_000);
    assertEquals(await world.store.keys("session"), []);
  });
});

describe("what is kept of a session", () => {
  it("is not changed by who has lost its claim", async () => {
    const { clock, kept, fence, shared, roomSid, session, first, log } = await setUp();
    await clock.advance(claimMs);
    const second = await fence();
    const taken = shared.checkpoints.of(() => session, { fence: () => second, log });
    await taken.keep({ ...snapshot, turns: 7 });
    await kept.keep({ ...snapshot, turns: 4 });
    await kept.forget(first);
    assertEquals((await shared.checkpoints.find(roomSid, "assistant"))?.snapshot?.turns, 7);
  });

  it("begins anew while nobody had come", async () => {
    const { kept, shared, roomSid } = await setUp();
    const { talkingSinceMs: _, ...early } = snapshot;
    await kept.keep(early);
    const left = await shared.checkpoints.find(roomSid, "assistant");
    assertEquals([left?.sessionId, left?.snapshot], ["session_1", undefined]);
  });

  it("is the newest of a long history, whole", async () => {
    const { kept, shared, roomSid } = await setUp();
    const history = Array.from({ length: 1_000 }, (_, n): HistoryItem[] => [
      { id: `u${n}`, role: "user", text: "and?", interrupted: false, atMs: n },
      { id: `c${n}`, type: "tool-call", call: { id: `call${n}`, name: "look", arguments: {} }, atMs: n },
      {
        id: `r${n}`,
        type: "tool-result",
        callId: `call${n}`,
        outcome: "done",
        content: "x".repeat(5_000),
        atMs: n,
      },
    ]).flat();
    await kept.keep({ ...snapshot, history });
    const items = (await shared.checkpoints.find(roomSid, "assistant"))?.snapshot?.history ?? [];
    assert(items.length > 250 && items.length < 300 && items.length % 3 === 0, `${items.length}`);
    assertEquals([items[0]?.id.at(0), items.at(-1)?.id], ["u", "r999"]);
  });

  it("follows its room to another SID", async () => {
    const { store, shared, log } = await setUp();
    let roomSid = "RM_old";
    const session = () => ({ sessionId: "session_2", room: "s", roomSid, agent: "assistant", metadata: "" });
    const key = () => `claim:${JSON.stringify([roomSid, "assistant"])}`;
    const { token } = await store.take(key(), "", claimMs);
    let fence = { key: key(), token };
    const kept = shared.checkpoints.of(session, { fence: () => fence, log });
    await kept.keep(snapshot);
    roomSid = "RM_new";
    fence = { key: key(), token: (await store.take(key(), "", claimMs)).token };
    await kept.keep(snapshot);
    assertEquals((await shared.checkpoints.list()).map(({ roomSid }) => roomSid), ["RM_1", "RM_new"]);
  });
});
