/** A call in a LiveKit room, through livekit-client: what the page does where the server has LiveKit keys. */
import { answerFailed, farewells } from "./words.js";

/** Starts a call with `agent`; the same shape as a call over the page's own socket. */
export async function startLiveKitCall(on, { agent }) {
  await loadClient();
  const { Room, RoomEvent, RpcError, Track, DisconnectReason } = globalThis.LivekitClient;
  const pass = await (await post("/token", {})).json();
  const room = new Room({ adaptiveStream: false, dynacast: false });
  const elements = new Set();
  let left = false;
  /** What was typed while there was no agent to read it; undefined once there is one. */
  let unsaid = [];

  const send = (text) => room.localParticipant.sendText(text, { topic: "lk.chat" });
  /** Why the agent left, once it has said so. */
  let ended;
  const showState = ({ "lk.agent.state": state, "repartee.close_reason": reason }) => {
    ended = reason ?? ended;
    if (!state) return;
    on.state(state);
    if (state === "initializing") return;
    for (const text of unsaid ?? []) void send(text);
    unsaid = undefined;
  };

  room.on(RoomEvent.TrackSubscribed, (track) => {
    if (track.kind !== Track.Kind.Audio) return;
    const element = track.attach();
    elements.add(element);
    document.body.append(element);
  });
  room.on(RoomEvent.ParticipantAttributesChanged, showState);
  room.on(RoomEvent.ParticipantConnected, ({ attributes }) => showState(attributes));
  room.on(RoomEvent.Reconnecting, () => on.reconnecting());
  room.on(RoomEvent.Reconnected, () => on.connected());
  room.on(RoomEvent.ParticipantDisconnected, ({ isAgent }) => {
    if (isAgent) void room.disconnect();
  });
  room.on(RoomEvent.Disconnected, (reason) => {
    for (const element of elements) element.remove();
    const failed = !left && reason !== DisconnectReason.CLIENT_INITIATED;
    on.closed({
      text: left
        ? ""
        : failed
        ? "The connection to the room was lost."
        : farewells[ended] ?? "The agent left.",
      failed,
    });
  });
  const read = async (reader, identity) => {
    const { attributes = {} } = reader.info;
    const id = attributes["lk.segment_id"] ?? reader.info.id;
    const other = room.remoteParticipants.get(identity);
    if (!other?.isAgent) {
      const speaker = other && (other.name || identity);
      const text = await reader.readAll();
      return on.userTranscript({ id, text, final: attributes["lk.transcription_final"] === "true", speaker });
    }
    for await (const text of reader) on.agentTranscript({ id, text, final: false });
    on.agentTranscript({ id, text: "", final: true });
  };
  room.registerTextStreamHandler("lk.transcription", (reader, { identity }) => {
    // It fails when somebody leaves in the middle of it; what came until then is shown.
    read(reader, identity).catch((error) => console.info("A transcript broke off:", error.message));
  });

  for (const method of on.tools.names) {
    room.registerRpcMethod(method, async ({ callerIdentity, payload }) => {
      if (!room.remoteParticipants.get(callerIdentity)?.isAgent) {
        throw new RpcError(1400, "Only the agent may ask.");
      }
      return await on.tools.perform(method, payload).catch(({ code, message }) => {
        throw new RpcError(code, message);
      });
    });
  }

  // The agent is sent while the page joins: neither waits for the other.
  const [joined, dispatched] = await Promise.allSettled([
    room.connect(pass.url, pass.token),
    post("/playground/dispatch", { room: pass.room, identity: pass.identity, agent }),
  ]);
  for (const { reason } of [dispatched, joined]) {
    if (!reason) continue;
    left = true;
    await room.disconnect();
    throw reason;
  }
  const { sessionId } = await dispatched.value.json();
  const events = openEvents(sessionId, on);
  room.once(RoomEvent.Disconnected, () => events.close());
  await room.startAudio();
  on.connected();
  for (const { attributes } of room.remoteParticipants.values()) showState(attributes);
  const agents = () => [...room.remoteParticipants.values()];

  return {
    listen: () =>
      room.localParticipant.setMicrophoneEnabled(true, {
        echoCancellation: true,
        noiseSuppression: true,
        autoGainControl: true,
      }),
    say(text) {
      if (unsaid) unsaid.push(text);
      else void send(text);
    },
    transcript() {},
    interrupt() {
      post("/playground/interrupt", { session: sessionId }).catch(({ message }) => on.error(message));
    },
    turn(action) {
      const agent = agents().find(({ isAgent }) => isAgent);
      if (!agent) return;
      room.localParticipant.performRpc({
        destinationIdentity: agent.identity,
        method: "repartee.turn",
        payload: action,
      }).catch(({ message }) => on.error(message));
    },
    /** Shows the camera's track to the agent, from now on; undefined: nothing any more. */
    async showCamera(track) {
      const { localParticipant } = room;
      const shown = localParticipant.getTrackPublication(Track.Source.Camera)?.track;
      if (shown) await localParticipant.unpublishTrack(shown);
      if (track) await localParticipant.publishTrack(track, { source: Track.Source.Camera });
    },
    mute: (muted) => room.localParticipant.setMicrophoneEnabled(!muted),
    levels: () => ({
      user: room.localParticipant.audioLevel,
      agent: Math.max(0, ...agents().map(({ audioLevel }) => audioLevel)),
    }),
    hangUp() {
      left = true;
      void room.disconnect();
    },
    canInterrupt: true,
    get hasMicrophone() {
      return room.localParticipant.audioTrackPublications.size > 0;
    },
  };
}

async function post(path, body) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(await answerFailed(response));
  return response;
}

/** What LiveKit's rooms have no word for: the server's own, in the messages of its src/room/browser/wire.ts. */
function openEvents(sessionId, on) {
  const handlers = {
    latency: on.latency,
    why: on.why,
    handoff: on.handoff,
    "tool-called": on.toolCalled,
    "tool-finished": on.toolFinished,
    "agent-heard": on.agentHeard,
    error: ({ text }) => on.error(text),
  };
  const events = new EventSource(`/playground/events?session=${encodeURIComponent(sessionId)}`);
  events.addEventListener("message", ({ data }) => {
    const message = JSON.parse(data);
    handlers[message.type]?.(message);
  });
  return events;
}

/** livekit-client comes as a plain script that leaves one global. */
function loadClient() {
  if (globalThis.LivekitClient) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/playground/livekit-client.js";
    script.addEventListener("load", resolve, { once: true });
    script.addEventListener("error", () => reject(new Error("livekit-client could not be loaded.")), {
      once: true,
    });
    document.head.append(script);
  });
}
