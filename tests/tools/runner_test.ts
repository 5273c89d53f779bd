import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { z } from "zod";
import { tool, type ToolContext, type ToolDefinition } from "../../src/tool.ts";
import { pendingWords } from "../../src/tools/result.ts";
import { call, world } from "./world.ts";

type Context = ToolContext<{ readonly data: string[] }>;
const parameters = z.object({ n: z.number().describe("A number") });

/** A tool of one number. */
const of = (
  execute: (args: { readonly n: number }, ctx: Context) => unknown,
  more: Partial<ToolDefinition<typeof parameters, Context["userdata"]>> = {},
) => tool({ description: "Does it", parameters, effect: "none", execute, ...more });

describe("a runner of tools", () => {
  it("hands back what each tool returned, in the order of the calls", async () => {
    const { run, clock, results, items } = world();
    const slow = of(async ({ n }) => (await clock.sleep(n), { waited: n }));
    const running = run({ slow }, [call("a", "slow", { n: 300 }), call("b", "slow", { n: 100 })]);
    await clock.advance(300);
    assertEquals((await running).map(({ callId, outcome, content }) => [callId, outcome, content]), [
      ["a", "done", '{"waited":300}'],
      ["b", "done", '{"waited":100}'],
    ]);
    assertEquals(clock.now(), 300, "both ran at the same time");
    assertEquals(results.map(({ callId, late }) => [callId, late]), [["b", false], ["a", false]]);
    assertEquals(items.map(({ type }) => type), ["tool-call", "tool-call", "tool-result", "tool-result"]);
    assertEquals(clock.pending, 0);
  });

  const returned: [what: string, value: unknown, content: string | RegExp][] = [
    ["text", "as it stands", "as it stands"],
    ["no text", "", '""'],
    ["nothing", undefined, "Done."],
    ["null", null, "null"],
    ["a date", new Date(0), '"1970-01-01T00:00:00.000Z"'],
    ["a function", () => {}, "Done; the result is a function, which cannot be shown."],
    ["a big integer", 1n, /^Done, but the result cannot be shown: .+BigInt/],
    ["too much", "x".repeat(20_000), /^x{16000}… \(the first 16,000 of 20,000 characters\)$/],
    ["half a character", "x".repeat(15_999) + "😀".repeat(9), /^x{15999}\ufffd…/],
  ];
  for (const [what, value, content] of returned) {
    it(`tells the model of what is returned: ${what}`, async () => {
      const [result] = await world().run({ get: of(() => value) }, [call("a", "get", { n: 1 })]);
      assertEquals([result?.outcome, result?.value], ["done", value]);
      if (typeof content === "string") assertEquals(result?.content, content);
      else assertMatch(result?.content ?? "", content);
    });
  }

  it("tells the model in words what went wrong, and nothing else is touched by it", async () => {
    const { run, errors } = world();
    let ran = 0;
    const tools = {
      good: of(() => ++ran),
      bad: of(() => {
        throw new Error("the weather service is down");
      }),
      worse: of(() => Promise.reject("no")),
    };
    const results = await run(tools, [
      call("1", "bad", { n: 1 }),
      call("2", "worse", { n: 1 }),
      call("3", "good", { n: "one" }),
      { id: "4", name: "good", arguments: undefined, malformed: '{"n": ' },
      call("5", "toString", {}),
      call("6", "good", { n: 1 }),
    ]);
    const expected: [outcome: string, content: RegExp][] = [
      ["failed", /^This failed: the weather service is down$/],
      ["failed", /^This failed: no$/],
      ["invalid", /^Nothing was done: the arguments are wrong \(n: .*expected number.*\)/],
      ["invalid", /^Nothing was done: the arguments are no JSON/],
      ["invalid", /^There is no tool "toString"; there are: "good", "bad", "worse"\.$/],
      ["done", /^1$/],
    ];
    for (const [i, [outcome, content]] of expected.entries()) {
      assertEquals(results[i]?.outcome, outcome);
      assertMatch(results[i]?.content ?? "", content);
    }
    assertEquals(errors.map(({ stage, message }) => [stage, message]), [
      ["agent", 'the tool "bad" failed: the weather service is down'],
      ["agent", 'the tool "worse" failed: no'],
    ]);
  });

  it("refuses what was called with the same arguments ten times within a minute", async () => {
    const { run, clock } = world();
    let ran = 0;
    const hangUp = of(() => ++ran);
    const again = async (n: number, count: number) => {
      const outcomes: string[] = [];
      for (let i = 0; i < count; i++) {
        await clock.advance(1_000);
        const [result] = await run({ hangUp }, [call(`${n}-${clock.now()}`, "hangUp", { n })]);
        outcomes.push(result?.outcome === "done" ? "done" : result?.content ?? "");
      }
      return outcomes;
    };
    const done = Array<string>(10).fill("done");
    const first = await again(1, 12);
    assertEquals(first.slice(0, 10), done);
    for (const words of first.slice(10)) assertMatch(words, /^Nothing was done: .+ 10 times within a minute/);
    assertEquals(await again(2, 1), ["done"], "other arguments are another call");
    await clock.advance(60_000);
    assertEquals(await again(1, 10), done, "that was long ago");
    assertEquals(ran, 21);
  });

  it("hands tools the session, the user's data and a way to talk to them", async () => {
    const w = world();
    const keys: string[] = [];
    const look = of(async (_, ctx) => {
      ctx.userdata.data.push(ctx.callId);
      keys.push(ctx.idempotencyKey);
      ctx.progress("Still looking…");
      ctx.progress("  ");
      ctx.disallowInterruptions();
      await w.clock.sleep(10);
      setLater = ctx;
      return ctx.session.id;
    });
    let setLater: Context | undefined;
    const running = w.run({ look }, [call("a", "look", { n: 1 }), call("b", "look", { n: 2 })]);
    await w.clock.advance(10);
    assertEquals((await running).map(({ content }) => content), ["session-1", "session-1"]);
    assertEquals([w.said, w.kept, w.host.userdata.data], [["Still looking…", "Still looking…"], 2, [
      "a",
      "b",
    ]]);
    assert(keys[0]?.startsWith("session-1:turn-1:look:") && keys[0] !== keys[1]);
    setLater?.progress("Too late");
    setLater?.disallowInterruptions();
    assertEquals([w.said.length, w.kept], [2, 2]);
  });

  it("stops what takes too long, and says so", async () => {
    const { run, clock, errors } = world();
    let aborted: unknown;
    const hang = of((_, { signal }) => {
      signal.addEventListener("abort", () => aborted = signal.reason);
      return new Promise(() => {});
    }, { timeoutMs: 2_000 });
    const byDefault = of(() => new Promise(() => {}), { effect: "idempotent" });
    const running = run({ hang, byDefault }, [call("a", "hang", { n: 1 }), call("b", "byDefault", { n: 1 })]);
    await clock.advance(2_000);
    assertEquals(String(aborted), 'StageError: the tool "hang" took longer than 2 s');
    await clock.advance(13_000);
    assertEquals((await running).map(({ outcome, content }) => [outcome, content]), [
      ["timed-out", "This took longer than 2 s and was stopped: there is no result."],
      ["timed-out", "This took longer than 15 s and was stopped: there is no result."],
    ]);
    assertEquals(errors.length, 2);
    assertEquals(clock.pending, 0);
  });

  it("waits anew at each sign that the work goes on, two minutes in all", async () => {
    const { run, clock } = world();
    const beats = (count: number) => async (_: unknown, { heartbeat }: Context) => {
      for (let beat = 0; beat < count; beat++) {
        await clock.sleep(10_000);
        heartbeat();
      }
      return "done after all";
    };
    const tools = { long: of(beats(4)), endless: of(beats(100)) };
    const running = run(tools, [call("a", "long", { n: 1 }), call("b", "endless", { n: 1 })]);
    await clock.advance(119_999);
    assertEquals(clock.pending > 0, true);
    await clock.advance(1);
    assertEquals((await running).map(({ outcome, content }) => [outcome, content]), [
      ["done", "done after all"],
      ["timed-out", "This took longer than 15 s and was stopped: there is no result."],
    ]);
    await clock.advance(1_000_000);
    assertEquals(clock.pending, 0);
  });

  for (const effect of ["none", "idempotent"] as const) {
    it(`stops a tool of effect "${effect}" as soon as the user interrupts`, async () => {
      const { run, clock, runner, said } = world();
      const interruption = new AbortController();
      let reason: unknown;
      const wait = of(async (_, ctx) => {
        await clock.sleep(5_000, { signal: ctx.signal }).catch((error) => reason = error);
        ctx.progress("What is said now is not wanted");
        return "too late";
      }, { effect });
      const running = run({ wait }, [call("a", "wait", { n: 1 })], { signal: interruption.signal });
      await clock.advance(100);
      assertEquals(runner.resultOf("a")?.outcome, "running");
      interruption.abort("barge-in");
      assertEquals(runner.resultOf("a")?.outcome, "cancelled", "at this very moment");
      assertMatch((await running)[0]?.content ?? "", /was cut off.+cancelled/);
      await clock.settle();
      assertEquals([reason, said, clock.pending], ["barge-in", [], 0]);
    });
  }
});

