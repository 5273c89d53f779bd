/** The page: its controls, what they do to a call, and what a call does to the page. */
import { chosenAgent, showAgents } from "./agents.js";
import { createCamera } from "./camera.js";
import { createClientTools } from "./client_tools.js";
import { startLiveKitCall } from "./livekit_call.js";
import { createHold } from "./hold.js";
import { createOrb } from "./orb.js";
import { canRecognize, createRecognition, recognitionService } from "./recognition.js";
import { showSettings } from "./settings.js";
import { startSocketCall } from "./socket_call.js";
import { createTranscript } from "./transcript.js";
import { answerFailed, cameraFailed, microphoneFailed, states } from "./words.js";

const at = (id) => document.getElementById(id);
const stage = document.querySelector(".stage");

/** What the page is to: "idle", "connecting", "reconnecting", "live" or "ended"; and, when live, the agent's state. */
let phase = "idle";
let agentState = "initializing";
let muted = false;
let call;
/** The call that was asked for last, while it begins and as long as it lasts. */
let starting;
let config;
/** The agent that is talked with, as the server describes it, and the name of who is in charge by now. */
let agent;
let inCharge = "Agent";
let recognition;

const transcript = createTranscript({
  list: at("turns"),
  scroll: at("scroll"),
  announce: (text) => at("announce").textContent = text,
  agentName: () => inCharge,
});
const alertUser = (text) => {
  at("alert").textContent = text;
  at("alert").hidden = !text;
};

/** What a call tells the page. */
const on = {
  connected() {
    phase = "live";
    show();
  },
  reconnecting() {
    phase = "reconnecting";
    show();
  },
  state(state) {
    agentState = state;
    show();
  },
  userTranscript: transcript.user,
  agentTranscript: (piece) => {
    at("empty").hidden = true;
    transcript.agent(piece);
  },
  agentHeard: transcript.heard,
  latency: transcript.latency,
  why: transcript.why,
  toolCalled: transcript.toolCalled,
  toolFinished: transcript.toolFinished,
  handoff(message) {
    transcript.handoff(message);
    setInCharge(message.to);
  },
  picture: () => camera.picture(),
  error: alertUser,
  tools: createClientTools({ show: alertUser }),
  microphoneLost: () => alertUser("The microphone was unplugged. Plug it in and start again, or type."),
  closed({ text, failed = false }) {
    call = undefined;
    starting = undefined;
    phase = failed ? "idle" : "ended";
    recognition?.hear(false);
    camera.stop();
    setMuted(false);
    hold.release();
    if (text) alertUser(text);
    show();
  },
};

/** For an agent that waits for a key, and does not guess when the user has finished. */
const hold = createHold({
  button: at("hold"),
  mayStart: () => Boolean(agent?.pushToTalk && call?.hasMicrophone && phase === "live"),
  onTurn: (action) => call?.turn(action),
  onChange: (held) => at("hold").classList.toggle("held", held),
});

const camera = createCamera({
  preview: at("preview"),
  onChange(track) {
    call?.showCamera(track)?.catch(({ message }) => alertUser(message));
    show();
  },
});

/** The call there is, or a new one; undefined when none can be had. */
async function begin() {
  starting ??= start();
  try {
    return await starting;
  } catch (error) {
    starting = undefined;
    phase = "idle";
    alertUser(error.message);
    show();
  }
}

async function start() {
  phase = "connecting";
  agentState = "initializing";
  alertUser("");
  show();
  config ??= await settings();
  agent = chosenAgent(config);
  setInCharge(agent.name);
  const startCall = config.mode === "livekit" ? startLiveKitCall : startSocketCall;
  call = await startCall(on, { agent: agent.name });
  return call;
}

async function talk() {
  if (call?.hasMicrophone) return call.hangUp();
  const current = await begin();
  if (!current) return;
  try {
    await current.listen();
    recognition ??= recognizer();
  } catch (error) {
    if (current !== call) return; // the call has ended, and said why
    alertUser(microphoneFailed(error));
    at("text").focus();
  }
  show();
}

