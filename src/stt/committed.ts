/**
 * Recognizers that are told when words are to be final: audio is sent as it comes, and committed when the voice pauses.
 * What they have in common is here; how each says it is its CommitProtocol.
 */
import { type AudioFrame, durationMs, joined, samplesIn } from "../audio/frame.ts";
import { liveStream } from "../audio/live.ts";
import type { Clock } from "../clock.ts";
import { asStageError, StageError } from "../errors.ts";
import {
  type CommitConnection,
  type CommitProtocol,
  type Committed,
  committedFormat,
} from "./commit_protocol.ts";
import type { SpeechInput, SpeechToText, TranscriptEvent } from "./stt.ts";

/** How much audio goes into a message, in milliseconds: each costs as much as its audio, and nobody waits in silence. */
const chunkMs = { speech: 40, silence: 100 };
/** What is committed at a pause, or in silence, and whatever is said; milliseconds. Providers slow down, or commit by themselves. */
const longMs = { pause: 20_000, speech: 30_000 };
/** What is sent of the silence before speech to one that is sent no silence, in milliseconds. */
const prefixMs = 500;
/** How long a session may take to begin, in milliseconds; the socket gives up before. */
const beginMs = 6_000;
/** Words that were heard where there was no voice are committed when no more come for so long. */
const strayMs = 1_000;
/** A provider that says nothing for so much speech is asked whether it is there, where that can be asked. */
const quietMs = 1_500;
/** What a connection without audio is sent. */
const keepAliveAudioMs = 20;

