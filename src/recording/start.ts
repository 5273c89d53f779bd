/** Sessions that are recorded from their beginning to their end. */
import { wallTime } from "../clock.ts";
import type { Config } from "../config.ts";
import { equippedAsFirst } from "../equipment.ts";
import { messageOf } from "../errors.ts";
import { createMcpServers } from "../tools/mcp.ts";
import { type RunningSession, type SessionOptions, startSession } from "../session.ts";
import { type AgentNumbers, equippedThen, numberAgents, recordedAgents } from "./recorded_agents.ts";
import { recordedClock } from "./recorded_clock.ts";
import { recordedMcpServers } from "./recorded_mcp.ts";
import { recorded, recordedLanguageModel } from "./recorded_providers.ts";
import { recordedRoom } from "./recorded_room.ts";
import { recordedSession } from "./recorded_session.ts";
import { recordedTools } from "./recorded_tools.ts";
import { createRecorder, failureOf, type Lines } from "./recorder.ts";
import { type Header, VERSION } from "./recording.ts";

/** What the configuration says of turn-taking: with the agent's own settings it is all that `turnTaking` was made from. */
export type TurnTakingConfig = Pick<Config, "endpointing" | "interruption" | "speculate">;

/** Starts a session as `startSession()` does, and writes it to `lines`. */
export function startRecorded(
  options: SessionOptions,
  config: TurnTakingConfig,
  lines: Lines,
): RunningSession {
  const { clock, join, agent, providers, costCaps } = options;
  const { equip = equippedAsFirst(options) } = options;
  const numbers = numberAgents(agent);
  const recorder = createRecorder(headerOf(options, config, numbers), lines, clock);
  const agents = recordedAgents({ recorder, numbers, session: () => session });
  const running = startSession({
    ...options,
    clock: recordedClock(clock, recorder),
    agent: agents.agent(agent),
    providers: recorded(providers, recorder),
    ...(costCaps?.llm && { costCaps: { ...costCaps, llm: recordedLanguageModel(costCaps.llm, recorder) } }),
    equip(next) {
      const number = numbers.of(next);
      try {
        const equipped = equip(next);
        recorder.note({ type: "agent-equipped", number, ...equippedThen(equipped, numbers) });
        return {
          ...equipped,
          agent: agents.agent(equipped.agent),
          providers: recorded(equipped.providers, recorder),
        };
      } catch (error) {
        recorder.note({ type: "agent-missing", number, message: messageOf(error) });
        throw error;
      }
    },
    mcpServers: (given) =>
      recordedMcpServers(
        (options.mcpServers ?? createMcpServers)(given),
        (tools) =>
          recordedTools({ ...agent, tools }, { session: () => session, recorder, numberOf: numbers.of }),
        recorder,
      ),
    async join(given) {
      try {
        return recordedRoom(await join(given), recorder);
      } catch (error) {
        recorder.note({ type: "room-failed", error: failureOf("room", error) });
        throw error;
      }
    },
  });
  const session = recordedSession(running.session, recorder, agents.task);
  void follow(running, recorder);
  return { ...running, session };
}

/** Writes down what the session tells of itself, until it is over. */
async function follow(
  { session }: RunningSession,
  recorder: ReturnType<typeof createRecorder>,
): Promise<void> {
  for await (const { atMs: _, ...event } of session.events()) {
    if (event.type !== "usage") recorder.note({ type: "session-told", event: { ...event } });
  }
  recorder.end();
}

function headerOf(
  options: SessionOptions,
  { endpointing, interruption, speculate }: TurnTakingConfig,
  numbers: AgentNumbers,
): Header {
  const { id, participant, maxCallMs } = options;
  return {
    type: "header",
    format: "repartee-recording",
    version: VERSION,
    deno: Deno.version.deno,
    startedAt: new Date(wallTime()).toISOString(),
    sessionId: id,
    ...equippedThen(options, numbers),
    turnTaking: { endpointing: { ...endpointing }, interruption: { ...interruption }, speculate },
    ...(participant !== undefined && { participant }),
    ...(maxCallMs !== undefined && { maxCallMs }),
  };
}
