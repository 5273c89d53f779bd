/** Plays a recorded session again, on a clock of its own: the same inputs at the same times, into the real session. */
import type { AgentContext } from "../agent.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { type MemoryRoom, memoryRoom } from "../room/memory.ts";
import type { Room, RoomEnd } from "../room/room.ts";
import { replayedClock } from "./recorded_clock.ts";
import type { Entry, Recording } from "./recording.ts";
import { readRecording } from "./recording.ts";
import { replayedAgents } from "./replayed_agents.ts";
import type { ReplayedCode } from "./replayed_code.ts";
import { replayedSpeaker } from "./replayed_speaker.ts";
import { errorFrom } from "./replayed_streams.ts";
import { startRecorded, type TurnTakingConfig } from "./start.ts";
import { virtualClock } from "../virtual_clock.ts";
import type { VoiceSession } from "../voice_session.ts";

/** A session that has not ended so long after the recorded one had is stopped (ms). */
const OVERTIME_MS = 60_000;

/** What would be logged is in the recording. */
const noLog: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => noLog };

/** What came of it, as a recording of its own. */
export async function replay(recording: Recording): Promise<Recording> {
  const { header, entries } = recording;
  const clock = virtualClock();
  const sessionClock = replayedClock(clock, entries);
  const config = header.turnTaking as TurnTakingConfig; // as the configuration had it
  const several = entries.some(({ type }) => type === "voice-joined");
  const room = memoryRoom({ name: "replay", clock, participants: several ? "all" : "linked" });
  const lines: string[] = [];
  const over = new AbortController();
  const { first, equip, code } = replayedAgents(
    recording,
    clock,
    (context) => sayFarewellAsThen(recording, context, { clock, code, signal: over.signal }),
  );
  const running = startRecorded(
    {
      ...first,
      id: header.sessionId,
      equip,
      join: ({ signal }) => joinAsThen(recording, room, clock, signal),
      metadata: "",
      participant: header.participant,
      maxCallMs: header.maxCallMs,
      clock: sessionClock,
      log: noLog,
    },
    config,
    { write: (line) => lines.push(line) > 0, close() {} },
  );
  running.joined.catch(() => {}); // the session tells of it
  for (const entry of entries) {
    if (isInput(entry)) clock.after(entry.atMs, () => perform(entry, { room, clock, code, running }));
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
type Input = Extract<Entry, { type: (typeof inputs)[number] }>;

const isInput = (entry: Entry): entry is Input => inputs.some((type) => type === entry.type);

interface Stage {
  readonly room: MemoryRoom;
  readonly clock: Clock;
  readonly code: ReplayedCode;
  readonly running: { readonly session: VoiceSession };
}

function perform(entry: Input, { room, clock, code, running: { session } }: Stage): void {
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
      // It may have followed what happens at this moment.
      return void clock.after(0, () => code.call(session, entry.call));
  }
}

/** Has the shutdown callbacks of then take as long again. */
function sayFarewellAsThen(
  { entries }: Recording,
  { addShutdownCallback, session }: AgentContext,
  { clock, code, signal }: {
    readonly clock: Clock;
    readonly code: ReplayedCode;
    readonly signal: AbortSignal;
  },
): void {
  const farewells = entries.filter((entry) => entry.type === "farewell-began");
  const ends = entries.filter((entry) => entry.type === "farewell-ended");
  for (const at of farewells.keys()) {
    addShutdownCallback(async () => {
      const end = ends[at];
      if (!end) return await session.done.then(() => {}); // it was not waited for any longer
      await clock.sleep(end.atMs - clock.now(), { signal });
      // What was said by then was waited for: here it may end a moment later.
      const said = saidBefore(entries, end);
      await Promise.all(
        [...code.said.values()].filter(({ replyId }) => said.has(replyId)).map(({ done }) => done),
      );
    });
  }
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
  recording: Recording,
  room: MemoryRoom,
  clock: Clock,
  signal: AbortSignal,
): Promise<Room> {
  const { entries } = recording;
  const joined = entries.find(({ type }) => type === "room-joined" || type === "room-failed");
  await clock.sleep((joined?.atMs ?? Number.MAX_SAFE_INTEGER) - clock.now(), { signal });
  if (joined?.type === "room-failed") throw errorFrom(joined.error);
  const audibleMs = entries.find(({ type }) => type === "participant-audible")?.atMs ??
    Number.MAX_SAFE_INTEGER;
  const { tookMs = 0 } = entries.find((entry) => entry.type === "room-left") ?? {};
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
    speaker: replayedSpeaker(room.speaker, recording, clock),
    transcripts: room.transcripts,
    waitForParticipant: (...given) => room.waitForParticipant(...given),
    audible: ({ signal }) => clock.sleep(audibleMs - clock.now(), { signal }),
    setState: (state) => room.setState(state),
    closed: room.closed,
    async [Symbol.asyncDispose]() {
      await room[Symbol.asyncDispose]();
      if (tookMs > 0) await clock.sleep(tookMs);
    },
  };
}