/** A `transcribe()` over `protocol`. An abort fails it with the signal's reason; any other failure is a StageError of stage "stt". */
export function transcribeCommitted(
  voice: ReadableStream<SpeechInput>,
  { signal, onSent }: Parameters<SpeechToText["transcribe"]>[1],
  protocol: CommitProtocol,
  clock: Clock,
): ReadableStream<TranscriptEvent> {
  const { provider, sendsSilence, leastMs, patienceMs, keepAliveMs, longestMs = Infinity } = protocol;
  const over = new AbortController();
  const out = liveStream<TranscriptEvent>({ limit: Infinity, onCancel: () => end() });
  /** Commits that are not answered. `fromMs`: where the connection's audio, as far as it was ours, began in all of it. */
  const commits: { asked: boolean; readonly fromMs: number }[] = [];
  let connection: CommitConnection | undefined;
  let begun = Promise.withResolvers<void>();
  let isBegun = false;
  let connectedMs = 0;
  let state: "silent" | "speaking" | "pausing" = "silent";
  /** Something was said since the last commit. */
  let unsaid = false;
  let batch: AudioFrame[] = [];
  let batchMs = 0;
  /** What was sent since the last commit, ours or not, and ours in all; and where this connection began. */
  let uncommittedMs = 0;
  let sentMs = 0;
  let fromMs = 0;
  let interim = "";
  let unansweredMs = 0;
  let drained = false;
  let wait: Disposable | undefined;
  let keepAlive: Disposable | undefined;
  let kept: AudioFrame[] = [];

  /** Ends everything; the first call counts. */
  const end = (error?: unknown) => {
    if (over.signal.aborted) return;
    over.abort();
    begun.resolve(); // whoever waits for it finds it over
    wait?.[Symbol.dispose]();
    keepAlive?.[Symbol.dispose]();
    connection?.close();
    if (error === undefined) out.close();
    else out.error(error);
  };
  const waitFor = (ms: number, then: () => void) => {
    wait?.[Symbol.dispose]();
    wait = clock.after(ms, then);
  };
  const failed = (what: string) => () =>
    end(new StageError("stt", `${provider} ${what}`, { retryable: true }));
  const waitForAnswer = () =>
    waitFor(patienceMs, failed(`did not say within ${patienceMs / 1000} s what the last words were`));

  const send = (samples: Int16Array, ms: number) => {
    connection?.send(samples);
    uncommittedMs += ms;
    onSent?.(ms);
  };
  /** Sends silence that is none of ours. */
  const pad = (ms: number) => {
    send(new Int16Array(samplesIn(ms, committedFormat)), ms);
    fromMs -= ms;
  };
  const flush = () => {
    if (batchMs === 0) return;
    send(joined(batch), batchMs);
    sentMs += batchMs;
    batch = [];
    batchMs = 0;
  };
  const commit = (asked = false) => {
    flush();
    commits.push({ asked, fromMs });
    if (uncommittedMs < leastMs) pad(leastMs - uncommittedMs);
    connection?.commit();
    uncommittedMs = 0;
    unsaid = state === "speaking";
    waitForAnswer();
  };

  const isIdle = () => state === "silent" && !unsaid && commits.length === 0;
  const connect = () => {
    connection?.close();
    keepAlive?.[Symbol.dispose]();
    if (isBegun) begun = Promise.withResolvers();
    isBegun = false;
    connectedMs = clock.now();
    fromMs = sentMs;
    uncommittedMs = 0;
    waitFor(beginMs, failed(`did not begin a session within ${beginMs / 1000} s`));
    connection = protocol.connect({
      begun: onBegun,
      interim: onInterim,
      final: onFinal,
      alive,
      expired,
      fail: end,
    });
  };
  const stayOpen = () => {
    if (keepAliveMs === undefined) return;
    const before = sentMs;
    keepAlive = clock.after(keepAliveMs, () => {
      if (sentMs === before) pad(keepAliveAudioMs);
      stayOpen();
    });
  };
  const onBegun = () => {
    isBegun = true;
    wait?.[Symbol.dispose]();
    begun.resolve();
    stayOpen();
  };
  const expired = (error: StageError) => isIdle() && !drained ? connect() : end(error);
  const alive = () => {
    unansweredMs = 0;
    out.push({ type: "interim", text: interim });
  };
  const onInterim = (text: string) => {
    interim = text;
    alive();
    if (commits.length > 0) return waitForAnswer();
    if (state !== "silent" || text === "") return;
    unsaid = true;
    waitFor(strayMs, commit);
  };
  const onFinal = ({ words, ...final }: Committed) => {
    const answered = commits.shift();
    if (!answered) uncommittedMs = 0; // the provider has committed by itself
    const asked = answered?.asked && { asked: true as const };
    unansweredMs = 0;
    interim = "";
    wait?.[Symbol.dispose]();
    if (final.text === "") out.push({ type: "interim", text: "", ...asked });
    else {
      const from = answered?.fromMs ?? fromMs;
      const later = words?.map((word) => ({
        ...word,
        startMs: word.startMs + from,
        endMs: word.endMs + from,
      }));
      out.push({ type: "final", ...final, ...(later && { words: later }), ...asked });
    }
    if (commits.length > 0) waitForAnswer();
    else if (drained) end();
  };

  const begin = () => {
    state = "speaking";
    unsaid = true;
    if (commits.length === 0) wait?.[Symbol.dispose]();
    for (const frame of kept) take(frame);
    kept = [];
    flush();
  };
  const take = (frame: AudioFrame) => {
    batch.push(frame);
    batchMs += durationMs(frame);
  };
  const hear = (frame: AudioFrame) => {
    if (!sendsSilence && !unsaid) {
      kept.push(frame);
      if (kept.length * durationMs(frame) > prefixMs) kept.shift();
      return;
    }
    take(frame);
    if (batchMs >= (state === "silent" ? chunkMs.silence : chunkMs.speech)) flush();
    if (uncommittedMs >= (unsaid ? longMs.speech : longMs.pause)) commit();
    if (state === "silent") return;
    unansweredMs += durationMs(frame);
    if (unansweredMs < quietMs) return;
    unansweredMs = 0;
    connection?.ping?.();
  };
  const obey = (event: SpeechInput) => {
    switch (event.type) {
      case "finalize": {
        const last = commits.at(-1);
        if (unsaid) commit(true);
        else if (last) last.asked = true;
        else out.push({ type: "interim", text: "", asked: true });
        return;
      }
      case "speech-start":
      case "speech-resume":
        return begin();
      case "speech-pause":
        state = "pausing";
        if (unsaid && uncommittedMs >= longMs.pause) commit();
        return;
      case "speech-end":
        state = "silent";
        if (unsaid) commit();
        return;
      case "audio":
        if (event.speech && state === "silent") begin(); // its start was lost with a connection
        return hear(event.frame);
    }
  };
  const write = async (event: SpeechInput) => {
    if (isIdle() && clock.now() - connectedMs >= longestMs) connect();
    await begun.promise;
    if (!over.signal.aborted) obey(event);
  };
  const drain = async () => {
    await begun.promise;
    if (over.signal.aborted) return;
    drained = true;
    if (unsaid) commit();
    if (commits.length === 0) end();
  };

  signal.addEventListener("abort", () => end(signal.reason), { signal: over.signal });
  if (signal.aborted) end(signal.reason);
  else connect();
  // Until the session has begun, the audio waits where it comes from.
  voice.pipeTo(new WritableStream({ write, close: drain }), { signal: over.signal })
    .catch((error) => end(asStageError("stt", error)));
  return out.readable;
}
