import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createWebhooks } from "../../src/dispatch/webhooks.ts";
import { processes } from "../fakes/processes.ts";
import { webhookWorld } from "../fakes/webhook_world.ts";
import { webhookBody } from "../fakes/webhooks.ts";

type World = ReturnType<typeof webhookWorld>;

const support = '{"agent": "support"}';

/** What is told, in which way, and which agents come of it. */
const arrivals: [what: string, tell: (world: World) => Promise<void>, sent: string[]][] = [
  ["a room with metadata, and nobody in it yet", (w) => w.deliver(w.open("r", support)), ["support in RM_1"]],
  ["somebody who came, and no word of the room", async (w) => {
    w.open("r", support);
    await w.deliver(w.enter("r", "ann"));
  }, ["support in RM_1"]],
  ["somebody on the phone", (w) => w.deliver(w.open("r", support), w.enter("r", "+123", "SIP")), [
    "support in RM_1",
  ]],
  ["everything twice", async (w) => {
    const bodies = [w.open("r", support), w.enter("r", "ann")];
    await w.deliver(...bodies, ...bodies);
    await w.deliver(...bodies);
  }, ["support in RM_1"]],
  ["the same in other webhooks", async (w) => {
    const bodies = [w.open("r", support), w.enter("r", "ann")];
    await w.deliver(...[...bodies, ...bodies].map((body, at) => body.replace(/EV_\d+/, `EV_again${at}`)));
  }, ["support in RM_1"]],
  ["all of it late, when it is over", async (w) => {
    const bodies = [w.open("r", support), w.enter("r", "ann"), w.leave("r", "ann"), w.finish("r")];
    await w.deliver(...bodies);
  }, []],
  ["an end that comes before the beginning", async (w) => {
    const begun = [w.open("r", support), w.enter("r", "ann")];
    const ended = [w.leave("r", "ann"), w.finish("r")];
    await w.deliver(...ended, ...begun);
  }, []],
  ["a beginning that comes when another room has the name", async (w) => {
    const [late] = [w.open("r", support), w.finish("r")];
    w.open("r", support);
    w.enter("r", "ann");
    await w.deliver(late);
  }, []],
  ["somebody who came and went before anybody looked", async (w) => {
    const joined = w.enter("r", "ann");
    w.leave("r", "ann");
    await w.deliver(joined);
  }, []],
  ["agents, egress and ingress", async (w) => {
    w.open("r", support);
    for (const kind of ["AGENT", "EGRESS", "INGRESS"]) await w.deliver(w.enter("r", kind, kind));
  }, []],
  ["a new room with nobody but egress", async (w) => {
    const started = w.open("r", support);
    w.enter("r", "EG_1", "EGRESS");
    await w.deliver(started);
  }, []],
  ["egress with a kind that is not told", async (w) => {
    w.open("r", support);
    await w.deliver(w.enter("r", "EG_1", "EGRESS").replace('"kind":"EGRESS"', '"kind":null'));
  }, []],
  ["an agent that nobody has", (w) => w.deliver(w.open("r", '{"agent": "constructor"}')), []],
  ["a room that is not read at first", async (w) => {
    w.rooms.failing = 4;
    await w.deliver(w.open("r", support));
    await w.clock.advance(7_500);
  }, ["support in RM_1"]],
  ["a room that is not read at all", async (w) => {
    w.rooms.failing = 5;
    await w.deliver(w.open("r", support));
    await w.clock.advance(60_000);
    assertEquals(w.log.lines.at(-1)?.message, "a webhook could not be followed");
  }, []],
  [
    "a webhook that names no room",
    (w) => w.deliver(webhookBody("participant_joined", { participant: { identity: "ann" } })),
    [],
  ],
  ["a room by its name alone", async (w) => {
    w.open("r", support);
    await w.deliver(webhookBody("room_started", { room: { name: "r" } }));
  }, ["support in RM_1"]],
  ["fields and events that are unknown", async (w) => {
    const joined = w.open("r", support);
    w.enter("r", "ann");
    for (
      const event of [
        "track_published",
        "participant_connection_aborted",
        "agent_job_pending",
        "",
        "toString",
      ]
    ) {
      await w.deliver(joined.replace("room_started", event));
    }
    assertEquals(w.rooms.asked, []);
    await w.deliver(joined.replace("{", '{"news": {"of": 2027},').replace(/EV_/, "EV_x"));
  }, ["support in RM_1"]],
  ["another agent of the same room", async (w) => {
    await w.dispatcher.dispatch({ room: "r", agent: "sales" });
    w.open("r", support);
    await w.deliver(w.enter("r", "ann"));
  }, ["sales in RM_1", "support in RM_1"]],
  ["an agent of that name that another server sent", async (w) => {
    const joined = w.enter("r", "ann");
    w.open("r", support);
    w.rooms.enter("r", "agent-elsewhere", { canTalk: false, agentName: "support" });
    await w.deliver(joined);
    await w.clock.advance(60_000);
  }, []],
  ["an agent of that name whose process died", async (w) => {
    const joined = w.enter("r", "ann");
    w.open("r", support);
    w.rooms.enter("r", "agent-dead", { canTalk: false, agentName: "support" });
    await w.deliver(joined);
    w.rooms.leave("r", "agent-dead");
    await w.clock.advance(25_000);
  }, ["support in RM_1"]],
];

