/** Runs a script through a whole session on the fake clock, and writes down what happened and when. */
import { type Agent, type AgentDefinition, defineAgent } from "../../src/agent.ts";
import { collectEmail } from "../../src/collect.ts";
import { turnTakingFor } from "../../src/dispatch/turn_taking.ts";
import type { SessionEvent } from "../../src/events.ts";
import { type MemoryRoom, memoryRoom, type PlayedSpan } from "../../src/room/memory.ts";
import { type RunningSession, type SessionOptions, startSession } from "../../src/session.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";
import { lateClock, type Stalls } from "../fakes/late_clock.ts";
import { silentLog } from "../fakes/log.ts";
import { scriptedLanguageModel, scriptedSpeechToText, scriptedTextToSpeech } from "../fakes/providers.ts";
import { frameMs, loudnessDetector, microphoneFrame } from "../fakes/speech.ts";
import { tool } from "../../src/tool.ts";
import type { SpeechHandle } from "../../src/voice_session.ts";
import type { Happening, Script, ScriptedTool } from "./script.ts";

export interface Outcome {
  /** One line an event, in order: seconds, what happened. */
  readonly lines: readonly string[];
  /** Timers that the session left behind. */
  readonly pending: number;
}

/**
 * Plays `script` from its first line to its end, and ends the session; `start`: what starts it; `stalls`: when its machine, not
 * those of the providers, is busy.
 */
export async function runScript(
  script: Script,
  start: (options: SessionOptions) => RunningSession = startSession,
  stalls: Stalls = [],
): Promise<Outcome> {
  const clock = fakeClock();
  const ownClock = lateClock(clock, stalls);
  const { people } = script;
  const participants = people.length > 0 ? "all" : "linked";
  const room = memoryRoom({ name: "golden", clock: ownClock, participants });
  const stt = scriptedSpeechToText(script.utterances, clock);
  const results: string[] = [];
  const { options } = script;
  /** How the agents take turns, all of them. */
  const turnTaking: Partial<AgentDefinition> = {
    endpointing: { minDelayMs: options.min, maxDelayMs: options.max, mode: options.mode },
    interruption: {
      allowed: options.allowed,
      minDurationMs: options.interrupt,
      minWords: options.words,
    },
    turnDetection: options.detection,
  };
  const others = (name: string) =>
    defineAgent({
      ...turnTaking,
      name,
      instructions: `You are ${name}.`,
      entry: ({ session }) => void session.say(`Here is ${name}.`),
    });
  const agent = defineAgent({
    ...turnTaking,
    instructions: "You are a test.",
    participants,
    ...(script.away && { away: script.away }),
    tools: Object.fromEntries(
      script.tools.map((one) => [
        one.name,
        toolFrom(one, {
          clock,
          others,
          tell: (what) => void results.push(`${seconds(clock.now())} (${one.name} ${what})`),
        }),
      ]),
    ),
    async entry(ctx) {
      ctx.addShutdownCallback(async (reason) => {
        if (reason === "shutdown") await ctx.session.say("Goodbye.").done;
      });
      await ctx.waitForParticipant();
      if (script.greeting) ctx.session.say(script.greeting);
    },
  });
  const { session, joined } = start({
    id: "golden",
    agentName: "golden",
    agent,
    providers: {
      vad: loudnessDetector(),
      stt,
      llm: scriptedLanguageModel(script.answers, clock),
      tts: scriptedTextToSpeech(script.voicings, clock),
    },
    turnTaking: turnTakingFor(agent, { endpointing: {}, interruption: {}, speculate: options.speculate }),
    maxCallMs: script.maxCallMs,
    join: () => Promise.resolve(room),
    metadata: "",
    clock: ownClock,
    log: silentLog,
  });
  const events = Array.fromAsync(session.events());
  for (const identity of people.length > 0 ? people : ["caller"]) room.enter(identity);
  const said = new Map<string, SpeechHandle>();
  const keep = (handle: SpeechHandle) => {
    said.set(handle.replyId, handle);
    void handle.then(({ text, interrupted, error }) => {
      const end = [error ? `failed (${error.stage})` : interrupted ? "cut" : "done", JSON.stringify(text)];
      results.push(`${seconds(clock.now())} (${handle.replyId} ${end.join(": ")})`);
    });
  };
  const perform = (happening: Happening) => {
    switch (happening.type) {
      case "say":
        return keep(session.say(happening.text, happening.options));
      case "stream":
        return keep(session.say(pieces(happening.text, happening.then)));
      case "generate":
        return keep(session.generateReply(happening.options));
      case "cut":
        return said.get(happening.replyId)?.interrupt();
      case "expect":
        return session.expect(happening.expected);
      case "interrupt":
        return session.interrupt();
      case "leave":
        return room.end("participant-left");
      case "joins":
        return room.enter(happening.who);
      case "leaves":
        return room.leave(happening.who);
      case "shutdown":
        return void session.close("shutdown");
      case "stt drop":
        return stt.drop();
      case "stt down":
      case "stt up":
        stt.down = happening.type === "stt down";
        return;
      case "press":
        return session.startUserTurn();
      case "release":
        return session.commitUserTurn();
      case "take back":
        return session.clearUserTurn();
      case "stt twice":
        stt.twice = true;
        return;
      case "stt judges":
        stt.judges = true;
        return;
      case "end":
        return;
    }
  };
  await clock.settle();
  await joined;
  for (const happening of script.happenings) clock.after(happening.atMs, () => perform(happening));
  await talk(script, clock, room);
  const closed = session.close();
  await clock.advance(5_000);
  await closed;
  await clock.settle();
  // What it cost is no part of a conversation.
  const told = (await events).filter(({ type }) => type !== "usage" && type !== "turn-metrics");
  const history = session.history.map((item) => {
    if (item.type === "tool-call") return `       calls ${item.call.name}`;
    if (item.type === "tool-result") return `       ${item.outcome}: ${JSON.stringify(item.content)}`;
    return `       ${item.speaker?.name ?? item.role}: ${JSON.stringify(item.text)}${
      item.interrupted ? " interrupted" : ""
    }`;
  });
  const lines = [...told.map(eventLine), ...spans(room.played).map(spanLine), ...results];
  lines.sort((a, b) => Number.parseFloat(a) - Number.parseFloat(b));
  return { lines: script.showsHistory ? [...lines, ...history] : lines, pending: clock.pending };
}

