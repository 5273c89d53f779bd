/** Somebody who calls: joins a LiveKit room, speaks, listens and reads along. */
import {
  AudioFrame,
  AudioSource,
  AudioStream,
  LocalAudioTrack,
  ParticipantKind,
  RemoteAudioTrack,
  type RemoteParticipant,
  Room,
  RoomEvent,
  type TextStreamReader,
  TrackPublishOptions,
  TrackSource,
} from "@livekit/rtc-node";
import type { FfiEvent } from "@livekit/rtc-ffi-bindings";
import { AccessToken } from "livekit-server-sdk";
import { readWav } from "../../src/audio/wav.ts";
import { installFfiClient } from "../../src/room/livekit/ffi.ts";
import { fakeLog } from "../fakes/log.ts";

/** A piece of what the agent was heard to say; `atMs` is `performance.now()` when it arrived, `level` the RMS, 0–1. */
export interface HeardFrame {
  readonly atMs: number;
  readonly level: number;
  /** 16 kHz, one channel. */
  readonly samples: Int16Array;
}

/** One text stream of the transcription topic. */
export interface ReadTranscript {
  /** Who the stream says it is of. */
  readonly identity: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** What has come of it by now. */
  text: string;
  closed: boolean;
  readonly atMs: number;
}

export interface Caller extends AsyncDisposable {
  readonly identity: string;
  /** The native room, for what is not wrapped here. */
  readonly room: Room;
  /** The agent in the room, once it can be seen. */
  agent(): RemoteParticipant | undefined;
  /** The agent's states in order, with the time at which each was seen. */
  readonly states: readonly { readonly state: string; readonly atMs: number }[];
  readonly heard: readonly HeardFrame[];
  readonly transcripts: readonly ReadTranscript[];
  /** The attributes text streams were closed with, in order; rtc-node does not show them. */
  readonly closings: readonly Readonly<Record<string, string>>[];
  /** Speaks 16 kHz mono samples, or a WAV file of such, in real time; settles when all was sent. */
  speak(samples: Int16Array | string): Promise<void>;
  /** Mutes the microphone, as a client's button does. */
  mute(muted: boolean): void;
  /** Takes the microphone's track out of the room, or publishes it anew. */
  publish(published: boolean): Promise<void>;
  /** Settles with the time of the agent's first sound after `sinceMs` (default: now). */
  untilSpeech(options?: { sinceMs?: number; timeoutMs?: number }): Promise<number>;
  /** Settles, once the agent has been silent for `quietMs`, with the time of its last sound. */
  untilQuiet(options?: { quietMs?: number; timeoutMs?: number }): Promise<number>;
  leave(): Promise<void>;
}

const SAMPLE_RATE = 16_000;
const FRAME_MS = 20;
const nothing = new Int16Array(0);
/** Louder than this is a voice, not the codec's idea of silence: -46 dBFS. */
const SOUND_LEVEL = 0.005;