describe("a room that was dispatched an agent by name", () => {
  it("is sent none by AUTO_AGENT, and whom its metadata names all the same", async () => {
    const world = webhookWorld({ autoAgent: "support" });
    world.rooms.dispatch("r", { agent: "somebody" });
    await world.deliver(world.open("r"), world.enter("r", "ada"));
    assertEquals(world.sent, []);
    await world.deliver(world.open("r", '{"agent": "sales"}'));
    assertEquals(world.sent.length, 1);
  });
});

describe("webhooks of arrivals", () => {
  for (const [what, tell, sent] of arrivals) {
    it(`${sent.length > 0 ? "send one agent for" : "send nobody for"} ${what}`, async () => {
      const world = webhookWorld();
      await tell(world);
      assertEquals(world.sent, sent);
      await world.webhooks[Symbol.asyncDispose]();
      assertEquals(world.clock.pending, 0);
    });
  }

  it("hand the agent the room's metadata", async () => {
    const world = webhookWorld({ autoAgent: "sales" });
    await world.deliver(
      world.open("r", '{"agent": "support", "customer": 7}'),
      world.open("s", "of the app"),
    );
    assertEquals(world.calls.map(({ session }) => session.request.metadata), [
      '{"agent": "support", "customer": 7}',
      "of the app",
    ]);
  });

  for (const bodies of [["{"], [""], ["null"], ["[]"], ["7"], ['{"event": 7}'], ['{"room": {}}']]) {
    it(`survive a body of ${JSON.stringify(bodies)}`, async () => {
      const world = webhookWorld();
      await world.deliver(...bodies);
      assertEquals(world.log.lines.map(({ level }) => level), ["warn"]);
      await world.deliver(world.open("r", support));
      assertEquals(world.sent.length, 1);
    });
  }

  it("are followed 5 s later where what processes share could not be asked, also when nobody is there yet", async () => {
    const { first, rooms, clock, setAway } = processes();
    const webhooks = createWebhooks({
      dispatcher: first.dispatcher,
      rooms,
      agents: ["assistant"],
      autoAgent: undefined,
      clock,
      log: first.log,
    });
    const sid = rooms.open("r", '{"agent": "assistant"}');
    setAway(true);
    webhooks.accept(webhookBody("room_started", { room: { name: "r", sid } }));
    await clock.settle();
    await clock.settle();
    await clock.advance(4_000);
    setAway(false);
    assertEquals([first.started.length, first.log.lines.map(({ level }) => level)], [0, ["warn"]]);
    await clock.advance(1_000);
    assertEquals(first.started.length, 1);
    await webhooks[Symbol.asyncDispose]();
  });

  it("say so when the server is full", async () => {
    const world = webhookWorld({ maxSessions: 1 });
    await world.deliver(world.open("r", support), world.open("s", support));
    assertEquals(world.sent, ["support in RM_1"]);
    const warning = world.log.lines.find(({ level }) => level === "warn");
    assertEquals([warning?.message, warning?.fields.type], [
      "agent not sent, though a webhook asked",
      "full",
    ]);
  });
});

describe("AUTO_AGENT", () => {
  const metadata = ["", "text of the app", "{}", '{"agent": 7}', '{"agent": ""}', "null", "[]"];
  for (const given of metadata) {
    it(`comes to a room whose metadata is ${JSON.stringify(given)}, and without it nobody does`, async () => {
      for (const [options, sent] of [[{ autoAgent: "sales" }, ["sales in RM_1"]], [{}, []]] as const) {
        const world = webhookWorld(options);
        await world.deliver(world.open("r", given), world.enter("r", "ann"));
        assertEquals(world.sent, sent);
      }
    });
  }

  it("does not come where another agent is named, nor in place of one that nobody has", async () => {
    const world = webhookWorld({ autoAgent: "sales" });
    await world.deliver(world.open("r", support), world.open("s", '{"agent": "nobody"}'));
    assertEquals(world.sent, ["support in RM_1"]);
  });

  it("does not come where a session is, or is just being sent", async () => {
    const world = webhookWorld({ autoAgent: "sales" });
    const { promise, resolve } = Promise.withResolvers<void>();
    world.rooms.hold = promise;
    const dispatched = world.dispatcher.dispatch({ room: "r" });
    // LiveKit tells of the room before it has answered who asked for it.
    world.rooms.hold = undefined;
    await world.deliver(world.open("r"), world.enter("r", "ann"));
    assertEquals(world.sent, []);
    resolve();
    assertEquals((await dispatched).type, "created");
    await world.clock.settle();
    assertEquals(world.sent, ["support in RM_1"]);
  });

  it("does not come to rooms that others send agents to", async () => {
    const world = webhookWorld({ autoAgent: "sales" });
    await world.deliver(world.open("page-1"), world.enter("page-1", "ann"));
    assertEquals([world.sent, world.rooms.asked], [[], []]);
  });

  it("does not come where an agent was taken away", async () => {
    const world = webhookWorld({ autoAgent: "sales" });
    await world.dispatcher.dispatch({ room: "r" });
    await world.calls[0]?.session.session.close("deleted");
    await world.deliver(world.enter("r", "ann"));
    assertEquals(world.sent, ["support in RM_1"]);
  });
});

