/** What the agent's own code, and whoever holds the session, asks of it: written down. */
import type { CloseReason } from "../events.ts";
import type { Task } from "../task.ts";
import type { SpeechHandle, VoiceSession } from "../voice_session.ts";
import { noteStep } from "./recorded_code.ts";
import { recordedStream } from "./recorded_stream.ts";
import type { Recorder } from "./recorder.ts";
import type { Call } from "./recording.ts";

/** The same session; every call of a method that does something is written down. `taskAs`: a task under its number. */
export function recordedSession(
  session: VoiceSession,
  recorder: Recorder,
  taskAs: <Result>(task: Task<Result>, number: number) => Task<Result>,
): VoiceSession {
  const note = (call: Call) => {
    if (!noteStep({ type: "called", call })) recorder.note({ type: "session-called", call });
  };
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
      const number = recorder.next("task");
      note({ method: "run", task: number });
      const ran = () => void noteStep({ type: "ran", task: number });
      const result = session.run(taskAs(task, number));
      result.then(ran, ran);
      return result;
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
