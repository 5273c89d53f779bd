/** Sessions that one process hands over to another, with what both have in the store. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { TakenOver } from "../../src/dispatch/dispatcher.ts";
import type { Hold } from "../../src/dispatch/hold.ts";
import { createLeases } from "../../src/dispatch/leases.ts";
import { createSharedTombstones } from "../../src/dispatch/shared_tombstones.ts";
import { memoryStore } from "../../src/dispatch/store/memory.ts";
import type { CloseReason } from "../../src/events.ts";
import { createCheckpoints } from "../../src/resume/checkpoints.ts";
import { handOver } from "../../src/resume/hand_over.ts";
import { createOffers } from "../../src/resume/offers.ts";
import type { SessionSnapshot } from "../../src/resume/snapshot.ts";
import { startTakeOvers } from "../../src/resume/take_over.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { fakeRooms } from "../fakes/rooms.ts";
import { scriptedTextToSpeech } from "../fakes/providers.ts";
import { snapshot } from "./snapshots.ts";

const agent = "assistant";
const identity = "agent-session_1";
/** What of the user's voice is left to who takes over. */
const unheardMs = 700;

/** A process that is to end, and holds the session of a room. */
async function setUp() {
  const clock = fakeClock();
  const log = fakeLog();
  const rooms = fakeRooms();
  const roomSid = rooms.open("r");
  const store = memoryStore({ clock });
  const tombstones = createSharedTombstones({ store, agents: [agent] });
  const leases = createLeases({ store, agents: [agent], rooms, tombstones, clock, log });
  const checkpoints = createCheckpoints({ store, sumsOf: () => undefined, log });
  const offers = createOffers(store);
  const session = { sessionId: "session_1", room: "r", agent, metadata: "m", state: "connected" } as const;
  const about = { roomSid: () => roomSid, describe: () => session, isAlone: () => true, log };
  const taken = await leases.take(roomSid, session, () => false);
  if (taken.type !== "taken") throw new Error("expected the claim");
  const hold = leases.hold({ ...about, lease: taken.lease });
  const kept = checkpoints.of(() => ({ ...session, roomSid, identity }), { fence: () => hold.fence, log });
  await kept.keep(snapshot);

  const state = { isMoment: false, isHeld: false, behind: undefined as string | undefined };
  /** What the user has said of the turn that they are at, and how long ago. */
  const speech = { begun: undefined as SessionSnapshot["begun"] };
  /** Where a sentence ends (clock milliseconds), what follows it, and where it was left. */
  const sentence = { endsMs: undefined as number | undefined, next: "And on.", left: undefined as unknown };
  const done = Promise.withResolvers<CloseReason>();
  const over = new AbortController();
  const departure = {
    room: {
      identity,
      publishOnBehalf: (behind: string | undefined) => {
        state.behind = behind;
        return Promise.resolve();
      },
    },
    obstacle: undefined,
    get isMoment() {
      return state.isMoment;
    },
    get isMidSpeech() {
      return speech.begun !== undefined;
    },
    sentence(leadMs: number) {
      const { endsMs, next } = sentence;
      const isIt = endsMs !== undefined && endsMs - clock.now() >= leadMs;
      return isIt ? { replyId: "r", end: 5, next } : undefined;
    },
    untilMs: () => sentence.endsMs === undefined ? undefined : sentence.endsMs - clock.now(),
    hold(at?: unknown) {
      sentence.left = at;
      state.isHeld = true;
      return () => void (state.isHeld = false);
    },
    take: () => ({
      ...snapshot,
      spentUsd: 0.5,
      unheardMs,
      ...(speech.begun && { begun: speech.begun }),
    }),
  };
  const handed = handOver({
    session: {
      id: "session_1",
      done: done.promise,
      close(reason = "closed") {
        done.resolve(reason);
        return Promise.resolve();
      },
    },
    departure: () => departure,
    place: () => ({ roomSid, agent }),
    hold,
    kept,
    offers,
    clock,
    log,
  }, { waitMs: 300_000, signal: over.signal });

  /** Another process. `diesAt`: from then on it does nothing any more. */
  const taker = (
    { diesAt, joinMs = 300, makeMs = 200 }: { diesAt?: "ready" | "taken"; joinMs?: number; makeMs?: number } =
      {},
  ) => {
    const making: string[] = [];
    const dropped: string[] = [];
    const goneOn: TakenOver[] = [];
    const holds: Hold[] = [];
    let left = 0;
    let behind: string | undefined;
    let dead = false;
    const alive = async <T>(answer: Promise<T>): Promise<T> => dead ? await new Promise<T>(() => {}) : answer;
    const takeOvers = startTakeOvers({
      dispatcher: {
        refusal: undefined,
        reserve: () => ({ [Symbol.dispose]: () => {} }),
        takeOver(taken) {
          goneOn.push(taken);
          holds.push(leases.hold({ ...about, lease: taken.lease }));
        },
      },
      agents: [agent],
      offers: {
        ...offers,
        list: () => alive(offers.list()),
        async accept(...given) {
          const acceptance = await alive(offers.accept(...given));
          return acceptance && {
            ...acceptance,
            async tell(state, made) {
              const told = await alive(acceptance.tell(state, made));
              if (state === diesAt) dead = true;
              return told;
            },
          };
        },
      },
      leases: {
        ...leases,
        async takeNext(...given) {
          const lease = await alive(leases.takeNext(...given));
          if (lease && diesAt === "taken") dead = true;
          return await alive(Promise.resolve(lease));
        },
      },
      checkpoints,
      rooms,
      async standBy({ onBehalfOf }) {
        behind = onBehalfOf;
        await clock.sleep(joinMs);
        return {
          room: {
            publishOnBehalf(now) {
              behind = now;
              return Promise.resolve();
            },
          },
          make(text) {
            making.push(text);
            const begun = clock.sleep(makeMs);
            const drop = () => void dropped.push(text);
            return { text, tts: scriptedTextToSpeech([], clock), begun, over: begun, drop };
          },
          enter: () => {
            throw new Error("the session is none");
          },
          leave: () => {
            left++;
            return Promise.resolve();
          },
        };
      },
      clock,
      log,
    });
    return {
      goneOn,
      holds,
      making,
      dropped,
      get behind() {
        return behind;
      },
      get left() {
        return left;
      },
      async end() {
        for (const hold of holds) await hold.release();
        await Promise.race([takeOvers[Symbol.asyncDispose](), clock.advance(5_000)]);
      },
    };
  };
  return { clock, rooms, hold, state, speech, sentence, done, over, handed, taker, checkpoints, roomSid };
}