describe('a tool of effect "once"', () => {
  /** Counts how often it was done, and takes `ms`. */
  const once = (w: ReturnType<typeof world>, ms: number, more: object = {}) => {
    const done: number[] = [];
    const signals: AbortSignal[] = [];
    const order = of(async ({ n }, { signal }) => {
      signals.push(signal);
      done.push(n);
      await w.clock.sleep(ms);
      return `order ${n}`;
    }, { effect: "once", ...more });
    return { done, signals, tools: { order } };
  };

  it("goes on when the user interrupts, and its result comes into the history", async () => {
    const w = world();
    const interruption = new AbortController();
    const { done, signals, tools } = once(w, 5_000);
    const running = w.run(tools, [call("a", "order", { n: 1 })], { signal: interruption.signal });
    await w.clock.advance(100);
    interruption.abort();
    assertEquals((await running).map(({ outcome }) => outcome), ["running"]);
    const told = () =>
      w.prompt("And?").flatMap((message) => message.role === "tool" ? [message.content] : []);
    assertMatch(told()[0] ?? "", /still running.+Do not call it again/);
    await w.clock.advance(4_900);
    assertEquals(told(), ["order 1"]);
    assertEquals([done, signals[0]?.aborted], [[1], false]);
    assertEquals(w.results.map(({ outcome, late }) => [outcome, late]), [["done", true]]);
    assertEquals(w.clock.pending, 0);
  });

  it("is not waited for longer than it may take, and not stopped", async () => {
    const w = world();
    const { signals, tools } = once(w, 5_000, { timeoutMs: 1_000 });
    const running = w.run(tools, [call("a", "order", { n: 1 })]);
    await w.clock.advance(1_000);
    const [result] = await running;
    assertEquals(result?.outcome, "running");
    assertMatch(result?.content ?? "", /longer than 1 s.+Do not call it again/);
    await w.clock.advance(4_000);
    assertEquals([w.runner.resultOf("a")?.content, signals[0]?.aborted, w.errors], ["order 1", false, []]);
    const before = [{ role: "tool", callId: "a", content: pendingWords }] as const;
    assertEquals(w.runner.updated(before), [{ role: "tool", callId: "a", content: "order 1" }]);
  });

  it("is done once for the same arguments in a turn, however often it is called", async () => {
    const w = world();
    const { done, tools } = once(w, 1_000);
    const { order } = tools;
    const many = of(() => 1, { effect: "once", parameters: z.object({}) as never });
    const first = w.run(tools, [call("a", "order", { n: 1 }), call("b", "order", { n: 1 })]);
    const again = w.run(tools, [call("c", "order", { n: 1 }), call("d", "order", { n: 2 })]);
    await w.clock.advance(1_000);
    const later = await w.run(tools, [call("e", "order", { n: 1 })]);
    const contents = [await first, await again, later].flat().map(({ content }) => content);
    const twice = "order 1 (This was called twice with the same arguments, and done once.)";
    assertEquals(contents, ["order 1", twice, twice, "order 2", twice]);
    assertEquals(done, [1, 2]);
    const nextTurn = w.run({ order, many }, [
      call("f", "order", { n: 1 }),
      call("g", "many", { x: 1, y: [{ a: 1, b: 2 }] }),
      call("h", "many", { y: [{ b: 2, a: 1 }], x: 1 }),
    ], { turnId: "turn-2" });
    await w.clock.advance(1_000);
    assertEquals((await nextTurn).map(({ content }) => content.slice(0, 7)), ["order 1", "1", "1 (This"]);
    assertEquals(done, [1, 2, 1]);
  });

  it("is not done when the user interrupts before it has begun", async () => {
    const w = world({ answers: (_, signal) => w.clock.sleep(1_000, { signal }).then(() => true) });
    const { done, tools } = once(w, 0, { confirm: true });
    const interruption = new AbortController();
    const running = w.run(tools, [call("a", "order", { n: 1 })], { signal: interruption.signal });
    await w.clock.advance(500);
    interruption.abort();
    assertEquals((await running).map(({ outcome }) => outcome), ["cancelled"]);
    const again = w.run(tools, [call("b", "order", { n: 1 })]);
    await w.clock.advance(1_000);
    assertEquals([(await again)[0]?.content, done], ["order 1", [1]]);
    assertEquals(w.clock.pending, 0);
  });

  it("is told when the session ends, and has 2 s to finish", async () => {
    const w = world();
    const { done, signals, tools } = once(w, 1_500);
    const hang = of(() => new Promise(() => {}), { effect: "once" });
    void w.run({ ...tools, hang }, [call("a", "order", { n: 1 }), call("b", "hang", { n: 1 })]);
    await w.clock.advance(10);
    w.ended.abort("closed");
    let idle = false;
    void w.runner.idle().then(() => idle = true);
    assertEquals([signals[0]?.reason, done], ["closed", [1]]);
    await w.clock.advance(1_999);
    assertEquals([w.runner.resultOf("a")?.content, idle], ["order 1", false]);
    await w.clock.advance(1);
    assertMatch(w.runner.resultOf("b")?.content ?? "", /whether it was done is not known/);
    assertEquals([idle, w.clock.pending], [true, 0]);
    const [after] = await w.run(tools, [call("c", "order", { n: 3 })]);
    assertEquals([after?.outcome, done], ["cancelled", [1]]);
  });
});

