import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Webhook } from "standardwebhooks";
import type { SessionReport } from "../../src/telemetry/report.ts";
import { createReportWebhook, type ReportWebhookOptions } from "../../src/telemetry/report_webhook.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";

const secret = `whsec_${btoa("a secret of thirty-two bytes....")}`;
const url = "https://crm.example/hidden-in-the-address?key=hidden-in-the-address";

const report = (sessionId = "session_1"): SessionReport => ({
  sessionId,
  room: "r",
  roomSid: "RM_1",
  agent: "support",
  state: "closed",
  closeReason: "participant-left",
  startedAt: "2026-01-01T00:00:00.000Z",
  endedAt: "2026-01-01T00:01:00.000Z",
  durationMs: 60_000,
  transcript: [{ id: "item-1", role: "user", text: "Grüß Gott", interrupted: false, atMs: 0 }],
  turns: [],
  interruptions: 0,
  falseInterruptions: 0,
  stalls: 0,
  resumed: 0,
  handoffs: [],
  speculation: { prepared: 0, kept: 0, wasted: { inputTokens: 0, outputTokens: 0 } },
  usage: [],
  cost: { currency: "USD", total: 0, unpriced: [] },
  errors: [],
  droppedEvents: 0,
});

/** What the receiver makes of a try; it hangs for ever when it is "hang". */
type Answer = number | Error | "hang" | Response;

/** A webhook whose receiver gives `answers` in order, the last one again. */
function setUp(answers: readonly Answer[], options: Partial<ReportWebhookOptions> = {}) {
  const clock = fakeClock();
  const log = fakeLog();
  const requests: { readonly atMs: number; readonly url: string; readonly init: RequestInit }[] = [];
  const fetch: typeof globalThis.fetch = (input, init = {}) => {
    const answer = answers[Math.min(requests.length, answers.length - 1)];
    requests.push({ atMs: clock.now(), url: String(input), init });
    if (answer instanceof Error) return Promise.reject(answer);
    if (answer instanceof Response) return Promise.resolve(answer.clone());
    if (typeof answer === "number") return Promise.resolve(new Response(null, { status: answer }));
    return new Promise((_, reject) =>
      init.signal?.addEventListener("abort", () => reject(init.signal?.reason))
    );
  };
  const webhook = createReportWebhook({ url, secret, fetch, random: () => 0, clock, log, ...options });
  return { webhook, requests, clock, log };
}

const headersOf = ({ init }: { readonly init: RequestInit }) => Object.fromEntries(new Headers(init.headers));
const levels = ({ lines }: ReturnType<typeof fakeLog>) => lines.map(({ level }) => level);

