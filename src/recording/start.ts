/** Sessions that are recorded from their beginning to their end. */
import type { Agent } from "../agent.ts";
import { wallTime } from "../clock.ts";
import type { Config } from "../config.ts";
import { createMcpServers } from "../tools/mcp.ts";
import { type RunningSession, type SessionOptions, startSession } from "../session.ts";
import { recordedMcpServers } from "./recorded_mcp.ts";
import { recorded, recordedLanguageModel } from "./recorded_providers.ts";
import { recordedRoom } from "./recorded_room.ts";
import { recordedAgent, recordedSession } from "./recorded_session.ts";
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
  const { clock, join, agent, providers, equip, costCaps } = options;
  const recorder = createRecorder(headerOf(options, config), lines, clock);
  const running = startSession({
    ...options,
    agent: recordedAgent(agent, () => session, recorder),
    providers: recorded(providers, recorder),
    ...(costCaps?.llm && { costCaps: { ...costCaps, llm: recordedLanguageModel(costCaps.llm, recorder) } }),
    ...(equip && {
      equip(next) {
        const equipped = equip(next);
        return {
          ...equipped,
          agent: recordedAgent(equipped.agent, () => session, recorder),
          providers: recorded(equipped.providers, recorder),
        };
      },
    }),
    mcpServers: (given) =>
      recordedMcpServers(
        (options.mcpServers ?? createMcpServers)(given),
        (tools) => recordedTools({ ...agent, tools }, () => session, recorder),
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
  const session = recordedSession(running.session, recorder);
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
  { id, agentName, agent, providers: { stt, llm, tts, turnDetector }, ...options }: SessionOptions,
  { endpointing, interruption, speculate }: TurnTakingConfig,
): Header {
  const { participant, maxCallMs } = options;
  return {
    type: "header",
    format: "repartee-recording",
    version: VERSION,
    deno: Deno.version.deno,
    startedAt: new Date(wallTime()).toISOString(),
    sessionId: id,
    agentName,
    agent: settingsOf(agent),
    turnTaking: { endpointing: { ...endpointing }, interruption: { ...interruption }, speculate },
    ...(participant !== undefined && { participant }),
    ...(maxCallMs !== undefined && { maxCallMs }),
    ...(agent.tools && {
      tools: Object.entries(agent.tools).map(([name, { effect, timeoutMs, confirm }]) => (
        { name, effect, timeoutMs, confirm: confirm !== undefined }
      )),
    }),
    stt: { provider: stt.provider, model: stt.model, elsewhere: stt.elsewhere === true },
    llm: { provider: llm.provider, model: llm.model, ...(llm.hearsVoice && { hearsVoice: true }) },
    tts: { provider: tts.provider, model: tts.model, ...(tts.verbatim && { verbatim: true }) },
    ...(turnDetector && {
      turnDetector: {
        model: turnDetector.model,
        windowMs: turnDetector.windowMs,
        silenceMs: turnDetector.silenceMs,
      },
    }),
  };
}

/** What of an agent's definition decides anything, its functions and its prompt left out. */
function settingsOf(agent: Agent): Header["agent"] {
  const { language, pronunciations, apology, endpointing, interruption, turnWords, away, lastLines } = agent;
  const { turnDetection, textTransforms, history } = agent;
  const settings = {
    language,
    pronunciations,
    apology,
    endpointing,
    interruption,
    turnWords,
    away,
    lastLines,
    // Whoever writes summaries is recorded as the model's own answers are.
    history: history &&
      { ...history, summarize: history.summarize !== undefined && history.summarize !== false },
    // A detector of the agent's own is recorded as what it answers.
    turnDetection: typeof turnDetection === "object" ? "words" : turnDetection,
    textTransforms: textTransforms?.filter((transform) => typeof transform === "string"),
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
