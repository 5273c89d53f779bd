/** Plays a call at random on the fake clock, and says what of it should never have happened. */
import { type Agent, defineAgent } from "../../src/agent.ts";
import type { SessionEvent } from "../../src/events.ts";
import type { HistoryItem } from "../../src/history.ts";
import type { Message } from "../../src/llm/llm.ts";
import { memoryRoom } from "../../src/room/memory.ts";
import { type Providers, startSession } from "../../src/session.ts";
import { type SessionSnapshot, sessionSnapshot } from "../../src/resume/snapshot.ts";
import type { ToolEffect } from "../../src/tool.ts";
import { consentIn } from "../../src/turn/consent.ts";
import type { TurnOptions } from "../../src/turn/state.ts";
import { turnLanguage } from "../../src/turn/languages.ts";
import type { SpeechHandle } from "../../src/voice_session.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog } from "../fakes/log.ts";
import { microphoneFrame } from "../fakes/speech.ts";
import { checkHistory, checkMessages, checkRest, checkStory, isAtRest } from "./checks.ts";
import { detector, model, recognizer, toolbox, voice, wordsFrom } from "./providers.ts";
import type { Act, Script } from "./script.ts";

/** What happens at random is over by then. */
const busyMs = 20_000;
/**
 * Everything that it led to is over so much later at the latest: a slow model takes 40 s a step, an answer up to six of
 * them with a tool of 5 s and questions between, and five tasks may follow each other.
 */
const restMs = 3_600_000;
/** Whether it is by now is looked at so often. */
const lookEveryMs = 30_000;

/** What a process has left that is gone. */
export interface Left {
  /** The last that was written of the session. */
  readonly snapshot: SessionSnapshot;
  /** What is to be done once, and how often it was begun. */
  readonly once: Map<string, number>;
}

export interface Life {
  /** The process ends by `atMs`, as though it were killed, or `toolsMs` after the first call of a tool. */
  readonly crash?: { readonly atMs: number; readonly toolsMs: number };
  /** Given what is left then. */
  readonly leave?: (left: Left) => void;
  /** What the one before has left: the session goes on from there. */
  readonly before?: Left;
}

