/** The worker at an emulated LiveKit: jobs, loads, and connections that fail. */
import { JobStatus, WorkerStatus } from "@livekit/protocol";
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { defineAgent } from "../../src/agent.ts";
import { createDispatcher, type Dispatcher } from "../../src/dispatch/dispatcher.ts";
import { createWorker } from "../../src/dispatch/worker/worker.ts";
import {
  type AgentServerOptions,
  type EmulatedWorker,
  startAgentServer,
  termination,
} from "../emulators/livekit_agent.ts";
import { until } from "../e2e/caller.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { fakeRooms } from "../fakes/rooms.ts";
import { fakeSessions } from "../fakes/session.ts";

const agent = defineAgent({ instructions: "Be brief." });

async function setUp(
  {
    autoAgent,
    names = ["support"],
    automatic = () => Promise.resolve(undefined),
    maxSessions = 5,
    ...options
  }:
    & Partial<Pick<Parameters<typeof createWorker>[0], "automatic" | "autoAgent">>
    & { readonly names?: readonly string[]; readonly maxSessions?: number }
    & AgentServerOptions = {},
) {
  const clock = fakeClock();
  const log = fakeLog();
  const rooms = fakeRooms();
  const server = await startAgentServer({ clock, ...options });
  const { started, start } = fakeSessions();
  const agents = Object.fromEntries(["support", "sales"].map((name) => [name, agent]));
  const dispatcher = createDispatcher({
    agents,
    defaultAgent: "support",
    start,
    rooms,
    maxSessions,
    clock,
    log,
  });
  const outcomes: string[] = [];
  const load = { is: undefined as number | undefined };
  const shown: Pick<Dispatcher, "dispatch" | "refusal" | "load"> = {
    dispatch: dispatcher.dispatch,
    get refusal() {
      return dispatcher.refusal;
    },
    get load() {
      return load.is ?? dispatcher.load;
    },
  };
  const worker = createWorker({
    livekit: { url: server.wsUrl, apiKey: "key", apiSecret: "a-secret-of-more-than-thirty-two-characters" },
    agents: names,
    autoAgent,
    automatic,
    dispatcher: shown,
    rooms,
    onJob: ({ agent, outcome }) => void outcomes.push(`${agent} ${outcome}`),
    random: () => 0,
    clock,
    log,
  });
  await clock.advance(0);
  const untilRegistered = (count = names.length) =>
    until(() => worker.registered === count, "the registration");
  return {
    ...{ clock, log, rooms, server, dispatcher, worker, started, outcomes, load, untilRegistered },
    async [Symbol.asyncDispose]() {
      worker[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

type Told = EmulatedWorker["told"][number];
/** What the worker told of that kind, in order. */
const told = <Case extends Told["case"]>(worker: EmulatedWorker | undefined, kind: Case) =>
  (worker?.told ?? []).flatMap((one) =>
    one.case === kind ? [one.value as Extract<Told, { readonly case: Case }>["value"]] : []
  );
const statuses = (worker: EmulatedWorker | undefined) =>
  told(worker, "updateJob").map((one) =>
    [one?.jobId, JobStatus[one?.status ?? 0], one?.error].join(" ").trim()
  );

describe("a worker", () => {
  it("registers every name by itself, and the nameless where there is an AUTO_AGENT", async () => {
    await using all = await setUp({ names: ["support", "sales"], autoAgent: "sales" });
    await all.untilRegistered(3);
    const names = all.server.workers.map((one) => told(one, "register")[0]?.agentName);
    assertEquals(names.toSorted(), ["", "sales", "support"]);
    const [, payload = ""] = all.server.workers[0]?.authorization?.split(".") ?? [];
    assertEquals(JSON.parse(atob(payload)).video, { agent: true });
  });

  it("registers agents that are new while it runs, and none that is gone", async () => {
    const names = ["support"];
    await using all = await setUp({ names, autoAgent: "support" });
    await all.untilRegistered(2);
    names.splice(0, 1, "sales", "billing");
    await all.clock.advance(500);
    const registered = () =>
      all.server.workers.filter(({ closed }) => closed === undefined).map((one) =>
        told(one, "register")[0]?.agentName
      )
        .toSorted().join();
    await until(() => registered() === ",billing,sales", "those that there are");
    await all.untilRegistered(3);
  });

  it("takes a job, whose session joins as the job's participant, and succeeds before it leaves", async () => {
    await using all = await setUp();
    await all.untilRegistered();
    const [livekit] = all.server.workers;
    const id = livekit?.offer({ room: "r", agentName: "support", metadata: "m" }) ?? "";
    const session = await until(() => all.started[0], "the session");
    const [answer] = told(livekit, "availability");
    const { request } = session;
    assertEquals(
      [
        answer?.available,
        answer?.participantIdentity,
        answer?.participantName,
        answer?.participantAttributes,
      ],
      [true, `agent-${request.id}`, "support", {
        "lk.agent.name": "support",
        "lk.agent.state": "initializing",
      }],
    );
    assertEquals([request.roomName, request.roomSid, request.metadata], ["r", "RM_r", "m"]);
    const ticket = { sessionId: request.id, token: `token of ${id}`, dispatchId: "AD_1" };
    assertEquals(request.ticket, ticket);
    assertEquals(all.rooms.asked, []);
    session.arrive({ id: "RM_r" });
    await until(() => statuses(livekit).length === 1, "RUNNING");
    await request.onLeave?.("participant-left"); // settles once LiveKit has read it
    assertEquals(statuses(livekit), [`${id} JS_RUNNING`, `${id} JS_SUCCESS`]);
    assertEquals(all.outcomes, ["support created"]);
  });

  it("says in words why a job failed, or its session", async () => {
    await using all = await setUp();
    await all.untilRegistered();
    const [livekit] = all.server.workers;
    const first = livekit?.offer({ room: "r", agentName: "support" });
    (await until(() => all.started[0], "the session")).refuse(new Error("of our own"));
    const second = livekit?.offer({ room: "s", agentName: "support" });
    const session = await until(() => all.started[1], "the session");
    session.arrive({ id: "RM_s" });
    await until(() => statuses(livekit).length === 2, "both");
    await session.request.onLeave?.("error");
    const failure =
      "The agent could not be sent: the agent failed while it was set up; the server's log says why.";
    assertEquals(statuses(livekit), [
      `${first} JS_FAILED ${failure}`,
      `${second} JS_RUNNING`,
      `${second} JS_FAILED The session ended with an error; its report says which.`,
    ]);
  });

  it("lets a second job for the same room succeed, without a second agent", async () => {
    await using all = await setUp();
    await all.untilRegistered();
    const [livekit] = all.server.workers;
    livekit?.offer({ room: "r", agentName: "support", metadata: "one" });
    (await until(() => all.started[0], "the session")).arrive({ id: "RM_r" });
    const second = livekit?.offer({ room: "r", agentName: "support", metadata: "two" });
    await until(() => statuses(livekit).includes(`${second} JS_SUCCESS`), "the second's end");
    assertEquals([all.started.length, all.outcomes], [1, ["support created", "support conflict"]]);
  });

  it("declines what there is no place for, and says that it is full, at once when it drains", async () => {
    await using all = await setUp({ maxSessions: 1 });
    await all.untilRegistered();
    const [livekit] = all.server.workers;
    const loads = () =>
      told(livekit, "updateWorker").map((one) => `${WorkerStatus[one?.status ?? 0]} ${one?.load}`);
    await until(() => loads().length === 1, "the first load");
    livekit?.offer({ room: "r", agentName: "support" });
    (await until(() => all.started[0], "the session")).arrive({ id: "RM_r" });
    await all.clock.advance(500);
    await until(() => loads().length === 2, "the change");
    livekit?.offer({ room: "s", agentName: "support" });
    await until(() => told(livekit, "availability").length === 2, "the answer");
    assertEquals(told(livekit, "availability").map((one) => one?.available), [true, false]);
    assertEquals(all.outcomes.at(-1), "support declined");
    await all.clock.advance(2_500);
    await until(() => loads().length === 3, "the same again");
    assertEquals(loads(), ["WS_AVAILABLE 0", "WS_FULL 1", "WS_FULL 1"]);
    assertEquals(told(livekit, "updateWorker").map((one) => one?.jobCount), [0, 1, 1]);

    void all.dispatcher.drain({ budgetMs: 0 });
    all.worker.report();
    await until(() => loads().length === 4, "the drain");
    assertEquals(loads().at(-1), "WS_FULL 1");
    await all.clock.advance(10_000);
  });

  it("reports a load that differs, and not one that is about the same", async () => {
    await using all = await setUp();
    await all.untilRegistered();
    const loads = () =>
      told(all.server.workers[0], "updateWorker").map((one) => Math.round((one?.load ?? 0) * 100));
    all.load.is = 0.02;
    await all.clock.advance(500);
    all.load.is = 0.3;
    await all.clock.advance(500);
    await until(() => loads().length === 2, "the change");
    assertEquals(loads(), [0, 30]);
  });

  it("ends the session when its dispatch was deleted, and not when its agent is away for a moment", async () => {
    await using all = await setUp();
    await all.untilRegistered();
    const [livekit] = all.server.workers;
    all.rooms.dispatch("r", { id: "AD_1", agent: "support" });
    const id = livekit?.offer({ room: "r", agentName: "support" }) ?? "";
    const session = await until(() => all.started[0], "the session");
    session.arrive({ id: "RM_r" });
    await until(() => statuses(livekit).length === 1, "RUNNING");
    const asked = () => all.rooms.asked.filter((question) => question === "dispatches r").length;
    livekit?.send(termination(id));
    await until(() => asked() === 1, "the question");
    all.rooms.close("r");
    livekit?.send(termination(id));
    await until(() => session.closes.length > 0, "the close");
    assertEquals([asked(), session.closes], [2, ["deleted"]]);
  });

  it("asks what a room that asks for nobody is to have, and lets the job succeed where that is nothing", async () => {
    const answers = [undefined, { room: "r", agent: "support", metadata: "of the room" }];
    await using all = await setUp({
      names: [],
      autoAgent: "support",
      automatic: () => Promise.resolve(answers.shift()),
    });
    await all.untilRegistered(1);
    const [livekit] = all.server.workers;
    const first = livekit?.offer({ room: "r", agentName: "" });
    await until(() => statuses(livekit).length === 1, "the end");
    assertEquals([statuses(livekit), all.outcomes], [[`${first} JS_SUCCESS`], ["support needless"]]);
    livekit?.offer({ room: "r", agentName: "" });
    const { request } = await until(() => all.started[0], "the session");
    assertEquals([request.agentName, request.metadata, request.ticket !== undefined], [
      "support",
      "of the room",
      true,
    ]);
  });
});

describe("a worker's connection", () => {
  it("that is lost again and again is told of once", async () => {
    await using all = await setUp({ fault: (n) => n < 3 ? { type: "refuse" } : undefined });
    await until(async () => {
      await all.clock.advance(250);
      return all.worker.registered === 1;
    }, "the registration");
    const lines = all.log.lines.map(({ message }) => message);
    assertEquals(lines, [
      "not registered with LiveKit, which sends no jobs; it is tried again",
      "registered with LiveKit",
    ]);
  });

  it("that is new is told of the jobs that go on, and of their ends", async () => {
    await using all = await setUp();
    await all.untilRegistered();
    const id = all.server.workers[0]?.offer({ room: "r", agentName: "support" });
    const session = await until(() => all.started[0], "the session");
    session.arrive({ id: "RM_r" });
    await until(() => statuses(all.server.workers[0]).length === 1, "RUNNING");
    all.server.workers[0]?.drop();
    await until(() => all.worker.registered === 0, "the loss");
    await all.clock.advance(500);
    await all.untilRegistered();
    const again = all.server.workers[1];
    await until(() => told(again, "migrateJob").length === 1, "the jobs");
    assertEquals(told(again, "migrateJob")[0]?.jobIds, [id]);
    await session.request.onLeave?.("closed");
    assertEquals(statuses(again), [`${id} JS_SUCCESS`]);
    assertEquals(session.closes, []);
  });

  it("that sends what is no message is left", async () => {
    await using all = await setUp({
      fault: (n) => n === 0 ? { type: "malformed", text: "no protobuf", afterMs: 0 } : undefined,
    });
    await until(() => all.server.workers[0]?.closed !== undefined, "the end");
    await all.clock.advance(500);
    await all.untilRegistered();
  });

  it("is closed with the worker, and leaves no timer", async () => {
    const all = await setUp({ names: ["support", "sales"] });
    await all.untilRegistered(2);
    all.worker[Symbol.dispose]();
    await until(() => all.server.workers.every(({ closed }) => closed === 1000), "the close");
    assertEquals([all.worker.registered, all.clock.pending], [0, 0]);
    await all[Symbol.asyncDispose]();
  });
});
