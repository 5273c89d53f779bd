/** Sessions that have ended, and sessions that should have: what webhooks do to them. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { webhookWorld } from "../fakes/webhook_world.ts";
import { webhookBody } from "../fakes/webhooks.ts";

type World = ReturnType<typeof webhookWorld>;

const support = '{"agent": "support"}';

/** Every order of `items`. */
function orders<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, at) => orders(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}

describe("a session that has ended", () => {
  /** Ann came, was talked with, and left; `bodies`: all that was told of it. */
  const ended = async (
    world: World,
    reason: "participant-left" | "closed" | "deleted" | "error" | "disconnected",
  ) => {
    const bodies = [world.open("r", support), world.enter("r", "ann"), world.enter("r", "listener")];
    await world.deliver(...bodies);
    const call = world.calls.at(-1);
    assert(call);
    call.room.participant = "ann";
    if (reason === "participant-left") bodies.push(world.leave("r", "ann"));
    if (reason === "participant-left" || reason === "disconnected") world.notice("r", reason);
    else {
      call.room.witnesses = new Set(["PA_2", "PA_3"]);
      await call.session.session.close(reason);
    }
    await world.clock.settle();
    assertEquals(world.dispatcher.sessions, []);
    return bodies;
  };

  it("is not revived by what is told late, in any order, of whoever was there", async () => {
    for (const order of orders([0, 1, 2, 3])) {
      const world = webhookWorld();
      const bodies = await ended(world, "participant-left");
      await world.deliver(...order.map((at) => bodies[at]!.replace("EV_", "EV_late")));
      assertEquals(world.sent, ["support in RM_1"]);
    }
  });

  const revivals: [Parameters<typeof ended>[1], boolean][] = [
    ["participant-left", true],
    ["disconnected", true],
    ["error", true],
    ["closed", false],
    ["deleted", false],
  ];
  for (const [reason, revived] of revivals) {
    it(`is ${revived ? "" : "not "}revived by somebody new, after "${reason}"`, async () => {
      const world = webhookWorld();
      await ended(world, reason);
      await world.deliver(world.enter("r", "ben"));
      assertEquals(world.sent.length, revived ? 2 : 1);
    });
  }

  it("is revived by a dispatch, whatever it ended for", async () => {
    for (const [reason] of revivals) {
      const world = webhookWorld();
      await ended(world, reason);
      assertEquals((await world.dispatcher.dispatch({ room: "r" })).type, "created");
    }
  });

  it("leaves nothing in the way of the next room of its name", async () => {
    const world = webhookWorld();
    await ended(world, "deleted");
    const over = world.finish("r");
    await world.deliver(world.open("r", support), over);
    await world.clock.advance(10_000);
    assertEquals(world.sent[1], world.sent[0]?.replace(/RM_\d+/, world.rooms.open("r")));
    assertEquals(world.closes[1], []);
  });

  it("is revived by who came while it still waited for somebody else", async () => {
    const world = webhookWorld();
    await world.deliver(world.open("r", support), world.enter("r", "ann"));
    const call = world.calls[0];
    assert(call);
    call.room.participant = "ann";
    const left = world.leave("r", "ann");
    // Her page was loaded again, and came back under another name: the session still waits for ann.
    await world.deliver(left, world.enter("r", "ann-2"));
    assertEquals(world.sent.length, 1);
    call.room.witnesses = new Set();
    call.room.closed.abort("participant-left");
    call.session.end("participant-left");
    await world.clock.settle();
    await world.clock.settle();
    assertEquals(world.sent.length, 2);
  });

  it("is revived while it says its farewell, its own agent being still there", async () => {
    const world = webhookWorld();
    await world.deliver(world.open("r", support), world.enter("r", "ann"));
    const call = world.calls[0];
    assert(call);
    world.rooms.enter("r", `agent-${call.session.request.id}`, { canTalk: false, agentName: "support" });
    world.leave("r", "ann");
    call.room.witnesses = new Set();
    call.room.closed.abort("participant-left");
    await world.deliver(world.enter("r", "ann"));
    assertEquals(world.sent.length, 2);
  });

  it("does not fail again and again where it fails at once", async () => {
    const world = webhookWorld();
    await world.deliver(world.open("r", support), world.enter("r", "ann"));
    for (let i = 0; i < 5; i++) {
      await world.deliver(world.enter("r", "ben", "SIP").replace("EV_", `EV_${i}_`));
      world.rooms.leave("r", "ben");
      await world.calls.at(-1)?.session.session.close("error");
      await world.clock.settle();
      await world.clock.settle();
    }
    // Its own try, and at most one for each who came.
    assert(world.sent.length <= 6, String(world.sent.length));
  });
});

