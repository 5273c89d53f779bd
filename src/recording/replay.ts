/** Plays a recorded session again, on a clock of its own: the same inputs at the same times, into the real session. */
import type { Agent } from "../agent.ts";
import type { Clock } from "../clock.ts";
import { turnTakingFor } from "../dispatch/turn_taking.ts";
import { ConfigError } from "../errors.ts";
import type { CloseReason } from "../events.ts";
import type { HistoryUpdate } from "../history/update.ts";
import type { Log } from "../log.ts";
import { type MemoryRoom, memoryRoom } from "../room/memory.ts";
import type { Room, RoomEnd } from "../room/room.ts";
import type { Call, Entry, Recording } from "./recording.ts";
import { readRecording } from "./recording.ts";
import { errorFrom, replayedStream, runsOf } from "./replayed_streams.ts";
import { replayedProviders } from "./replayed_providers.ts";
import { replayedTools } from "./replayed_tools.ts";
import { startRecorded, type TurnTakingConfig } from "./start.ts";
import { virtualClock } from "../virtual_clock.ts";
import type { SpeechHandle, VoiceSession } from "../voice_session.ts";

/** A session that has not ended so long after the recorded one had is stopped (ms). */
const OVERTIME_MS = 60_000;

/** What would be logged is in the recording. */
const noLog: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => noLog };

/** What came of it, as a recording of its own. Throws a ConfigError for a recording in which the agent was not alone. */
export async function replay(recording: Recording): Promise<Recording> {
  const { header, entries } = recording;
  refuseOthers(entries);
  const clock = virtualClock();
  const config = header.turnTaking as TurnTakingConfig; // as the configuration had it
  const several = entries.some(({ type }) => type === "voice-joined");
  const room = memoryRoom({ name: "replay", clock, participants: several ? "all" : "linked" });
  const lines: string[] = [];
  const over = new AbortController();
  const handles = new Map<string, SpeechHandle>();
  const agent = agentFrom(recording, handles, clock, over.signal);
  const running = startRecorded(
    {
      id: header.sessionId,
      agentName: header.agentName,
      agent,
      providers: replayedProviders(recording, clock),
      turnTaking: turnTakingFor(agent, config),
      join: ({ signal }) => joinAsThen(recording, room, clock, signal),
      metadata: "",
      participant: header.participant,
      maxCallMs: header.maxCallMs,
      clock,
      log: noLog,
    },
    config,
    { write: (line) => lines.push(line) > 0, close() {} },
  );
  running.joined.catch(() => {}); // the session tells of it
  for (const entry of entries) {
    if (isInput(entry)) {
      clock.after(entry.atMs, () => perform(entry, { recording, room, clock, handles, running }));
    }
  }
  const endMs = entries.at(-1)?.atMs ?? 0;
  await clock.run(running.session.done, endMs + OVERTIME_MS);
  const left = running.session.close();
  await clock.run(left, Infinity);
  over.abort();
  return readRecording(lines.join(""), "the replay");
}

const inputs = [
  "participant-came",
  "participant-told",
  "voice-joined",
  "voice-left",
  "room-ended",
  "session-called",
] as const;
/** What other agents and tasks are told and can do is not in a recording. */
function refuseOthers(entries: readonly Entry[]): void {
  const change = entries.find((entry) =>
    entry.type === "session-told" && entry.event.type === "handoff" ||
    entry.type === "session-called" && entry.call.method === "run"
  );
  if (!change) return;
  throw new ConfigError(
    `the recording has another agent, or a task, in charge from ${Math.round(change.atMs)} ms on; ` +
      "expected one agent from the beginning to the end",
  );
}

type Input = Extract<Entry, { type: (typeof inputs)[number] }>;

const isInput = (entry: Entry): entry is Input => inputs.some((type) => type === entry.type);

interface Stage {
  readonly recording: Recording;
  readonly room: MemoryRoom;
  readonly clock: Clock;
  readonly handles: Map<string, SpeechHandle>;
  readonly running: { readonly session: VoiceSession };
}

function perform(entry: Input, stage: Stage): void {
  const { room } = stage;
  switch (entry.type) {
    case "participant-came":
      return room.enter(entry.identity);
    case "voice-joined":
      return room.enter(entry.identity, entry.name);
    case "voice-left":
      return room.leave(entry.identity);
    case "participant-told":
      return room.tell(entry.message);
    case "room-ended":
      return room.end(entry.reason as RoomEnd);
    case "session-called":
      try {
        return call(entry.call, stage);
      } catch {
        return; // it threw then, too: the agent was not in the room yet
      }
  }
}