export async function violations(script: Script, { crash, leave, before }: Life = {}): Promise<string[]> {
  const { elapsedMs = 0, turns = 0, owed, inCharge = "random" } = before?.snapshot ?? {};
  const clock = fakeClock(elapsedMs);
  const room = memoryRoom({ name: "random", clock });
  const marks: Parameters<typeof detector>[0] = [];
  const [models, voices, streams] = [{ count: 0 }, { count: 0 }, { count: 0 }];
  const wrong: string[] = [];
  const found = (more: readonly string[]) => void wrong.push(...more);
  const stt = recognizer(clock);
  const otherStt = recognizer(clock);
  const once = before?.once ?? new Map<string, number>();
  let written: SessionSnapshot | undefined;
  /** What had an effect, for which turn and when. */
  const effects: { readonly turnId: string; readonly atMs: number }[] = [];
  const begun = (effect: ToolEffect, key: string) => {
    if (effect === "once") once.set(key, (once.get(key) ?? 0) + 1);
    const turnId = key.split(":")[1] ?? "";
    const isOwn = turnId.startsWith("turn") && Number(turnId.slice(5)) > turns;
    if (effect !== "none" && isOwn) effects.push({ turnId, atMs: clock.now() });
  };
  const history = {
    ...(script.maxItems !== undefined && { maxItems: script.maxItems }),
    summarize: script.summarize,
  };
  const tools = toolbox({ clock, begun, next: (n) => others[n]! });
  const ownVoice = voice(script, { clock, open: voices });
  /** The second has nothing to say for itself, the third hears and speaks otherwise. */
  const others: readonly Agent[] = [
    defineAgent({ name: "second", instructions: "You are the second.", tools, history }),
    defineAgent({
      name: "third",
      instructions: "You are the third.",
      tools,
      history,
      stt: otherStt,
      tts: ownVoice,
      async entry({ session }) {
        await clock.sleep(200);
        session.say("Here is the third.");
      },
    }),
  ];
  const providers: Providers = {
    vad: detector(marks),
    stt,
    llm: model(script, {
      clock,
      open: models,
      onRequest: (messages: readonly Message[]) => found(checkMessages(messages)),
    }),
    tts: voice(script, { clock, open: voices }),
  };
  const turnTaking: TurnOptions = {
    endpointing: { minDelayMs: 350, maxDelayMs: 3_000 },
    interruption: {
      allowed: script.allowed,
      minDurationMs: 300,
      minWords: script.minWords,
      falseAfterMs: 2_000,
    },
    consent: consentIn(turnLanguage("en")),
    detection: script.manual ? "manual" : "silence",
    speculate: script.speculate,
  };
  const first = defineAgent({
    instructions: "You are a test.",
    tools,
    history,
    ...(script.away && { away: { afterMs: 3_000, prompts: ["Hello?"], closeAfterMs: 20_000 } }),
  });
  const { session, joined } = startSession({
    id: "random",
    agentName: "random",
    agent: first,
    ...(leave && {
      keep: async (snapshot) => {
        await clock.sleep(1);
        written = sessionSnapshot.parse(JSON.parse(JSON.stringify(snapshot)));
      },
    }),
    ...(before && {
      resume: {
        snapshot: before.snapshot,
        inCharge: others.find(({ name }) => name === inCharge) ?? first,
      },
    }),
    providers,
    turnTaking,
    equip: (agent) => ({
      agent,
      agentName: agent.name ?? "random",
      providers: { ...providers, ...(agent.stt && { stt: otherStt, tts: ownVoice }) },
      turnTaking,
    }),
    maxCallMs: script.maxCallMs,
    join: () => Promise.resolve(room),
    metadata: "",
    clock,
    log: silentLog,
  });
  const events: SessionEvent[] = [];
  const seen = new Map<string, number>();
  const handles: { readonly handle: SpeechHandle; settled: boolean }[] = [];
  const keep = (handle: SpeechHandle) => {
    const kept = { handle, settled: false };
    handles.push(kept);
    void handle.done.then(() => kept.settled = true);
  };
  const act = performer({ session, room, stts: [stt, otherStt], marks, clock, streams, keep, handles });
  const attempt = (one: Act) => {
    if (session.state !== "closed") act(one);
  };
  const reading = (async () => {
    for await (const event of session.events()) {
      events.push(event);
      found(checkHistory(session.history));
      const nth = (seen.get(event.type) ?? 0) + 1;
      seen.set(event.type, nth);
      for (const { when, act } of script.acts) {
        if ("after" in when && when.after === event.type && when.nth === nth) {
          void later(when.microtasks, () => attempt(act));
        }
      }
    }
  })();

  room.enter("caller");
  await clock.advance(200);
  await joined;
  const afterMs = (atMs: number) => atMs - (before ? elapsedMs : 0);
  for (const { when, act } of script.acts) {
    if ("atMs" in when && afterMs(when.atMs) >= 0) clock.after(afterMs(when.atMs), () => attempt(act));
  }
  if (crash) {
    const called = () => events.some(({ type }) => type === "tools-called");
    while (clock.now() < crash.atMs && !called()) await clock.advance(10);
    if (called()) await clock.advance(Math.max(0, Math.min(crash.toolsMs, crash.atMs - clock.now())));
    if (written) leave?.({ snapshot: written, once });
    return wrong;
  }
  await clock.advance(script.closeMs ?? busyMs);
  // A slow voice may have much to say yet; whether it gets further is looked at below.
  const mayRest = script.closeMs === undefined;
  for (let ms = 0; ms < restMs && mayRest && !isAtRest(session, events); ms += lookEveryMs) {
    await clock.advance(lookEveryMs);
  }
  // Who is away is spoken to by the agent itself.
  if (script.closeMs === undefined && !script.away) found(checkRest(session, events));

  const closing = session.close();
  let closed = false;
  void session.done.then(() => closed = true);
  await clock.advance(5_000);
  if (!closed) return [...wrong, "the session did not close within 5 s"];
  await closing;
  await reading;
  await clock.advance(busyMs); // what was still to happen happens to a session that has ended
  const isWhole = !script.acts.some(({ act }) => act.type === "forget");
  found(
    checkStory({
      events,
      played: room.played,
      shown: room.shown,
      history: session.history,
      isWhole,
      inCharge,
      isLeftAlone: !script.away && script.maxCallMs === undefined && script.closeMs === undefined &&
        !script.acts.some(({ act }) =>
          ["interrupt", "press", "cut", "key-down"].includes(act.type) ||
          (act.type === "say" && act.priority === "immediate")
        ),
    }),
  );
  for (const { turnId, atMs } of effects) {
    const committed = events.some((event) =>
      event.type === "user-speech-committed" && event.turnId === turnId && event.atMs <= atMs
    );
    if (!committed) wrong.push(`something was done for ${turnId} before it was over`);
  }
  for (const [key, count] of once) if (count !== 1) wrong.push(`${key} was done ${count} times`);
  const outcomes = events.filter((event) => event.type === "turn-ended" && event.turnId === owed).length;
  if (owed !== undefined && outcomes !== 1) wrong.push(`${owed} was owed, and has ${outcomes} outcomes`);
  if (clock.pending > 0) wrong.push(`${clock.pending} timers are left`);
  for (const [name, { count }] of Object.entries({ models, voices, streams })) {
    if (count > 0) wrong.push(`${count} ${name} are left open`);
  }
  const unsettled = handles.filter(({ settled }) => !settled).length;
  if (unsettled > 0) wrong.push(`${unsettled} handles have not settled`);
  return wrong;
}