/** What is told of a session's room, when it has noticed nothing itself; and with what it is ended after the grace time. */
const endings: [what: string, tell: (world: World) => Promise<void>, closes: string[]][] = [
  ["its room ended", (w) => w.deliver(w.finish("r")), ["room-deleted"]],
  ["another room has its room's name", async (w) => {
    const over = w.finish("r");
    w.open("r");
    await w.deliver(over);
  }, ["room-deleted"]],
  [
    "a room ended that had its room's name before",
    (w) => w.deliver(webhookBody("room_finished", { room: { name: "r", sid: "RM_0" } })),
    [],
  ],
  [
    "its room ended, which is not so",
    (w) => w.deliver(webhookBody("room_finished", { room: { name: "r", sid: "RM_1" } })),
    [],
  ],
  ["its participant left", (w) => w.deliver(w.leave("r", "ann")), ["participant-left"]],
  ["its participant refused the call", (w) => w.deliver(w.leave("r", "ann", "USER_REJECTED")), [
    "participant-left",
  ]],
  ["its participant left, which is not so", async (w) => {
    const left = w.leave("r", "ann");
    w.enter("r", "ann");
    await w.deliver(left);
  }, []],
  ["its participant left and came back in time", async (w) => {
    await w.deliver(w.leave("r", "ann"));
    await w.clock.advance(4_000);
    w.enter("r", "ann");
  }, []],
  ["its participant left again after coming back", async (w) => {
    await w.deliver(w.leave("r", "ann"));
    await w.clock.advance(4_000);
    w.enter("r", "ann");
    await w.deliver(w.leave("r", "ann"));
    await w.clock.advance(4_999);
    assertEquals(w.closes, [[]]);
  }, ["participant-left"]],
  ["somebody else left", (w) => {
    w.enter("r", "ben");
    return w.deliver(w.leave("r", "ben"));
  }, []],
  ["its participant left, and it talks on with somebody else", async (w) => {
    w.enter("r", "ben");
    await w.deliver(w.leave("r", "ann"));
    w.calls[0]!.room.participant = "ben";
  }, []],
  ...["SIGNAL_CLOSE", "MIGRATION", "DUPLICATE_IDENTITY", "UNKNOWN_REASON", "CONNECTION_TIMEOUT"].map((
    reason,
  ): typeof endings[number] => [
    `its participant's connection was lost: ${reason}`,
    (w) => w.deliver(w.leave("r", "ann", reason)),
    [],
  ]),
  ["the end was told twice", async (w) => {
    const over = w.finish("r");
    await w.deliver(over, over, over.replace("EV_", "EV_again"));
  }, ["room-deleted"]],
  ["the room could not be read at first", async (w) => {
    await w.deliver(w.finish("r"));
    w.rooms.failing = 3;
  }, ["room-deleted"]],
  ["LiveKit restarted, and the agent has joined again by itself", async (w) => {
    const over = w.finish("r");
    w.rooms.enter("r", `agent-${w.calls[0]?.session.request.id}`, { canTalk: false });
    w.enter("r", "ann");
    await w.deliver(over);
  }, []],
];

describe("webhooks of departures", () => {
  for (const [what, tell, closes] of endings) {
    it(`${closes.length > 0 ? "end" : "do not end"} a session when ${what}`, async () => {
      const world = webhookWorld();
      await world.deliver(world.open("r", support), world.enter("r", "ann"));
      world.calls[0]!.room.participant = "ann";
      await tell(world);
      assertEquals(world.closes[0], []);
      await world.clock.advance(20_000);
      assertEquals(world.closes[0], closes);
      await world.webhooks[Symbol.asyncDispose]();
      assertEquals(world.clock.pending, 0);
    });
  }

  it("leave a session alone that has noticed by itself", async () => {
    const world = webhookWorld();
    await world.deliver(world.open("r", support), world.enter("r", "ann"));
    const over = world.finish("r");
    await world.deliver(over);
    world.notice("r", "room-deleted");
    await world.clock.advance(20_000);
    assertEquals(world.closes[0], []);
  });
});
