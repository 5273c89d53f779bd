/** A call over the page's own WebSocket. The messages are described in the server's src/room/browser/wire.ts. */
import { openAudio } from "./audio.js";
import { socketClosed } from "./words.js";

const MICROPHONE_RATE = 16_000;
const SPEAKER_RATE = 24_000;
/** Waits before each attempt to come back; the server keeps the session for 20 s. */
const RETRY_MS = [200, 500, 1_000, 2_000, 3_000, 4_000, 4_000, 4_000];
/** What may wait to be sent before microphone audio is dropped: one second. */
const MAX_BUFFERED_BYTES = 32_000;

/** Starts a call with `agent`; settles when its loudspeaker is open. `on` is told what happens, a function for each kind of thing. */
export async function startSocketCall(on, { agent }) {
  let socket;
  let resume;
  let over = false;
  let retries = 0;
  let timer;
  /** What was typed, or answered, while there was no session to hear it. */
  const unsent = [];
  let greeted = false;

  const send = (message) => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  };
  const sendOnceGreeted = (message) => {
    if (greeted) send(message);
    else unsent.push(message);
  };
  const audio = await openAudio({
    microphoneRate: MICROPHONE_RATE,
    speakerRate: SPEAKER_RATE,
    onPlayed: (position) => send({ type: "played", ...position }),
  });
  const finish = (words) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    socket?.close();
    void audio.close();
    removeEventListener("pagehide", leave);
    on.closed(words);
  };
  const leave = () => {
    send({ type: "bye" });
    finish({ text: "" });
  };

  const handlers = {
    hello(message) {
      resume = message.resume;
      retries = 0;
      greeted = true;
      audio.clear(message.epoch);
      on.connected();
      on.state(message.state);
      for (const message of unsent.splice(0)) send(message);
    },
    clear: ({ epoch }) => audio.clear(epoch),
    state: ({ state }) => on.state(state),
    "user-transcript": on.userTranscript,
    "agent-transcript": on.agentTranscript,
    "agent-heard": on.agentHeard,
    latency: on.latency,
    why: on.why,
    handoff: on.handoff,
    "tool-called": on.toolCalled,
    "tool-finished": on.toolFinished,
    "picture-request": ({ id }) => {
      on.picture().then((jpeg) => send({ type: "picture", id, jpeg }), ({ message }) => on.error(message));
    },
    "rpc-request": ({ id, method, payload }) => {
      on.tools.perform(method, payload).then(
        (answer) => sendOnceGreeted({ type: "rpc-result", id, payload: answer }),
        ({ code, message }) => sendOnceGreeted({ type: "rpc-error", id, code, message }),
      );
    },
    error: ({ text }) => on.error(text),
    closed: ({ reason, text }) => finish({ text: reason === "participant-left" ? "" : text }),
  };
  const connect = () => {
    const address = new URL("/room", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      send({ type: "hello", version: 1, agent, ...(resume && { resume, played: audio.position }) });
    });
    socket.addEventListener("message", ({ data }) => {
      if (data instanceof ArrayBuffer) return audio.play(data);
      const message = JSON.parse(data);
      handlers[message.type]?.(message);
    });
    socket.addEventListener("close", ({ code }) => {
      if (over) return;
      greeted = false;
      const words = socketClosed(code, { wasConnected: resume !== undefined });
      if (words || retries === RETRY_MS.length) {
        return finish(words ?? { text: "The server is gone.", failed: true });
      }
      on.reconnecting();
      timer = setTimeout(connect, RETRY_MS[retries++]);
    });
  };
  addEventListener("pagehide", leave);
  connect();

  return {
    listen: () =>
      audio.listen((frame) => {
        if (socket.readyState === WebSocket.OPEN && socket.bufferedAmount < MAX_BUFFERED_BYTES) {
          socket.send(frame);
        }
      }, () => on.microphoneLost()),
    say: (text) => sendOnceGreeted({ type: "text", text }),
    transcript: (text, final) => send({ type: "transcript", text, final }),
    interrupt: () => send({ type: "interrupt" }),
    turn: (action) => send({ type: "turn", action }),
    mute: audio.mute,
    showCamera() {}, // the server asks for what it wants to see
    levels: audio.levels,
    hangUp: leave,
    canInterrupt: true,
    get hasMicrophone() {
      return audio.hasMicrophone;
    },
    /** For the console and for tests. */
    audio,
    dropSocket: () => socket.close(4999),
  };
}