describe("a tool that asks first", () => {
  const asks = (done: number[], confirm: true | ((args: { readonly n: number }) => string)) =>
    of(({ n }) => void done.push(n), { effect: "once", confirm });

  it("is done when the user agrees, and time begins then", async () => {
    const w = world({ answers: () => w.clock.sleep(60_000).then(() => true) });
    const done: number[] = [];
    const running = w.run({ pay: asks(done, ({ n }) => `Pay ${n} dollars?`) }, [call("a", "pay", { n: 5 })]);
    await w.clock.advance(60_000);
    assertEquals([(await running)[0]?.outcome, done], ["done", [5]]);
    assertEquals(w.asked, [
      { callId: "a", name: "pay", description: "Does it", arguments: { n: 5 }, question: "Pay 5 dollars?" },
    ]);
  });

  it("is not done when they do not agree, or cannot be asked", async () => {
    const done: number[] = [];
    const no = world({ answers: () => Promise.resolve(false) });
    const [declined] = await no.run({ pay: asks(done, true) }, [call("a", "pay", { n: 5 })]);
    assertEquals([declined?.outcome, no.asked[0]?.question], ["declined", undefined]);
    assertMatch(declined?.content ?? "", /did not agree/);
    const gone = world({ answers: () => Promise.reject(new Error("nobody is there")) });
    const [failed] = await gone.run({ pay: asks(done, true) }, [call("a", "pay", { n: 5 })]);
    assertEquals([failed?.outcome, failed?.content], ["failed", "This failed: nobody is there"]);
    assertEquals(done, []);
  });

  it("is not even asked about with arguments that are wrong", async () => {
    const w = world();
    const [result] = await w.run({ pay: asks([], true) }, [call("a", "pay", { n: "5" })]);
    assertEquals([result?.outcome, w.asked], ["invalid", []]);
  });
});