async function later(microtasks: number, act: () => void): Promise<void> {
  for (let i = 0; i < microtasks; i++) await Promise.resolve();
  act();
}

interface Stage {
  readonly session: ReturnType<typeof startSession>["session"];
  readonly room: ReturnType<typeof memoryRoom>;
  readonly stts: readonly ReturnType<typeof recognizer>[];
  readonly marks: Parameters<typeof detector>[0];
  readonly clock: ReturnType<typeof fakeClock>;
  readonly streams: { count: number };
  readonly keep: (handle: SpeechHandle) => void;
  readonly handles: readonly { readonly handle: SpeechHandle }[];
}

function performer({ session, room, stts, marks, clock, streams, keep, handles }: Stage): (act: Act) => void {
  let said = 0;
  let utterances = 0;
  const mark = (type: "speech-start" | "speech-pause" | "speech-resume" | "speech-end", agoMs: number) => {
    const atMs = Math.max(0, clock.now() - agoMs);
    marks.push(type === "speech-start" ? { type, atMs, voicedMs: atMs } : { type, atMs });
    room.hear(microphoneFrame(clock.now(), true));
  };
  const hear = (type: "interim" | "final", words: number) => {
    // One of them listens: when it takes over in the middle of an utterance, it has not heard the beginning.
    const at = stts.reduce((last, { openedMs }, i) => openedMs > stts[last]!.openedMs ? i : last, 0);
    stts[at]?.hear({ type, text: wordsFrom(`user${utterances}${"ab"[at]}-`, words) });
  };
  return (act) => {
    switch (act.type) {
      case "say": {
        const { words, type: _, ...options } = act;
        return keep(session.say(wordsFrom(`said${++said}-`, words), options));
      }
      case "stream":
        return keep(session.say(pieces(wordsFrom(`said${++said}-`, act.words), act.fate, streams)));
      case "generate":
        return keep(session.generateReply({ userInput: `asked${++said}` }));
      case "cut":
        return handles.at(-1 - act.back)?.handle.interrupt();
      case "forget":
        return session.updateHistory((items) => newest(items, act.keep));
      case "interrupt":
        return session.interrupt();
      case "press":
        return room.tell({ type: "interrupt" });
      case "yes":
      case "no":
        return room.tell({ type: "text", text: act.type });
      case "typed":
        return room.tell({ type: "text", text: `typed${++utterances}` });
      case "key-down":
        return room.tell({ type: "turn", action: "start" });
      case "key-up":
        return room.tell({ type: "turn", action: "commit" });
      case "voice-start":
        return mark("speech-start", 50);
      case "voice-pause":
        return mark("speech-pause", 40);
      case "voice-resume":
        return mark("speech-resume", 20);
      case "voice-end":
        return mark("speech-end", 400);
      case "hearing-lost":
        for (const stt of stts) stt.drop();
        return;
      case "interim":
        return hear("interim", act.words);
      case "final":
      case "final-twice":
        hear("final", act.words);
        if (act.type === "final-twice") hear("final", act.words);
        utterances++;
    }
  };
}

/** The newest `count` of `items`, without results whose calls are older. */
function newest(items: readonly HistoryItem[], count: number): HistoryItem[] {
  const kept = count === 0 ? [] : items.slice(-count);
  const calls = new Set(kept.map((item) => item.type === "tool-call" ? item.call.id : undefined));
  return kept.filter((item) => item.type !== "tool-result" || calls.has(item.callId));
}

/** A stream of words, counted while it is open. */
function pieces(
  text: string,
  fate: "well" | "fail" | "die" | "hang",
  open: { count: number },
): ReadableStream<string> {
  const words = fate === "fail" ? [] : text.match(/\S+\s*/g) ?? [];
  open.count++;
  return new ReadableStream({
    pull(controller) {
      const word = words.shift();
      if (word !== undefined) return controller.enqueue(word);
      if (fate === "hang") return;
      open.count--;
      if (fate === "well") controller.close();
      else controller.error(new Error("the stream broke off"));
    },
    cancel: () => void open.count--,
  }, { highWaterMark: 0 });
}