/** A tool that does as `script` says, and tells when it begins and ends; `others`: whom it may hand over to. */
function toolFrom(
  { name, effect, ms, text, does }: ScriptedTool,
  { clock, others, tell }: {
    readonly clock: FakeClock;
    readonly others: (name: string) => Agent;
    readonly tell: (what: string) => void;
  },
) {
  return tool({
    description: `Use ${name}`,
    effect,
    confirm: does.includes("asks"),
    async execute(_, ctx) {
      tell("begins");
      if (does.includes("kept")) ctx.disallowInterruptions();
      if (does.includes("progress")) ctx.progress("Still looking.");
      try {
        await clock.sleep(ms, { signal: ctx.signal });
      } catch (error) {
        tell("is stopped");
        throw error;
      }
      tell("ends");
      if (does.includes("fails")) throw new Error(text);
      if (does.includes("collects")) return await ctx.session.run(collectEmail);
      if (does.includes("transfers")) return others(text);
      return text;
    },
  });
}

/** The words of `text`, one a piece, and then what becomes of the stream. */
function pieces(text: string, then: "end" | "die" | "stall"): ReadableStream<string> {
  const words = text.match(/\S+\s*/g) ?? [];
  return new ReadableStream({
    pull(controller) {
      const word = words.shift();
      if (word !== undefined) controller.enqueue(word);
      else if (then === "die") controller.error(new Error("the stream broke off"));
      else if (then === "end") controller.close();
    },
  }, { highWaterMark: 0 });
}

/** Feeds the microphone, a frame each 20 ms, as each has been spoken. */
async function talk({ people, voices, endMs }: Script, clock: FakeClock, room: MemoryRoom) {
  const speaks = (atMs: number, who: number) =>
    voices.some(({ fromMs, toMs, voice = 0 }) => voice === who && atMs >= fromMs && atMs < toMs);
  for (let atMs = 0; atMs < endMs; atMs += frameMs) {
    await clock.advance(frameMs);
    if (people.length === 0) room.hear(microphoneFrame(atMs, speaks(atMs, 0)));
    for (const [who, name] of people.entries()) {
      room.hear(microphoneFrame(atMs, speaks(atMs, who), who), name);
    }
    await clock.settle();
  }
}

const seconds = (ms: number): string => (ms / 1000).toFixed(2).padStart(6);

function eventLine({ atMs, type, ...event }: SessionEvent): string {
  const details = Object.entries(event).map(([name, value]) => {
    if (name === "provider") return "";
    if (name === "speaker" || name === "participant") return `of ${event_speaker(value)}`;
    if (name === "said") return event_said(value);
    if (
      name === "waitedMs" && type === "user-speech-committed" || name === "silentMs" && type !== "user-away"
    ) return "";
    if (name === "calls") return event_names(value);
    if (name === "results") return event_outcomes(value);
    if (name === "gap") return partsOf(value);
    if (name === "latency") return `after ${Math.round(event_total(value))} ms`;
    if (value instanceof Error) return `${value.message}`;
    return typeof value === "boolean" ? (value ? name : "") : JSON.stringify(value);
  });
  return [seconds(atMs), type, ...details].filter(Boolean).join(" ");
}

/** What of a silence there is, in milliseconds. */
const partsOf = (gap: unknown): string =>
  Object.entries(gap as object).filter(([, ms]) => ms > 0).map(([name, ms]) => `${name} ${Math.round(ms)}`)
    .join(" ");

const event_names = (calls: unknown): string =>
  (calls as { name: string }[]).map(({ name }) => name).join(", ");

const event_outcomes = (results: unknown): string =>
  (results as { name: string; outcome: string }[]).map(({ name, outcome }) => `${name} ${outcome}`).join(
    ", ",
  );

const event_speaker = (speaker: unknown): string => (speaker as { name: string }).name;

const event_said = (said: unknown): string =>
  (said as { speaker: unknown; text: string }[])
    .map(({ speaker, text }) => `${event_speaker(speaker)}: ${JSON.stringify(text)}`).join(", ");

const event_total = (latency: unknown): number => (latency as { totalMs: number }).totalMs;

/** What was played, pauses of the playing left out. */
function spans(played: readonly PlayedSpan[]): { fromMs: number; toMs: number }[] {
  const joined: { fromMs: number; toMs: number }[] = [];
  for (const { fromMs, toMs } of played) {
    const last = joined.at(-1);
    if (last && fromMs - last.toMs < 1) last.toMs = toMs;
    else joined.push({ fromMs, toMs });
  }
  return joined;
}

const spanLine = ({ fromMs, toMs }: { fromMs: number; toMs: number }): string =>
  `${seconds(fromMs)} (heard until ${(toMs / 1000).toFixed(2)})`;
