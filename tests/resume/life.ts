/** One of the processes that a session lives in, on the fake clock. */
import { assertEquals } from "@std/assert";
import { type Agent, type AgentDefinition, defineAgent } from "../../src/agent.ts";
import type { SessionEvent } from "../../src/events.ts";
import type { MadeSpeech } from "../../src/greeting.ts";
import { saidIn } from "../../src/history.ts";
import type { Message } from "../../src/llm/llm.ts";
import { type SessionSnapshot, sessionSnapshot } from "../../src/resume/snapshot.ts";
import type { SpeechToText } from "../../src/stt/stt.ts";
import { type Call, startCall, timeToClose } from "../fakes/call.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { type Answer, scriptedLanguageModel } from "../fakes/providers.ts";

/** What the model says, and calls. */
export const answer = (text: string, ...calls: string[]): Answer => ({
  text,
  ttftMs: 100,
  tokenMs: 10,
  ...(calls.length > 0 && { calls: calls.map((name) => ({ name })) }),
});

export interface Life extends Call {
  readonly requests: readonly (readonly Message[])[];
  readonly events: readonly SessionEvent[];
  /** What was written last: all that is left when the process is gone. */
  readonly left: () => SessionSnapshot;
  readonly said: () => string[];
  end(): Promise<void>;
}

interface LifeOptions {
  readonly definition?: Partial<AgentDefinition>;
  readonly answers?: readonly Answer[];
  readonly snapshot?: SessionSnapshot;
  readonly inCharge?: Agent;
  readonly maxCallMs?: number;
  /** Nobody is to notice. */
  readonly silently?: boolean;
  /** What is heard then was said from there on (clock milliseconds; default: now). */
  readonly sinceMs?: number;
  /** What hears the user. */
  readonly stt?: SpeechToText;
  /** What is said first. */
  readonly made?: MadeSpeech;
  readonly log?: ReturnType<typeof fakeLog>;
  readonly clock?: FakeClock;
}

/** The session in one process; the next is given what the last has left. */
export async function live(
  { definition = {}, answers = [answer("Fine.")], snapshot, inCharge, maxCallMs, silently, made, ...given }:
    LifeOptions,
): Promise<Life> {
  const { clock = fakeClock(), log = fakeLog(), stt, sinceMs = clock.now() } = given;
  const llm = scriptedLanguageModel(answers, clock);
  const agent = { instructions: "You are a test.", ...definition };
  let text = "";
  const call = startCall(agent, {
    clock,
    log,
    providers: { llm, ...(stt && { stt }) },
    equip: (agent, first) => ({ ...first, agent, agentName: agent.name ?? "test" }),
    ...(maxCallMs !== undefined && { maxCallMs }),
    async keep(snapshot) {
      await clock.sleep(5);
      text = JSON.stringify(snapshot);
    },
    ...(snapshot && {
      resume: {
        snapshot,
        inCharge: inCharge ?? defineAgent(agent),
        ...(silently && { silentlySinceMs: sinceMs, made }),
      },
    }),
  });
  const events: SessionEvent[] = [];
  const told = call.session.events().pipeTo(
    new WritableStream({ write: (event) => void events.push(event) }),
  );
  call.room.enter("caller");
  await call.joined;
  await clock.settle();
  return {
    ...call,
    requests: llm.requests,
    events,
    left: () => sessionSnapshot.parse(JSON.parse(text)),
    said: () => saidIn(call.session.history).map(({ role, text }) => `${role}: ${text}`),
    async end() {
      await timeToClose(call);
      await told;
      assertEquals(clock.pending, 0);
    },
  };
}
