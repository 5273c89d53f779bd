/** What the agent's own code, and whoever holds the session, asks of it: written down. */
import type { Agent, AgentContext } from "../agent.ts";
import type { CloseReason } from "../events.ts";
import { withContext } from "../handlers.ts";
import type { SpeechHandle, VoiceSession } from "../voice_session.ts";
import { recordedStream } from "./recorded_stream.ts";
import { recordedTools } from "./recorded_tools.ts";
import { failureOf, type Recorder } from "./recorder.ts";
import type { Call } from "./recording.ts";

/** The same session; every call of a method that does something is written down. */
export function recordedSession(session: VoiceSession, recorder: Recorder): VoiceSession {
  const note = (call: Call) => recorder.note({ type: "session-called", call });
  const recordedHandle = (handle: SpeechHandle): SpeechHandle => ({
    replyId: handle.replyId,
    done: handle.done,
    then: (...given) => handle.then(...given),
    interrupt() {
      note({ method: "cut", replyId: handle.replyId });
      handle.interrupt();
    },
  });
  return {
    id: session.id,
    done: session.done,
    get state() {
      return session.state;
    },
    get participant() {
      return session.participant;
    },
    get history() {
      return session.history;
    },
    get userdata() {
      return session.userdata;
    },
    updateHistory(update) {
      const items = typeof update === "function" ? update([...session.history]) : update;
      note({ method: "updateHistory", items: [...items] });
      session.updateHistory(items);
    },
    say(text, options = {}) {
      if (typeof text === "string" || text.locked) {
        if (typeof text === "string") note({ method: "say", text, options: { ...options } });
        return recordedHandle(session.say(text, options));
      }
      const run = recorder.next("say");
      note({ method: "say", run, options: { ...options } });
      return recordedHandle(session.say(recordedStream(text, { recorder, of: "say", run }), options));
    },
    generateReply(options = {}) {
      note({ method: "generateReply", options: { ...options } });
      return recordedHandle(session.generateReply(options));
    },
    run(task) {
      note({ method: "run" });
      return session.run(task);
    },
    interrupt() {
      note({ method: "interrupt" });
      session.interrupt();
    },
    expect(expected) {
      note({ method: "expect", ...(expected && { expected }) });
      session.expect(expected);
    },
    startUserTurn() {
      note({ method: "startUserTurn" });
      session.startUserTurn();
    },
    commitUserTurn() {
      note({ method: "commitUserTurn" });
      session.commitUserTurn();
    },
    clearUserTurn() {
      note({ method: "clearUserTurn" });
      session.clearUserTurn();
    },
    performRpc: (...given) => session.performRpc(...given),
    look: (options) => session.look(options),
    events: () => session.events(),
    close(reason: CloseReason = "closed") {
      note({ method: "close", reason });
      return session.close(reason);
    },
  };
}

/** The same agent, whose own code is handed the recorded session. */
export function recordedAgent(agent: Agent, session: () => VoiceSession, recorder: Recorder): Agent {
  const { entry, on, ...rest } = agent;
  const recordedContext = (context: AgentContext): AgentContext => ({
    ...context,
    session: session(),
    addShutdownCallback: (callback) =>
      context.addShutdownCallback(async (reason) => {
        recorder.note({ type: "farewell-began" });
        try {
          await callback(reason);
        } finally {
          recorder.note({ type: "farewell-ended" });
        }
      }),
  });
  const same = {
    ...rest,
    ...(agent.tools && { tools: recordedTools(agent, session, recorder) }),
    ...(on && { on: withContext(on, recordedContext) }),
  };
  if (!entry) return same;
  return {
    ...same,
    async entry(context) {
      try {
        await entry(recordedContext(context));
      } catch (error) {
        recorder.note({ type: "entry-failed", error: failureOf("agent", error) });
        throw error;
      }
    },
  };
}