describe("an agent and its dispatch", () => {
  for (const order of ["webhook first", "dispatch first"]) {
    it(`are one session: ${order}`, async () => {
      const world = webhookWorld();
      const bodies = [world.open("r", support), world.enter("r", "ann")];
      if (order === "webhook first") await world.deliver(...bodies);
      const result = world.dispatcher.dispatch({ room: "r" });
      if (order === "dispatch first") await world.deliver(...bodies);
      assertEquals((await result).type, order === "webhook first" ? "existing" : "created");
      assertEquals(world.sent, ["support in RM_1"]);
    });
  }
});

describe("webhooks that are told of", () => {
  it("are followed, ignored, repeated or none", async () => {
    const world = webhookWorld();
    const started = world.open("r", support);
    await world.deliver(started, started, world.enter("r", "egress", "EGRESS"), "{");
    assertEquals(world.told, [
      "room_started followed",
      "room_started repeated",
      "participant_joined ignored",
      "none malformed",
    ]);
  });
});

describe("a burst of webhooks", () => {
  it("that are one and the same asks one question, and those of agents, egress and ingress none", async () => {
    const world = webhookWorld();
    const joined = world.enter("r", "ann");
    await world.deliver(joined, joined);
    await world.deliver(
      joined,
      ...["AGENT", "EGRESS", "INGRESS"].map((kind) => world.enter("r", kind, kind)),
    );
    assertEquals(world.rooms.asked, ["find r"]);
    await world.deliver(joined.replace("EV_", "EV_again"));
    assertEquals(world.rooms.asked, ["find r", "find r"]);
  });

  it("of a hundred rooms, ten times each and shuffled, sends one agent to each, in few questions", async () => {
    const world = webhookWorld();
    const bodies = Array.from({ length: 100 }, (_, i) => [
      world.open(`r${i}`, support),
      world.enter(`r${i}`, "ann"),
    ]).flat();
    const burst = Array.from({ length: 10 }, (_, i) => bodies.map((body) => body.replace("EV_", `EV_${i}_`)))
      .flat();
    for (let i = burst.length - 1; i > 0; i--) { // the same shuffle every time
      const j = (i * 7919) % (i + 1);
      [burst[i], burst[j]] = [burst[j]!, burst[i]!];
    }
    await world.deliver(...burst);
    for (let i = 0; i < 100; i++) await world.clock.settle();
    assertEquals(world.sent.length, 100);
    assertEquals(new Set(world.sent).size, 100);
    assertEquals(world.dropped, 0);
    assert(world.rooms.asked.length <= 200, `${world.rooms.asked.length} questions`);
  });

  it("drops the oldest when too many rooms wait, says so, and goes on", async () => {
    const world = webhookWorld();
    const { promise, resolve } = Promise.withResolvers<void>();
    world.rooms.hold = promise;
    const bodies = Array.from({ length: 1_508 }, (_, i) => world.open(`r${i}`, support));
    await world.deliver(...bodies);
    assertEquals(world.dropped, 500);
    assertEquals(world.log.lines.filter(({ level }) => level === "warn").length, 5);
    resolve();
    for (let i = 0; i < 1_000; i++) await world.clock.settle();
    assertEquals(world.sent.length, 1_008);
    assertEquals(world.sent.at(-1), `support in ${world.rooms.open("r1507")}`);
  });

  it("stops at once when it is over", async () => {
    const world = webhookWorld();
    world.rooms.failing = 100;
    await world.deliver(world.open("r", support));
    assertEquals(world.clock.pending, 1);
    await world.webhooks[Symbol.asyncDispose]();
    assertEquals(world.clock.pending, 0);
    await world.deliver(world.open("s", support));
    assertEquals(world.sent, []);
  });
});