function call(called: Call, { recording, clock, handles, running: { session } }: Stage): void {
  const keep = (handle: SpeechHandle) => void handles.set(handle.replyId, handle);
  switch (called.method) {
    case "say": {
      if (called.run === undefined) return keep(session.say(called.text ?? "", called.options));
      const { signal } = new AbortController();
      const run = runsOf(recording, "say")[called.run];
      const itemFrom = (item: unknown) => ({ text: String(item) });
      const pieces = replayedStream(run, { clock, signal, shiftMs: 0, itemFrom });
      const texts = new TransformStream<{ readonly text: string }, string>({
        transform: ({ text }, controller) => controller.enqueue(text),
      });
      return keep(session.say(pieces.pipeThrough(texts), called.options));
    }
    case "generateReply":
      return keep(session.generateReply(called.options));
    case "updateHistory":
      return session.updateHistory(called.items as Extract<HistoryUpdate, readonly unknown[]>); // as it was then
    case "expect":
      return session.expect(called.expected);
    case "cut":
      return handles.get(called.replyId)?.interrupt();
    case "close":
      return void session.close(called.reason as CloseReason);
    case "run":
      return; // refused before
    default:
      return session[called.method]();
  }
}

/** The agent as it was, but for its own code: what that did is done by the recording. */
function agentFrom(
  recording: Recording,
  handles: ReadonlyMap<string, SpeechHandle>,
  clock: Clock,
  signal: AbortSignal,
): Agent {
  const { header, entries } = recording;
  const failed = entries.find((entry) => entry.type === "entry-failed");
  const farewells = entries.filter((entry) => entry.type === "farewell-began");
  const ends = entries.filter((entry) => entry.type === "farewell-ended");
  return {
    ...header.agent,
    instructions: "(not recorded)",
    tools: replayedTools(recording, clock),
    async entry(context) {
      for (const at of farewells.keys()) {
        context.addShutdownCallback(async () => {
          const end = ends[at];
          if (!end) return await context.session.done.then(() => {}); // it was not waited for any longer
          await clock.sleep(end.atMs - clock.now(), { signal });
          // What was said by then was waited for: here it may end a moment later.
          const said = saidBefore(entries, end);
          await Promise.all(
            [...handles.values()].filter(({ replyId }) => said.has(replyId)).map(({ done }) => done),
          );
        });
      }
      if (!failed || failed.type !== "entry-failed") return;
      await clock.sleep(failed.atMs - clock.now(), { signal: context.signal });
      throw errorFrom(failed.error);
    },
  };
}

/** The replies that had been said at the time of `end`. */
function saidBefore(entries: readonly Entry[], end: Entry): ReadonlySet<string> {
  const before = entries.filter(({ atMs }) => atMs <= end.atMs);
  return new Set(
    before.flatMap((entry) =>
      entry.type === "session-told" && entry.event.type === "agent-speech-committed"
        ? [String(entry.event.replyId)]
        : []
    ),
  );
}

/** The room, when the agent was in it then, or the failure that kept it out. */
async function joinAsThen(
  { entries }: Recording,
  room: MemoryRoom,
  clock: Clock,
  signal: AbortSignal,
): Promise<Room> {
  const joined = entries.find(({ type }) => type === "room-joined" || type === "room-failed");
  await clock.sleep((joined?.atMs ?? Number.MAX_SAFE_INTEGER) - clock.now(), { signal });
  if (joined?.type === "room-failed") throw errorFrom(joined.error);
  const audibleMs = entries.find(({ type }) => type === "participant-audible")?.atMs ??
    Number.MAX_SAFE_INTEGER;
  return {
    name: room.name,
    id: room.id,
    identity: room.identity,
    get participant() {
      return room.participant;
    },
    microphone: room.microphone,
    ...(room.voices && { voices: room.voices }),
    droppedMs: 0,
    ...(room.messages && { messages: room.messages }),
    speaker: room.speaker,
    transcripts: room.transcripts,
    waitForParticipant: (...given) => room.waitForParticipant(...given),
    audible: ({ signal }) => clock.sleep(audibleMs - clock.now(), { signal }),
    setState: (state) => room.setState(state),
    closed: room.closed,
    [Symbol.asyncDispose]: () => room[Symbol.asyncDispose](),
  };
}
