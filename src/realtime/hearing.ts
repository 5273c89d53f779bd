/** What the user says, as the model's own connection tells it: it takes the voice, and a transcript comes afterwards. */
import { within } from "../abort.ts";
import { resampler } from "../audio/resample.ts";
import type { Clock } from "../clock.ts";
import { type CommitConnection, type CommitListener, committedFormat } from "../stt/commit_protocol.ts";
import { transcribeCommitted } from "../stt/committed.ts";
import type { SpeechToText } from "../stt/stt.ts";
import { ofStage } from "./of_stage.ts";
import type { Utterance } from "./conversation.ts";
import type { Ear, Line } from "./line.ts";
import type { UtteranceEvent } from "./protocol.ts";

/** What the connection itself does not fail with by then. */
const patienceMs = 10_000;
/** The model has understood what is not transcribed by then; milliseconds. */
const transcriptionMs = 2_000;
/** What stands in the history for that. */
const untranscribed = "(not transcribed)";

/** A recognizer on `line`, one voice at a time. `transcription`: the model that transcribes. */
export function hearingOn(
  line: Line,
  { provider, transcription, clock }: {
    readonly provider: string;
    readonly transcription: string;
    readonly clock: Clock;
  },
): SpeechToText {
  const protocol = {
    provider: line.provider,
    sendsSilence: false, // the model would be told of it, and it costs as much as speech
    leastMs: line.leastMs,
    patienceMs,
    connect: (listener: CommitListener) => listenOn(line, listener, clock),
  };
  return {
    provider,
    model: transcription,
    input: committedFormat,
    countsSent: true,
    transcribe: (voice, options) => transcribeCommitted(voice, options, protocol, clock),
  };
}

const newUtterance = (): Utterance => ({
  type: "heard",
  id: undefined,
  words: "",
  isFinal: false,
  isTold: false,
});

function listenOn(line: Line, listener: CommitListener, clock: Clock): CommitConnection {
  const held = line.hold();
  const resample = resampler(committedFormat.sampleRate, line.format.sampleRate);
  /** Committed, in that order, until all before them were told. */
  const committed: Utterance[] = [];
  const timers = new Map<Utterance, Disposable>();
  /** What was sent since the last commit. */
  let open = newUtterance();
  let isEmpty = true;
  let emptied = Promise.withResolvers<void>();
  let isOver = false;

  const complete = (utterance: Utterance, words: string) => {
    if (utterance.isFinal) return; // it was given up before
    timers.get(utterance)?.[Symbol.dispose]();
    timers.delete(utterance);
    Object.assign(utterance, { words, isFinal: true });
    while (committed[0]?.isFinal) listener.final({ text: committed.shift()!.words });
  };
  const find = (id: string): Utterance | undefined => {
    const known = [...committed, open].find((utterance) => utterance.id === id);
    if (known) return known;
    const next = [...committed, open].find((utterance) => utterance.id === undefined);
    if (next) next.id = id;
    return next;
  };
  const note = (event: UtteranceEvent) => {
    const utterance = find(event.id);
    if (!utterance) return;
    switch (event.type) {
      case "completed":
        return complete(utterance, event.words.trim());
      case "failed":
        return complete(utterance, untranscribed);
      case "delta":
        if (utterance.isFinal) return;
        utterance.words += event.words;
        if (utterance === (committed[0] ?? open)) listener.interim(utterance.words.trim());
    }
  };
  const close = () => {
    isOver = true;
    for (const timer of timers.values()) timer[Symbol.dispose]();
    if (line.ear === ear) line.ear = undefined;
    held[Symbol.dispose]();
  };
  const ear: Ear = {
    get isBusy() {
      return committed.length > 0 || !isEmpty;
    },
    committed: (ms, options) => isEmpty ? Promise.resolve() : within(ms, emptied.promise, options),
    note,
    lost: (error) => listener.fail(ofStage("stt", error)),
    expired: (error) => listener.expired(ofStage("stt", error)),
  };
  line.ear = ear;
  line.open().then(() => {
    if (isOver) return;
    line.connection?.clear(); // what whoever listened before has left
    listener.begun();
  }, () => {}); // the ear is told
  return {
    send(samples) {
      const resampled = resample(samples);
      if (resampled.length === 0) return;
      if (isEmpty) emptied = Promise.withResolvers();
      isEmpty = false;
      line.connection?.send(resampled);
    },
    commit() {
      const utterance = open;
      open = newUtterance();
      isEmpty = true;
      committed.push(utterance);
      line.conversation.heard(utterance);
      line.connection?.commit();
      emptied.resolve();
      timers.set(utterance, clock.after(transcriptionMs, () => complete(utterance, untranscribed)));
    },
    ping: () => line.ping(),
    close,
  };
}
