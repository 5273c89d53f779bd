import { AgentDispatch, ListAgentDispatchResponse } from "@livekit/protocol";
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { mergeLists } from "../../src/supervisor/merge.ts";

const session = (sessionId: string, startedAt: string, endedAt?: string) => ({
  sessionId,
  startedAt,
  room: "r",
  ...(endedAt && { endedAt }),
});

describe("lists of several workers", () => {
  it("are one, in the order in which sessions began; of one that has moved, as it is now", async () => {
    const moved = session("b", "02", "03");
    const answers = [
      Response.json({ sessions: [session("a", "01"), moved] }),
      Response.json({ sessions: [session("d", "04"), session("b", "02"), session("c", "03")] }),
    ];
    const merged = await mergeLists("/sessions", answers);
    assertEquals((await merged.json()).sessions, [
      session("a", "01"),
      session("b", "02"),
      session("c", "03"),
      session("d", "04"),
    ]);
  });

  it("are joined in JSON and in protobuf", async () => {
    const path = "/twirp/livekit.AgentDispatchService/ListDispatch";
    const json = ["a", "b"].map((id) => Response.json({ agent_dispatches: [{ id }] }));
    assertEquals(await (await mergeLists(path, json)).json(), {
      agent_dispatches: [{ id: "a" }, { id: "b" }],
    });
    const binary = [["a"], [], ["b", "c"]].map((ids) => {
      const agentDispatches = ids.map((id) => new AgentDispatch({ id }));
      const body = new Uint8Array(new ListAgentDispatchResponse({ agentDispatches }).toBinary());
      return new Response(body, { headers: { "content-type": "application/protobuf" } });
    });
    const merged = await mergeLists(path, binary);
    assertEquals(merged.headers.get("content-type"), "application/protobuf");
    const { agentDispatches } = ListAgentDispatchResponse.fromBinary(
      new Uint8Array(await merged.arrayBuffer()),
    );
    assertEquals(agentDispatches.map(({ id }) => id), ["a", "b", "c"]);
  });

  it("are those that were answered; a refusal when there is nothing else", async () => {
    const refused = () => new Response("no", { status: 401 });
    const one = await mergeLists("/sessions", [refused(), Response.json({ sessions: [] })]);
    assertEquals([one.status, await one.json()], [200, { sessions: [] }]);
    const none = await mergeLists("/sessions", [refused(), refused()]);
    assertEquals([none.status, await none.text()], [401, "no"]);
  });
});
