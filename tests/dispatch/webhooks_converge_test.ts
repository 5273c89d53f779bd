/** Whatever becomes of webhooks on their way, each room has the agent it is to have, and none that is over has one. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import * as fc from "fast-check";
import { webhookWorld } from "../fakes/webhook_world.ts";
import { webhookBody } from "../fakes/webhooks.ts";

const support = '{"agent": "support"}';

/** What happens to one of three rooms, and in between to the webhooks of what has happened. */
const acts = fc.oneof(
  fc.record({ type: fc.constantFrom("open", "enter", "finish"), room: fc.constantFrom("a", "b", "c") }),
  /** One of those that are on their way arrives, as often; `place`: 0–1, from the oldest to the newest. */
  fc.record({
    type: fc.constant("deliver"),
    place: fc.double({ min: 0, max: 0.999, noNaN: true }),
    times: fc.integer({ min: 1, max: 10 }),
  }),
  /** What LiveKit may send some day, or sent without saying where. */
  fc.record({
    type: fc.constant("noise"),
    event: fc.constantFrom("room_started", "participant_joined", "new", ""),
  }),
  /** LiveKit answers so many questions with a failure. */
  fc.record({ type: fc.constant("fail"), times: fc.integer({ min: 1, max: 2 }) }),
  fc.record({ type: fc.constant("wait"), ms: fc.integer({ min: 1, max: 6_000 }) }),
);
type Act = typeof acts extends fc.Arbitrary<infer T> ? T : never;

/** Plays it, and then delivers what is still on its way; in the end, who is in which room, and who is to be. */
async function play(script: readonly Act[]) {
  const world = webhookWorld();
  const live = new Set<string>();
  const peopled = new Set<string>();
  const onTheWay: string[] = [];
  const deliver = (place: number, times: number) => {
    const [body] = onTheWay.splice(Math.floor(place * onTheWay.length), 1);
    return body === undefined ? world.deliver() : world.deliver(...Array.from({ length: times }, () => body));
  };
  let people = 0;
  let twice = false;
  const sessions = () =>
    world.calls.filter(({ session }) => session.session.state !== "closed")
      .map(({ session: { request } }) => `${request.roomName} ${request.roomSid}`).toSorted();
  for (const act of script) {
    switch (act.type) {
      case "deliver":
        await deliver(act.place, act.times);
        break;
      case "noise":
        await world.deliver(webhookBody(act.event, { participant: { identity: "x" }, news: { of: 2027 } }));
        break;
      case "fail":
        world.rooms.failing = act.times;
        break;
      case "wait":
        await world.clock.advance(act.ms);
        break;
      default:
        happen(act.type, act.room);
    }
    twice ||= new Set(sessions()).size < sessions().length;
  }
  world.rooms.failing = 0;
  while (onTheWay.length > 0) await deliver(0.6, 2);
  await world.clock.advance(60_000);
  const there = sessions();
  const alive = new Set([...live].map((room) => `${room} ${world.rooms.open(room)}`));
  const wanted = [...peopled].map((room) => `${room} ${world.rooms.open(room)}`);
  return {
    twice: twice || new Set(there).size < there.length,
    missing: wanted.filter((one) => !there.includes(one)),
    tooMany: there.filter((one) => !alive.has(one)),
  };

  function happen(what: string, room: string) {
    if (what === "finish") {
      if (!live.delete(room)) return;
      peopled.delete(room);
      onTheWay.push(world.finish(room));
      return;
    }
    if (what === "enter" && live.has(room)) {
      peopled.add(room);
      onTheWay.push(world.enter(room, `user-${people++}`));
    } else if (!live.has(room)) {
      live.add(room);
      onTheWay.push(world.open(room, support));
    }
  }
}

describe("webhooks that come twice, late, in any order, among others and while LiveKit fails", () => {
  it("bring one agent to each room with people in it, and leave none in a room that is over", async () => {
    const scripts = fc.array(acts, { minLength: 5, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        scripts,
        async (script) => assertEquals(await play(script), { twice: false, missing: [], tooMany: [] }),
      ),
      { numRuns: 300 },
    );
  });
});