async function say(text) {
  const current = await begin();
  if (!current) return;
  at("empty").hidden = true;
  transcript.typed(text);
  current.say(text);
}

async function toggleCamera() {
  if (camera.on) return camera.stop();
  try {
    await camera.start();
  } catch (error) {
    alertUser(cameraFailed(error));
  }
}

function setInCharge(name) {
  inCharge = name;
  at("agent").textContent = name;
}

function setMuted(next) {
  muted = next;
  call?.mute(muted);
  show();
}

/** The browser hears for a server that cannot; its audio goes to the server all the same, which hears pauses in it. */
function recognizer() {
  if (agent.recognizer !== "page" || config.mode !== "browser" || !canRecognize) return undefined;
  return createRecognition({ onText: (text, final) => call?.transcript(text, final), onError: alertUser });
}

function show() {
  const live = phase === "live";
  const talking = live && call?.hasMicrophone;
  const state = live ? agentState : phase;
  const label = live && muted && state === "listening" ? "muted" : state;
  stage.dataset.state = state;
  if (at("state").textContent !== states[label]) at("state").textContent = states[label];
  at("talk").textContent = talking ? "Hang up" : phase === "connecting" ? "Connecting" : "Start talking";
  at("talk").classList.toggle("hang-up", Boolean(talking));
  at("talk").setAttribute("aria-disabled", String(phase === "connecting"));
  at("end").hidden = !(call && !talking);
  at("mute").disabled = !talking;
  at("mute").setAttribute("aria-pressed", String(muted));
  at("hold").hidden = !(talking && agent?.pushToTalk);
  at("mute").hidden = !at("hold").hidden;
  at("preview").hidden = !camera.on;
  at("camera").hidden = !(live && agent?.sees);
  at("camera").textContent = camera.on ? "Turn the camera off" : "Show my camera";
  at("camera").setAttribute("aria-pressed", String(camera.on));
  at("interrupt").disabled = !(live && state === "speaking" && call?.canInterrupt);
  recognition?.hear(Boolean(talking) && !muted && state !== "speaking");
}

async function settings() {
  const response = await fetch("/playground/config").catch(() => {
    throw new Error("The server does not answer. Is it running?");
  });
  if (!response.ok) throw new Error(await answerFailed(response));
  return await response.json();
}

at("talk").addEventListener("click", talk);
at("end").addEventListener("click", () => call?.hangUp());
at("mute").addEventListener("click", () => setMuted(!muted));
at("camera").addEventListener("click", toggleCamera);
at("interrupt").addEventListener("click", () => call?.interrupt());
at("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("text").value.trim();
  if (!text) return;
  at("text").value = "";
  void say(text);
});
at("ideas").addEventListener("click", ({ target }) => {
  if (target.matches("button")) void say(target.textContent);
});
addEventListener("keydown", (event) => {
  const { key, target, ctrlKey, altKey, metaKey } = event;
  if (ctrlKey || altKey || metaKey) return;
  if (key === "Escape") return call?.interrupt();
  if (target.closest("input, button, summary, a")) return; // these have keys of their own
  if (key === " ") {
    if (call?.hasMicrophone) setMuted(!muted);
    else void talk();
  } else if (key === "/") at("text").focus();
  else return;
  event.preventDefault();
});

createOrb(at("orb"), () => ({ state: stage.dataset.state, ...(call?.levels() ?? { user: 0, agent: 0 }) }));
show();
settings().then((loaded) => {
  config = loaded;
  showAgents(at("agents"), config);
  agent = chosenAgent(config);
  setInCharge(agent.name);
  showSettings(agent, { mode: config.mode, service: canRecognize ? recognitionService() : undefined });
}).catch((error) => alertUser(error.message));

/** For the browser's console, and for tests. */
Object.defineProperty(globalThis, "repartee", { get: () => ({ call, phase, agentState }) });