const isPending = async (promise: Promise<unknown>) =>
  await Promise.race([promise.then(() => false), Promise.resolve(true)]);

describe("a session that is handed over", () => {
  it("goes on elsewhere at the first moment, and nobody else speaks meanwhile", async () => {
    const world = await setUp();
    const { clock, state, hold, done, handed } = world;
    const other = world.taker();
    await clock.advance(5_000);
    assertEquals([other.goneOn.length, other.behind, hold.gate.open], [0, identity, true]);
    state.isMoment = true;
    await clock.advance(60);
    assertEquals([state.isHeld, hold.gate.open], [true, false]);
    await clock.advance(100);
    const [taken] = other.goneOn;
    assertEquals([taken?.left.snapshot?.spentUsd, taken?.left.given], [0.5, true]);
    const agoMs = clock.now() - (taken?.silentlySinceMs ?? NaN);
    assert(agoMs >= unheardMs && agoMs <= unheardMs + 160, `${agoMs}`); // it was held for no longer than the rest
    assertEquals([hold.gate.open, other.holds[0]?.gate.open], [false, true]);
    await clock.advance(100);
    assert(/^agent-session_1\.\w{8}$/.test(state.behind ?? ""), state.behind);
    assertEquals(other.behind, undefined);
    await clock.advance(1_000);
    await handed;
    assertEquals(await done.promise, "handed-over");
    await other.end();
  });

  it("goes on elsewhere at the end of a sentence when no moment comes, with what is made there", async () => {
    const world = await setUp();
    const { clock, sentence, state } = world;
    const other = world.taker();
    sentence.endsMs = clock.now() + 14_000;
    await clock.advance(15_000);
    sentence.endsMs = clock.now() + 4_000;
    assertEquals([other.making, state.isHeld], [[], false]);
    await clock.advance(3_900);
    assertEquals([other.making, other.goneOn.length, state.isHeld], [["And on."], 0, false]);
    await clock.advance(100);
    assertEquals([state.isHeld, sentence.left], [true, { replyId: "r", end: 5, next: "And on." }]);
    await clock.advance(100);
    assertEquals(other.goneOn.map(({ made }) => made?.text), ["And on."]);
    await clock.advance(2_000);
    assertEquals([await world.done.promise, other.dropped], ["handed-over", []]);
    await other.end();
  });

  it("waits for another sentence when what follows was not made in time; at last it does not", async () => {
    const world = await setUp();
    const { clock, sentence, state } = world;
    const other = world.taker({ makeMs: 60_000 });
    await clock.advance(16_000);
    for (let n = 0; n < 2; n++) {
      Object.assign(sentence, { endsMs: clock.now() + 4_000, next: `Sentence ${n}.` });
      await clock.advance(5_000);
      assertEquals([other.making.length, state.isHeld], [n + 1, false]);
    }
    await clock.advance(5_000);
    sentence.endsMs = clock.now() + 3_000;
    await clock.advance(3_100);
    assertEquals([state.isHeld, other.making.length], [true, 3]);
    await clock.advance(2_000);
    await other.end();
  });

  it("goes on elsewhere while the user speaks when no moment comes, from where their words are written", async () => {
    const world = await setUp();
    const { clock, speech, state } = world;
    const other = world.taker();
    speech.begun = "I would like";
    await clock.advance(14_900);
    assertEquals([state.isHeld, other.goneOn.length], [false, 0]);
    await clock.advance(1_000);
    const [taken] = other.goneOn;
    assertEquals([state.isHeld, taken?.left.snapshot?.begun], [true, speech.begun]);
    await clock.advance(2_000);
    assertEquals(await world.done.promise, "handed-over");
    await other.end();
  });

  it("is heard from there on, to a few hundredths of a second", async () => {
    const world = await setUp();
    const { clock, speech, state } = world;
    const other = world.taker();
    await clock.advance(16_000);
    speech.begun = "I would like";
    let heldMs = NaN;
    for (let n = 0; n < 200 && Number.isNaN(heldMs); n++) {
      await clock.advance(10);
      if (state.isHeld) heldMs = clock.now();
    }
    await clock.advance(100);
    const sinceMs = other.goneOn[0]?.silentlySinceMs ?? NaN;
    assert(Math.abs(sinceMs - (heldMs - 700)) <= 50, `${sinceMs - (heldMs - 700)} ms off`);
    await clock.advance(2_000);
    await other.end();
  });

  it("goes on in one of two that want it", async () => {
    const world = await setUp();
    const both = [world.taker(), world.taker()];
    world.state.isMoment = true;
    await world.clock.advance(4_000);
    assertEquals(both.map(({ goneOn }) => goneOn.length).toSorted(), [0, 1]);
    assertEquals(await world.done.promise, "handed-over");
    for (const one of both) await one.end();
  });

  it("goes on where it is when the other dies before it has taken it; and then in a third", async () => {
    const world = await setUp();
    const { clock, state, hold } = world;
    const first = world.taker({ diesAt: "ready" });
    await clock.advance(2_000);
    state.isMoment = true;
    await clock.advance(1_000);
    assertEquals([state.isHeld, hold.gate.open], [true, false]);
    state.isMoment = false;
    await clock.advance(1_500);
    assertEquals([state.isHeld, hold.gate.open, await isPending(world.handed)], [false, true, true]);
    const second = world.taker();
    await clock.advance(5_000);
    state.isMoment = true;
    await clock.advance(2_000);
    assertEquals([hold.gate.open, second.goneOn.length], [false, 1]);
    assertEquals(await world.done.promise, "handed-over");
    await first.end();
    await second.end();
  });

  it("goes on where it is when the other dies with it, as soon as nobody has the claim", async () => {
    const world = await setUp();
    const first = world.taker({ diesAt: "taken" });
    await world.clock.advance(2_000);
    world.state.isMoment = true;
    await world.clock.advance(2_000);
    assertEquals([world.state.isHeld, world.hold.gate.open], [true, false]);
    world.state.isMoment = false;
    await world.clock.advance(2_000);
    assertEquals([world.state.isHeld, world.hold.gate.open], [false, true]);
    assertEquals([world.hold.lost.aborted, await isPending(world.handed)], [false, true]);
    world.over.abort();
    await world.clock.advance(2_000);
    await world.handed;
    const left = await world.checkpoints.find(world.roomSid, agent);
    assertEquals([left?.sessionId, left?.given], ["session_1", undefined]);
    await first.end();
  });

  it("is gone on with as after a fault when its process dies first", async () => {
    const world = await setUp();
    const other = world.taker();
    await world.clock.advance(2_000);
    world.over.abort();
    await world.hold.pass(); // nothing is written any more
    await world.clock.advance(500);
    assertEquals(other.goneOn.map(({ silentlySinceMs }) => silentlySinceMs), [undefined]);
    assert(world.rooms.asked.includes(`remove ${identity} from r`));
    await other.end();
  });

  it("is not waited for any more when it is offered no more", async () => {
    const world = await setUp();
    const other = world.taker();
    await world.clock.advance(2_000);
    world.over.abort();
    await world.clock.advance(2_000);
    await world.handed;
    assertEquals([other.goneOn.length, other.left, world.hold.gate.open], [0, 1, true]);
    await other.end();
    await world.hold.release();
  });
});