describe("the report webhook", () => {
  it("posts the report as an event, signed so that Standard Webhooks verifies it", async () => {
    const { webhook, requests, log } = setUp([204]);
    webhook.post(report());
    assertEquals(webhook.waiting, 1);
    await webhook.idle();
    assertEquals([requests.length, webhook.waiting, levels(log)], [1, 0, ["info"]]);
    const [request] = requests;
    assertEquals([request?.url, request?.init.method, request?.init.redirect], [url, "POST", "manual"]);
    const headers = headersOf(request!);
    assertEquals([headers["content-type"], headers["webhook-id"]], ["application/json", "report_session_1"]);
    const body = String(request?.init.body);
    assertEquals(new Webhook(secret).verify(body, headers), {
      type: "session.ended",
      timestamp: "2026-01-01T00:01:00.000Z",
      data: report(),
    });
  });

  const finals: [what: string, answer: Answer][] = [
    ["400", 400],
    ["401", 401],
    ["410", 410],
    ["a redirect", 302],
  ];
  for (const [what, answer] of finals) {
    it(`takes ${what} for an answer`, async () => {
      const { webhook, requests, log } = setUp([answer]);
      webhook.post(report());
      await webhook.idle();
      assertEquals([requests.length, levels(log)], [1, ["error"]]);
    });
  }

  const passing: [what: string, answer: Answer][] = [
    ["500", 500],
    ["503", 503],
    ["429", 429],
    ["a network failure", new TypeError(`error sending request for url (${url})`)],
  ];
  for (const [what, answer] of passing) {
    it(`tries again after ${what}, under the same id`, async () => {
      const { webhook, requests, clock, log } = setUp([answer, 200]);
      webhook.post(report());
      await clock.advance(999);
      assertEquals(requests.length, 1);
      await clock.advance(1);
      await webhook.idle();
      assertEquals(requests.map((request) => headersOf(request)["webhook-id"]), [
        "report_session_1",
        "report_session_1",
      ]);
      assertEquals([levels(log), clock.pending], [["warn", "info"], 0]);
      assert(!JSON.stringify(log.lines).includes("hidden-in-the-address"), "the log holds the whole address");
    });
  }

  it("waits twice as long after each try, up to a minute, and gives up after eight", async () => {
    const { webhook, requests, clock, log } = setUp([500]);
    webhook.post(report());
    await clock.advance(600_000);
    await webhook.idle();
    assertEquals(requests.map(({ atMs }) => atMs / 1000), [0, 1, 3, 7, 15, 31, 63, 123]);
    assertEquals([levels(log).at(-1), clock.pending], ["error", 0]);
  });

  it("takes up to half of each wait away by chance", async () => {
    const { webhook, requests, clock } = setUp([500, 200], { random: () => 0.999 });
    webhook.post(report());
    await clock.advance(501);
    await webhook.idle();
    assertEquals(requests.length, 2);
  });

  const asked: [header: string, waitMs: number][] = [
    ["7", 7_000],
    ["0", 1_000],
    ["nonsense", 1_000],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 1_000],
    ["999999", 300_000],
  ];
  for (const [header, waitMs] of asked) {
    it(`waits ${waitMs / 1000} s when the receiver asks for ${JSON.stringify(header)}`, async () => {
      const busy = new Response(null, { status: 429, headers: { "retry-after": header } });
      const { webhook, requests, clock } = setUp([busy, 200]);
      webhook.post(report());
      await clock.advance(waitMs - 1);
      assertEquals(requests.length, 1);
      await clock.advance(1);
      await webhook.idle();
      assertEquals(requests.length, 2);
    });
  }

  it("gives a try 10 s", async () => {
    const { webhook, requests, clock } = setUp(["hang", 200]);
    webhook.post(report());
    await clock.advance(10_999);
    assertEquals(requests.length, 1);
    await clock.advance(1);
    await webhook.idle();
    assertEquals([requests.length, clock.pending], [2, 0]);
  });

  it("tells what became of each try, and of what nobody takes", async () => {
    const outcomes: string[] = [];
    const options = { onPost: (outcome: string) => void outcomes.push(outcome), maxWaiting: 0 };
    const { webhook, clock } = setUp([503, 200, 400, "hang"], options);
    webhook.post(report("a"));
    await clock.advance(1_000);
    webhook.post(report("b"));
    await webhook.idle();
    assertEquals(outcomes, ["failed", "arrived", "given-up"]);
    for (const id of ["c", "d", "e", "f", "g"]) webhook.post(report(id));
    assertEquals(outcomes, ["failed", "arrived", "given-up", "given-up"]);
    const over = webhook.idle();
    await clock.advance(600_000);
    await over;
  });

  it("has four under way at a time, and gives up the oldest when too many wait", async () => {
    const { webhook, requests, clock, log } = setUp(["hang", "hang", "hang", "hang", 200], { maxWaiting: 2 });
    for (const id of ["a", "b", "c", "d", "e", "f", "g"]) webhook.post(report(id));
    assertEquals([requests.length, webhook.waiting], [4, 6]);
    assertEquals(log.lines.map(({ fields }) => fields.sessionId), ["e"]);
    await clock.advance(20_000);
    await webhook.idle();
    const ids = requests.map((request) => headersOf(request)["webhook-id"]);
    assertEquals(ids.slice(4).toSorted(), ["a", "b", "c", "d", "f", "g"].map((id) => `report_${id}`));
  });
});
