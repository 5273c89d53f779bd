import { Room as RtcRoom, RoomEvent } from "@livekit/rtc-node";
import { createMixer } from "../../audio/mixer.ts";
import { createSpeaker } from "../../audio/playout.ts";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import { type Gate, openGate } from "../gate.ts";
import type { Room, RoomEnd } from "../room.ts";
import { attributePublisher, whenSeen } from "./attributes.ts";
import { whenAudible } from "./audible.ts";
import {
  connectRoom,
  endOf,
  isAlone,
  publishVoice,
  publishVoiceAgain,
  settlesWithin,
  unpublishVoice,
} from "./connection.ts";
import { sourceDevice } from "./device.ts";
import { openEars } from "./ears.ts";
import { installFfiClient } from "./ffi.ts";
import { collectHandles } from "./handles.ts";
import { receiveMessages } from "./messages.ts";
import { microphoneEach, oneMicrophone } from "./microphones.ts";
import { describe, watchPeople } from "./people.ts";
import { rpcCaller } from "./rpc.ts";
import { showEnd } from "./state.ts";
import { agentToken, ON_BEHALF_ATTRIBUTE, STATE_ATTRIBUTE } from "./token.ts";
import { turnstile } from "../../turnstile.ts";
import { answerTurnCalls } from "./turns.ts";
import { createTranscripts } from "./transcripts.ts";
import { receiveVideo } from "./video.ts";
import { giveBackVoice, takeVoice } from "./voice.ts";

export interface LiveKitRoomOptions {
  /** `ws://` or `wss://`. */
  readonly url: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  readonly roomName: string;
  /** The agent's own identity in the room; another participant with the same one is put out. */
  readonly identity: string;
  readonly agentName: string;
  /** The agent stays hidden from clients behind the one of that identity, until it is shown (default: it does not). */
  readonly onBehalfOf?: string | undefined;
  /** What to join with; a token signed with the key pair when it is left out. */
  readonly token?: string;
  /** What to receive: the linked participant's voice, or everything everybody publishes. */
  readonly subscribe: "audio" | "all";
  /** Whom the agent hears: the linked participant (the default), or everybody who can talk. */
  readonly participants?: "linked" | "all" | undefined;
  /** Whether the agent may be heard, and hears (default: always). */
  readonly gate?: Gate | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** How long the participant may take to return after their connection was lost, milliseconds (default 20,000). */
  readonly participantGraceMs?: number;
  /** How long they may take after they left by themselves, as when a page is loaded again (default 3,000). */
  readonly leaveGraceMs?: number;
  /** Gives up joining; nothing afterwards. */
  readonly signal: AbortSignal;
}

/** What leaving may take, milliseconds: showing why, sending the last transcripts, and the server's answer. */
const SHOW_MS = 500;
const FLUSH_MS = 2_000;
const LEAVE_MS = 2_000;
/** How long another agent may take to be seen, before this one hides behind it. */
const SEEN_MS = 5_000;
/**
 * Rooms that are joined at the same time: the native client and the server take longer for all of many than for one after
 * another, and some time out.
 */
const joining = turnstile({ places: 8, longestMs: 2_000 });

/**
 * Joins a LiveKit room as an agent; settles when its voice is published, since clients see an agent only then. Rejects
 * with a StageError of stage "room", or with the signal's reason.
 */
