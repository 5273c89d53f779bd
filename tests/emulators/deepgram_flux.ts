/** /v2/listen, Flux: turns, and how sure it is that they are over; surer the longer the silence. */
import type { Wire } from "./deepgram.ts";
import type { ListenOptions } from "./deepgram_listen.ts";
import { createTurnHearing } from "./turn_hearing.ts";

/** Milliseconds of audio between two messages, unless something has changed. */
const updateMs = 240;
/** A connection on which neither audio nor a ping comes for so long is closed. */
const idleMs = 60_000;
/** So sure it is of the end after `ms` of silence; in the middle of what is said it is never surer than that. */
const sureness = { ms: 400, most: 0.95, within: 0.6 };

interface Thresholds {
  readonly eot_threshold: number;
  readonly eager_eot_threshold: number;
  readonly eot_timeout_ms: number;
}

/** Serves one connection. `told`: how many turns were told to be over, over all connections. */
export function listenFlux(wire: Wire, options: ListenOptions, told: { utterances: number }): void {
  const { socket, connection, clock } = wire;
  const { transcripts = ["Hello there."], listenDelayMs = 60, interimWordMs } = options;
  const rate = Number(connection.query.get("sample_rate"));
  let thresholds = thresholdsIn(connection.query);
  let idle: Disposable | undefined;
  let sequence = 0;
  let turnIndex = 0;
  let state: "none" | "open" | "eager" = "none";
  let updatedMs = 0;
  /** Turns that are over and not told yet. */
  let ending = 0;

  const later = (act: () => void) => wire.later(listenDelayMs, act);
  const send = (message: object) =>
    later(() => socket.send(JSON.stringify({ request_id: "emulator", sequence_id: sequence++, ...message })));
  const fail = (code: string, description: string) => {
    send({ type: "Error", code, description });
    later(() => socket.close(1011, code));
  };
  const confidence = () => {
    const { silentMs = 0, isWhole = false } = hearing.turn ?? {};
    return Math.min(silentMs / sureness.ms, isWhole ? sureness.most : sureness.within);
  };
  const tell = (event: string, more: object = {}) => {
    const words = hearing.turn?.words ?? [];
    updatedMs = hearing.atMs;
    send({
      type: "TurnInfo",
      event,
      turn_index: turnIndex,
      audio_window_start: 0,
      audio_window_end: hearing.atMs / 1000,
      transcript: words.map(({ text }) => text).join(" "),
      words: words.map(({ text, startMs, endMs }) => ({
        word: text,
        confidence: 0.99,
        start: startMs / 1000,
        end: endMs / 1000,
      })),
      end_of_turn_confidence: confidence(),
      ...more,
    });
  };
  const endTurn = (trigger: string) => {
    tell("EndOfTurn", { trigger });
    later(() => told.utterances++);
    ending++;
    later(() => ending--);
    turnIndex++;
    state = "none";
    hearing.end();
  };
  const onWindow = () => {
    const { turn } = hearing;
    if (turn && state === "none") {
      state = "open";
      tell("StartOfTurn");
    } else if (turn && state === "eager" && turn.silentMs === 0) {
      state = "open";
      tell("TurnResumed");
    } else if (turn && confidence() >= thresholds.eot_threshold) endTurn("model");
    else if (turn && turn.silentMs >= thresholds.eot_timeout_ms) endTurn("timeout");
    else if (turn && state === "open" && confidence() >= thresholds.eager_eot_threshold) {
      state = "eager";
      tell("EagerEndOfTurn");
    } else if (hearing.atMs - updatedMs >= updateMs) tell("Update");
  };
  const hearing = createTurnHearing({
    rate,
    spoken: () => transcripts[(told.utterances + ending) % transcripts.length] ?? "",
    wordMs: interimWordMs,
    onWindow,
  });
  const obey = (message: { readonly type: string; readonly thresholds?: Partial<Thresholds> }) => {
    connection.messages.push(message);
    if (message.type === "CloseStream") {
      tell("Update");
      return later(() => socket.close());
    }
    if (message.type !== "Configure") return fail("UNPARSABLE_CLIENT_MESSAGE", `no ${message.type} here`);
    const next = { ...thresholds, ...message.thresholds };
    const isTaken = areValid(next);
    if (isTaken) thresholds = next;
    send({ type: isTaken ? "ConfigureSuccess" : "ConfigureFailure", ...(isTaken && { thresholds }) });
  };
  const restartIdle = () => {
    idle?.[Symbol.dispose]();
    idle = clock.after(idleMs, () => socket.close(1011, "NET-0001"));
  };
  restartIdle();
  send({ type: "Connected" });
  socket.on("ping", () => {
    connection.pings++;
    restartIdle();
  });
  socket.on("message", (data: Uint8Array, isBinary: boolean) => {
    restartIdle();
    if (!isBinary) return obey(JSON.parse(new TextDecoder().decode(data)));
    connection.audioBytes += data.length;
    hearing.hear(data);
    wire.progress(connection.audioBytes / rate / 2 * 1000);
  });
  socket.on("close", () => {
    idle?.[Symbol.dispose]();
  });
}

/** Whether Flux takes `query`. */
export function isFlux(query: URLSearchParams): boolean {
  const model = query.get("model") ?? "";
  const rates = [8_000, 16_000, 24_000, 44_100, 48_000];
  if (!/^flux-general-(en|multi)$/.test(model) || !rates.includes(Number(query.get("sample_rate")))) {
    return false;
  }
  if (query.has("language_hint") && model !== "flux-general-multi") return false;
  return areValid(thresholdsIn(query));
}

const thresholdsIn = (query: URLSearchParams): Thresholds => ({
  eot_threshold: Number(query.get("eot_threshold") ?? 0.7),
  eager_eot_threshold: Number(query.get("eager_eot_threshold") ?? Infinity), // without one there are no eager ends
  eot_timeout_ms: Number(query.get("eot_timeout_ms") ?? 5_000),
});

function areValid({ eot_threshold, eager_eot_threshold: eager, eot_timeout_ms }: Thresholds): boolean {
  const isEager = eager === Infinity || (eager >= 0.3 && eager <= 0.9 && eager <= eot_threshold);
  return isEager && eot_threshold >= 0.5 && eot_threshold <= 1 && eot_timeout_ms >= 500 &&
    eot_timeout_ms <= 60_000;
}
