/** A whole call in a test: a session in a room without a network, on a clock that the test moves. */
import type { Agent } from "../agent.ts";
import type { AudioFrame } from "../audio/frame.ts";
import type { Equipped } from "../charge.ts";
import { turnTakingFor } from "../dispatch/turn_taking.ts";
import type { SessionEvent } from "../events.ts";
import type { LanguageModel } from "../llm/llm.ts";
import { silentLog } from "../log.ts";
import { memoryRoom } from "../room/memory.ts";
import { type Providers, startSession } from "../session.ts";
import { virtualClock } from "../virtual_clock.ts";
import { problemsOf } from "./checks.ts";
import { expectations, failWith } from "./expect.ts";
import { judged, judgeModel } from "./judge.ts";
import { earsFor, openMicrophone } from "./microphone.ts";
import { inRealTime, realWork } from "./real_time.ts";
import { scriptedSpeechToText, type Utterance } from "./recognizer.ts";
import type { ActOptions, TestCall, TestCallOptions } from "./test_call.ts";
import { mocked, toolsInTest } from "./tools.ts";
import { transcriptOf } from "./transcript.ts";
import { scriptedTextToSpeech } from "./voice.ts";
import { watch } from "./watch.ts";

const msPerWord = 300;
/** Nothing in a call takes longer: milliseconds. */
const longestMs = 180_000;
/** A turn is over this long after the longest delay, in milliseconds. */
const overdueMs = 1_000;

/**
 * Calls `agent`; settles when it has said what it says first. Rejects when its `entry` does.
 *
 * ```ts
 * await using call = await testCall(agent, {
 *   llm: scripted([{ toolCalls: [{ name: "lookupOrder", arguments: { orderId: "42" } }] }, "It was shipped."]),
 *   tools: { lookupOrder: () => "shipped" },
 * });
 * await call.user("Where is my order 42?");
 * call.expect.toolCall("lookupOrder", { orderId: "42" });
 * call.expect.said(/shipped/);
 * ```
 */