/** Joins `roomName` and publishes a microphone. */
export async function joinCaller(
  {
    url,
    apiKey,
    apiSecret,
    roomName,
    identity = "caller",
    token: given,
    autoSubscribe = true,
    publish = true,
    keep = true,
    pieceMs = FRAME_MS,
  }: {
    readonly url: string;
    readonly apiKey: string;
    readonly apiSecret: string;
    readonly roomName: string;
    readonly identity?: string;
    /** What to join with, in place of a token of the identity's. */
    readonly token?: string;
    /** Whether what others publish is received without being asked for (default: it is). */
    readonly autoSubscribe?: boolean;
    readonly publish?: boolean;
    /** Whether the samples that are heard are kept, not only how loud they were. */
    readonly keep?: boolean;
    /** How long the pieces are in which it is heard, in milliseconds (default 20): longer ones cost less. */
    readonly pieceMs?: number;
  },
): Promise<Caller> {
  const client = installFfiClient(fakeLog());
  const room = new Room();
  const heard: HeardFrame[] = [];
  const states: { state: string; atMs: number }[] = [];
  const transcripts: ReadTranscript[] = [];
  const closings: Record<string, string>[] = [];
  const ears: Ear[] = [];
  const work: Promise<void>[] = [];
  const noteClosing = ({ message }: FfiEvent) => {
    if (message.case === "textStreamReaderEvent" && message.value.detail.case === "eos") {
      closings.push(message.value.detail.value.attributes);
    }
  };
  client.on("ffi_event", noteClosing);

  const agent = () =>
    [...room.remoteParticipants.values()].find(({ kind }) => kind === ParticipantKind.AGENT);
  const noteState = () => {
    const state = agent()?.attributes["lk.agent.state"];
    if (state !== undefined && state !== states.at(-1)?.state) {
      states.push({ state, atMs: performance.now() });
    }
  };
  room.on(RoomEvent.ParticipantConnected, noteState);
  room.on(RoomEvent.ParticipantAttributesChanged, noteState);
  room.on(RoomEvent.TrackSubscribed, (track, _publication, participant) => {
    if (participant.kind !== ParticipantKind.AGENT || !(track instanceof RemoteAudioTrack)) return;
    const ear = openEar(track, pieceMs);
    if (!ear) return;
    ears.push(ear);
    work.push(listen(ear, heard, keep));
  });
  room.registerTextStreamHandler("lk.transcription", (reader, { identity }) => {
    work.push(read(reader, identity, transcripts));
  });

  const token = new AccessToken(apiKey, apiSecret, { identity });
  token.addGrant({ room: roomName, roomJoin: true });
  await room.connect(url, given ?? await token.toJwt(), { autoSubscribe, dynacast: false });
  noteState();
  const source = new AudioSource(SAMPLE_RATE, 1, 1000);
  const track = LocalAudioTrack.createAudioTrack("microphone", source);
  const options = new TrackPublishOptions({ source: TrackSource.SOURCE_MICROPHONE });
  if (publish) await room.localParticipant?.publishTrack(track, options);

  let left: Promise<void> | undefined;
  const leave = () =>
    left ??= (async () => {
      await room.disconnect();
      client.off("ffi_event", noteClosing);
      await track.close();
      await Promise.all(ears.map((ear) => ear.cancel()));
      await Promise.all(work);
    })();

  return {
    identity,
    room,
    agent,
    states,
    heard,
    transcripts,
    closings,
    async speak(given) {
      const samples = typeof given === "string" ? readWav(await Deno.readFile(given)).samples : given;
      const length = SAMPLE_RATE * FRAME_MS / 1000;
      for (let at = 0; at < samples.length; at += length) {
        const piece = samples.slice(at, at + length);
        await source.captureFrame(new AudioFrame(piece, SAMPLE_RATE, 1, piece.length));
      }
      await source.waitForPlayout();
    },
    mute(muted) {
      client.request({
        message: { case: "localTrackMute", value: { trackHandle: track.ffi_handle.handle, mute: muted } },
      });
    },
    async publish(published) {
      if (published) await room.localParticipant?.publishTrack(track, options);
      else await room.localParticipant?.unpublishTrack(track.sid ?? "", false);
    },
    async untilSpeech({ sinceMs = performance.now(), timeoutMs = 5_000 } = {}) {
      const find = () => heard.find(({ atMs, level }) => atMs >= sinceMs && level > SOUND_LEVEL);
      return (await until(find, "the agent's voice", timeoutMs)).atMs;
    },
    async untilQuiet({ quietMs = 500, timeoutMs = 10_000 } = {}) {
      const last = () => heard.findLast(({ level }) => level > SOUND_LEVEL)?.atMs ?? 0;
      await until(() => performance.now() - last() > quietMs, "silence", timeoutMs);
      return last();
    },
    leave,
    [Symbol.asyncDispose]: leave,
  };
}

type Ear = ReadableStreamDefaultReader<AudioFrame>;

/** Opens the track's audio; undefined when the caller has left while the track was on its way. */
function openEar(track: RemoteAudioTrack, frameSizeMs: number): Ear | undefined {
  try {
    return new AudioStream(track, { sampleRate: SAMPLE_RATE, numChannels: 1, frameSizeMs })
      .getReader();
  } catch {
    return undefined;
  }
}

async function listen(ear: Ear, heard: HeardFrame[], keep: boolean): Promise<void> {
  for (let next = await ear.read(); !next.done; next = await ear.read()) {
    const { data } = next.value;
    const power = data.reduce((sum, sample) => sum + (sample / 32_768) ** 2, 0) / data.length;
    heard.push({ atMs: performance.now(), level: Math.sqrt(power), samples: keep ? data : nothing });
  }
}

async function read(
  reader: TextStreamReader,
  identity: string,
  transcripts: ReadTranscript[],
): Promise<void> {
  const transcript: ReadTranscript = {
    identity,
    attributes: reader.info.attributes ?? {},
    text: "",
    closed: false,
    atMs: performance.now(),
  };
  transcripts.push(transcript);
  try {
    for await (const piece of reader) transcript.text += piece;
    transcript.closed = true;
  } catch {
    // the room ended in the middle of it: `closed` stays false
  }
}

/** Waits until `find` gives something, looking every 10 ms. */
export async function until<T>(
  find: () => T | undefined | false | Promise<T | undefined | false>,
  what: string,
  timeoutMs = 15_000,
): Promise<T> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    const found = await find();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > giveUpAt) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
