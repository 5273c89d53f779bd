/** A room that is a page: its microphone, its speaker and its screen, over one socket at a time. */
import { type AudioFrame, durationMs } from "../../audio/frame.ts";
import { liveStream } from "../../audio/live.ts";
import { createMixer } from "../../audio/mixer.ts";
import { createSpeaker } from "../../audio/playout.ts";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import { captureTimeline } from "../livekit/timeline.ts";
import type { AgentState, Participant, Room, RoomEnd, RoomMessage } from "../room.ts";
import { type DecodePicture, pageCamera } from "./camera.ts";
import type { Incoming, PageConnection } from "./connection.ts";
import { pageDevice } from "./device.ts";
import { pageRequests } from "./rpc.ts";
import {
  type ClientHello,
  CLOSE_CODE,
  MICROPHONE_FORMAT,
  type PageCloseReason,
  type ServerMessage,
  SPEAKER_FORMAT,
  WIRE_VERSION,
} from "./wire.ts";

export interface BrowserRoomOptions {
  readonly name: string;
  readonly agentName: string;
  /** What a page shows to go on with this room on another socket. */
  readonly resumeToken: string;
  readonly clock: Clock;
  readonly log: Log;
  /** How long a page whose socket was lost may take to return, milliseconds (default 20,000). */
  readonly graceMs?: number;
  /** Turns what the page's camera takes into pixels; without it no picture is ever asked for. */
  readonly decode?: DecodePicture | undefined;
}

export interface BrowserRoom extends Room {
  readonly messages: ReadableStream<RoomMessage>;
  /** Goes on over `connection`, whose page has said `hello`; the connection before is closed. */
  attach(connection: PageConnection, hello: ClientHello): void;
  /** Shows the page something; what is posted while it has no socket is kept until it returns. */
  post(message: ServerMessage): void;
  /** Says why the session is over and closes the socket. The room is of no use afterwards. */
  hangUp(reason: PageCloseReason, text: string): void;
}

const MICROPHONE_BUFFER_MS = 2_000;
/** Typed turns that wait to be read, and messages that wait for a page to return. */
const MESSAGES_KEPT = 100;
const POSTS_KEPT = 500;

/** A room without a page yet. Its owner hangs up when the session has ended: only then is the last word known. */
export function browserRoom(
  { name, agentName, resumeToken, clock, log, graceMs = 20_000, decode }: BrowserRoomOptions,
): BrowserRoom {
  const microphone = liveStream<AudioFrame>({ limit: MICROPHONE_BUFFER_MS, size: durationMs });
  const messages = liveStream<RoomMessage>({ limit: MESSAGES_KEPT });
  const closed = new AbortController();
  const capturedAt = captureTimeline();
  const participant: Participant = { identity: "page", name: "", metadata: "", attributes: {} };
  let state: AgentState = "initializing";
  let connection: PageConnection | undefined;
  let grace: Disposable | undefined;
  let unsent: ServerMessage[] = [];

  const post = (message: ServerMessage) => {
    if (connection) connection.send(message);
    else unsent = [...unsent, message].slice(-POSTS_KEPT);
  };
  const device = pageDevice({
    clock,
    play: (samples) => connection?.play(samples),
    clear: (epoch) => connection?.send({ type: "clear", epoch }), // without a page there is nothing to forget
  });
  const mixer = createMixer(device, { clock });
  const requests = pageRequests({ clock, post });
  const camera = decode &&
    pageCamera({ ask: (message) => connection?.send(message), decode, clock, closed: closed.signal });
  const end = (reason: RoomEnd) => {
    if (closed.signal.aborted) return;
    mixer[Symbol.dispose]();
    grace?.[Symbol.dispose]();
    microphone.close();
    messages.close();
    requests.close();
    closed.abort(reason);
  };

  const hear = (samples: Int16Array) => {
    const frame = { samples, ...MICROPHONE_FORMAT, timestampMs: 0 };
    microphone.push({ ...frame, timestampMs: capturedAt(clock.now(), durationMs(frame)) });
  };
  const take = (message: Incoming) => {
    switch (message.type) {
      case "audio":
        return hear(message.samples);
      case "played":
        return device.report(message, message.running);
      case "rpc-result":
      case "rpc-error":
        return requests.answer(message);
      case "picture":
        return camera?.answer(message);
      case "bye":
        return end("participant-left");
      case "text":
      case "transcript":
      case "interrupt":
      case "turn":
        return messages.push(message);
      case "hello":
        return; // said already
    }
  };
  const read = async (from: PageConnection) => {
    for await (const message of from.incoming) take(message);
    if (from !== connection) return;
    connection = undefined;
    device.halt();
    if (closed.signal.aborted) return;
    log.info({ graceMs }, "the page's socket was lost");
    grace = clock.after(graceMs, () => end("participant-left"));
  };
  const greeting = (resumed: boolean): ServerMessage => ({
    type: "hello",
    version: WIRE_VERSION,
    sessionId: name,
    agent: agentName,
    resume: resumeToken,
    resumed,
    epoch: device.epoch,
    microphone: { sampleRate: MICROPHONE_FORMAT.sampleRate },
    speaker: { sampleRate: SPEAKER_FORMAT.sampleRate },
    state,
  });

  return {
    name,
    id: name,
    identity: agentName,
    participant,
    microphone: microphone.readable,
    messages: messages.readable,
    speaker: createSpeaker(mixer.voice, { clock }),
    background: mixer,
    ...(camera && { video: camera.video }),
    closed: closed.signal,
    get droppedMs() {
      return microphone.dropped;
    },
    transcripts: {
      user: (segment) => post({ type: "user-transcript", ...segment }),
      agent: (id) => ({
        write: (text) => post({ type: "agent-transcript", id, text, final: false }),
        close: () => post({ type: "agent-transcript", id, text: "", final: true }),
      }),
    },
    waitForParticipant(identity = participant.identity) {
      if (closed.signal.aborted) return Promise.reject(closed.signal.reason);
      if (identity === participant.identity) return Promise.resolve(participant);
      return Promise.reject(
        new Error(`waitForParticipant(): a page is "page", never ${JSON.stringify(identity)}`),
      );
    },
    performRpc: requests.perform,
    setState(next) {
      state = next;
      post({ type: "state", state });
    },
    attach(next, hello) {
      grace?.[Symbol.dispose]();
      connection?.close(CLOSE_CODE.replaced, "the session goes on in another socket");
      connection = next;
      if (hello.played) device.report(hello.played, false);
      device.replay(() => next.send(greeting(hello.resume === resumeToken)));
      for (const message of unsent.splice(0)) next.send(message);
      read(next).catch((error) => log.error({ error }, "a page's socket could not be read"));
    },
    post,
    hangUp(reason, text) {
      end("closed");
      post({ type: "closed", reason, text });
      connection?.close(CLOSE_CODE.done, reason);
    },
    [Symbol.asyncDispose]() {
      end("closed");
      return Promise.resolve();
    },
  };
}