export async function testCall(agent: Agent, options: TestCallOptions = {}): Promise<TestCall> {
  const {
    llm = agent.llm,
    tools: mocks = {},
    metadata = "",
    people = ["caller"],
    voicings = [],
    speculate = false,
    log = silentLog,
  } = options;
  const clock = virtualClock();
  const { participants = "linked" } = agent;
  const room = memoryRoom({ name: "test", clock, participants, shows: options.shows });
  const work = realWork();
  const script = typeof llm === "function" ? llm(clock) : undefined;
  const model = script ?? realModel(llm);
  const ears = await earsFor(options.vad, agent.vad);
  const utterances: Utterance[] = [];
  const microphones = new Map(people.map((identity, voice) => {
    const hear = (frame: AudioFrame) => room.hear(frame, participants === "all" ? identity : undefined);
    return [identity, openMicrophone(hear, clock, { voice, utterances })];
  }));
  const providers: Providers = {
    vad: ears.vad,
    stt: scriptedSpeechToText(utterances, clock),
    llm: script ?? inRealTime(model, work),
    tts: scriptedTextToSpeech(voicings, clock),
  };
  /** All agents of the call speak with one voice, and are answered for by one model. */
  const equip = (next: Agent): Equipped => ({
    agent: { ...next, mcpServers: [], tools: mocked(toolsInTest(next, mocks), mocks, clock, work) },
    agentName: next.name ?? (next === agent ? "test" : "agent"),
    providers,
    turnTaking: turnTakingFor(next, { endpointing: {}, interruption: {}, speculate }),
  });
  const first = equip(agent);
  const { turnTaking } = first;
  const { session, joined } = startSession({
    id: "test",
    ...first,
    agent: { ...first.agent, ...("userdata" in options && { userdata: () => options.userdata }) },
    equip,
    maxCallMs: agent.maxCallMs,
    join: () => Promise.resolve(room),
    metadata,
    clock,
    log,
  });
  const watched = watch(session);
  const { events } = watched;
  const known = new Set<SessionEvent>();
  /** The first event that expectations look at. */
  let from = 0;
  /** It has been said what is wrong. */
  let failed = false;
  const fail = (problem: string): never => {
    failed = true;
    return failWith(problem, events);
  };

  /** Moves time on until `isOver`, for `ms` at the most; returns whether it is. */
  const pass = async (isOver: () => boolean, ms: number): Promise<boolean> => {
    const untilMs = clock.now() + ms;
    await clock.settle();
    for (;;) {
      await ears.caughtUp();
      if (script?.problem !== undefined && !failed) {
        failed = true;
        throw script.problem;
      }
      if (isOver()) return true;
      // While the agent speaks or listens, time goes on whatever is done meanwhile.
      if (session.state === "thinking") {
        const paused = await work.pace(Math.min(clock.nextMs, untilMs) - clock.now());
        if (paused) await clock.settle();
        if (isOver()) return true;
      }
      if (!await clock.step(untilMs)) {
        await clock.advance(untilMs - clock.now());
        return isOver();
      }
    }
  };
  const rest = async ({ until = "rest" }: ActOptions = {}): Promise<void> => {
    const isOver = () => watched.isAtRest || (until === "speaking" && session.state === "speaking");
    if (!await pass(isOver, longestMs)) fail(`the agent was still ${session.state} after ${longestMs} ms`);
    if (until === "speaking" && session.state !== "speaking") {
      fail("expected the agent to speak; it has nothing to say");
    }
  };
  const begin = (act: string) => {
    if (session.state === "closed") fail(`${act}: the call has ended`);
    from = events.length;
  };
  const isTaken = () =>
    session.state === "closed" || events.slice(from).some(({ type }) => type === "user-speech-committed");
  /** Waits for what the user has said until `endMs` to be a turn, or to be none. */
  const hear = async (endMs: number, options: ActOptions): Promise<void> => {
    const decidedMs = endMs + turnTaking.endpointing.maxDelayMs + overdueMs;
    await pass(() => isTaken() || (clock.now() >= decidedMs && watched.isAtRest), longestMs);
    await rest(options);
  };

  /** The one who acts, and their microphone. */
  const actor = ({ as = people[0] ?? "" }: ActOptions = {}) => {
    const microphone = microphones.get(as);
    if (microphone) return { identity: as, microphone };
    throw new Error(`${JSON.stringify(as)} is not in the call; expected one of ${people.join(", ")}`);
  };

  const call: TestCall = {
    session,
    room,
    clock,
    events,
    get history() {
      return session.history;
    },
    expect: expectations({
      session,
      events,
      from: () => from,
      onExpected: (event) => known.add(event),
      fail,
    }),
    async user(text, options) {
      const { identity } = actor(options);
      begin("user()");
      const from = participants === "all" ? { identity, name: identity } : undefined;
      room.tell({ type: "text", text, from });
      await pass(isTaken, longestMs);
      await rest(options);
    },
    async speak(text, { durationMs = (text.match(/\S+/g)?.length ?? 0) * msPerWord, ...options } = {}) {
      if (ears.real) {
        throw new Error('speak(): the call is one with vad: "silero"; expected sound, by userAudio()');
      }
      const { microphone } = actor(options);
      begin("speak()");
      await hear(microphone.say(text, durationMs), options);
    },
    async userAudio(sound, text, options = {}) {
      if (!ears.real) {
        throw new Error(
          'userAudio(): the call hears no real sound; expected testCall(agent, { vad: "silero" })',
        );
      }
      const { microphone } = actor(options);
      begin("userAudio()");
      await hear(microphone.play(sound, text), options);
    },
    async interrupt(text, options) {
      if (session.state !== "speaking") {
        fail(`interrupt(): the agent is ${session.state}; expected it to be speaking`);
      }
      await call.speak(text, options);
    },
    async wait(ms) {
      await pass(() => false, ms);
    },
    async until(work) {
      let settled = false;
      const settle = () => void (settled = true);
      work.then(settle, settle);
      if (!await pass(() => settled, longestMs)) fail(`until(): it has not settled after ${longestMs} ms`);
      return await work;
    },
    async hangUp() {
      begin("hangUp()");
      room.end("participant-left");
      await pass(() => watched.isOver, longestMs);
    },
    async judge(criterion) {
      const judge = options.judge ?? await judgeModel();
      if (!judge) {
        console.log(`judge: skipped, since no key is set (OPENAI_API_KEY): ${criterion}`);
        return { outcome: "skipped", reason: "no key is set" };
      }
      const verdict = await judged(judge, transcriptOf(events), criterion);
      if (verdict.outcome === "failed") fail(`the judge does not find that ${criterion}: ${verdict.reason}`);
      return verdict;
    },
    async [Symbol.asyncDispose]() {
      const wasFailed = failed;
      failed = true; // what is wrong from now on is told below, all of it
      if (!watched.isOver) void session.close();
      await pass(() => watched.isOver, longestMs);
      for (const microphone of microphones.values()) microphone[Symbol.dispose]();
      if (wasFailed) return;
      if (script?.problem !== undefined) throw script.problem;
      const problems = problemsOf(events, session.history, known);
      if (problems.length > 0) failWith(problems.join("\n"), events);
    },
  };
  for (const identity of people) room.enter(identity);
  await pass(() => true, 0);
  await call.until(joined);
  await rest();
  return call;
}

function realModel(llm: TestCallOptions["llm"] | Agent["llm"]): LanguageModel {
  if (typeof llm === "object" && "generate" in llm) return llm;
  throw new TypeError(
    "testCall(): the agent has no model of its own; expected `llm: scripted([…])`, or a model",
  );
}