export async function joinLiveKitRoom(options: LiveKitRoomOptions): Promise<Room> {
  const { url, roomName, identity, subscribe, participants = "linked", clock, log, signal } = options;
  const { gate = openGate } = options;
  const client = installFfiClient(log);
  using _place = await joining.enter({ clock, signal });
  const token = options.token ?? await agentToken(options);
  const room = new RtcRoom();
  const closed = new AbortController();
  const end = (reason: RoomEnd) => closed.abort(reason);
  room.on(RoomEvent.Disconnected, (reason) => end(endOf(reason)));
  const handles = collectHandles(room, client);
  let isVoiceIn = false;
  const disconnect = async () => {
    try {
      isVoiceIn &&= !await unpublishVoice(room);
      await room.disconnect();
    } finally {
      handles.giveBack();
    }
  };

  const createMicrophones = participants === "all" ? microphoneEach : oneMicrophone;
  const microphones = createMicrophones({ gate, clock, log });
  closed.signal.addEventListener("abort", microphones.close, { once: true });
  const present = () =>
    new Set([...room.remoteParticipants.values()].flatMap(({ sid }) => sid === undefined ? [] : [sid]));
  /** As they were at a moment that counts; while it lasts, undefined. */
  let witnesses: ReadonlySet<string> | undefined;
  closed.signal.addEventListener("abort", () => witnesses ??= present(), { once: true });
  const ears = openEars(room, { clock, log });
  const people = watchPeople(room, {
    clock,
    who: participants,
    dropGraceMs: options.participantGraceMs ?? 20_000,
    leaveGraceMs: options.leaveGraceMs ?? 3_000,
    closed: closed.signal,
    onThere(participant) {
      if (!closed.signal.aborted) witnesses = undefined;
      ears.follow(participant, microphones.of(describe(participant)));
      messages.admit(describe(participant));
    },
    onAway({ identity }) {
      if (!closed.signal.aborted && people.away) witnesses = present();
      ears.lose(identity);
    },
    onGone({ identity }) {
      ears.lose(identity);
      microphones.end(identity);
    },
    onDeserted: end,
  });
  const messages = receiveMessages(room, {
    from: people.find,
    several: participants === "all",
    closed: closed.signal,
    log,
  });

  const of = () => people.participant?.identity;
  const video = subscribe === "all"
    ? receiveVideo(room, { of, client, clock, closed: closed.signal })
    : undefined;

  const connected = connectRoom(room, { url, token, all: subscribe === "all", disconnect, signal, log });
  const voice = takeVoice(); // made meanwhile, which takes some milliseconds
  const { track } = voice;
  const again = () => publishVoiceAgain(room, track, handles);
  const audible = whenAudible(room, { again, clock, log });
  const mixer = createMixer(sourceDevice(voice.source, { gate, clock, log }), { clock });
  try {
    await connected;
  } catch (error) {
    mixer[Symbol.dispose]();
    await giveBackVoice(voice);
    throw error;
  }
  people.begin();
  answerTurnCalls(room, { from: people.find, push: messages.push });
  const leave = async () => {
    mixer[Symbol.dispose]();
    end("closed");
    if (!await settlesWithin(LEAVE_MS, disconnect(), { clock, log })) {
      log.warn({ roomName }, "the server did not answer to the leave");
    }
    room.removeAllListeners();
    await giveBackVoice(voice, { isStranded: isVoiceIn });
  };

  try {
    isVoiceIn = true;
    let id = await publishVoice(room, track, { handles, signal });
    room.on(RoomEvent.RoomSidChanged, (sid) => id = sid);
    const set = async (shown: Record<string, string>) => await room.localParticipant?.setAttributes(shown);
    const { show, showAgain } = attributePublisher({ set, clock, log });
    room.on(RoomEvent.Reconnected, showAgain);
    let behind: string | undefined;
    const transcripts = createTranscripts({
      client,
      clock,
      log,
      participantHandle: room.localParticipant?.ffi_handle.handle ?? 0n,
      signal: closed.signal,
      agent: () => ({ identity, trackSid: track.sid }),
      user: (speaker = people.participant?.identity ?? identity) => ({
        identity: speaker,
        trackSid: ears.trackSid(speaker),
      }),
    });
    return {
      name: roomName,
      get id() {
        return id;
      },
      identity,
      get participant() {
        return people.participant;
      },
      get witnesses() {
        return witnesses ?? present();
      },
      microphone: microphones.microphone,
      ...(microphones.voices && { voices: microphones.voices }),
      get droppedMs() {
        return microphones.droppedMs;
      },
      messages: messages.readable,
      speaker: createSpeaker(mixer.voice, { clock }),
      background: mixer,
      ...(video && { video }),
      transcripts,
      waitForParticipant: people.wait,
      audible,
      hears: ears.ready,
      performRpc: rpcCaller(room, () => people.participant?.identity),
      async showEnd(reason) {
        await settlesWithin(SHOW_MS, showEnd(room, reason), { clock, log });
      },
      async publishOnBehalf(identity) {
        behind = identity;
        if (identity !== undefined) await settlesWithin(SEEN_MS, whenSeen(room, identity), { clock, log });
        if (behind !== identity) return; // it was called back
        await settlesWithin(LEAVE_MS, show({ [ON_BEHALF_ATTRIBUTE]: identity ?? "" }), { clock, log });
      },
      setState: (state) => void show({ [STATE_ATTRIBUTE]: state }),
      get isAlone() {
        return isAlone(room, options.agentName);
      },
      closed: closed.signal,
      async [Symbol.asyncDispose]() {
        await settlesWithin(FLUSH_MS, transcripts.settled(), { clock, log });
        await leave();
      },
    };
  } catch (error) {
    await leave();
    throw error;
  }
}
