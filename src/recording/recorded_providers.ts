/** Providers that are written down as a session uses them: what they bring and when, not what they are sent. */
import { type AudioFrame, durationMs } from "../audio/frame.ts";
import type { LanguageModel } from "../llm/llm.ts";
import type { Providers } from "../session.ts";
import type { SpeechToText } from "../stt/stt.ts";
import type { SpareVoice } from "../tts/spare.ts";
import type { SpeechEvent, TextToSpeech } from "../tts/tts.ts";
import type { AudioTurnDetector } from "../turn/end_of_turn.ts";
import { loudnessOf } from "../vad/loudness.ts";
import type { VoiceActivityDetector, VoiceEvent } from "../vad/vad.ts";
import { recordedStream } from "./recorded_stream.ts";
import { failureOf, type Recorder } from "./recorder.ts";

/** Frames are written so many at a time. */
const framesPerLine = 25;

/** The same providers, written down as they are used. */
export function recorded(providers: Providers, recorder: Recorder): Providers {
  const { vad, stt, llm, tts, spare, turnDetector, summarizer } = providers;
  return {
    vad: recordedDetector(vad, recorder),
    stt: recordedSpeechToText(stt, recorder),
    llm: recordedLanguageModel(llm, recorder),
    tts: recordedTextToSpeech(tts, recorder),
    ...(spare && { spare: recordedSpareVoice(spare, recorder) }),
    ...(turnDetector && { turnDetector: recordedTurnDetector(turnDetector, recorder) }),
    ...(summarizer && { summarizer: recordedLanguageModel(summarizer, recorder) }),
  };
}

function recordedDetector(vad: VoiceActivityDetector, recorder: Recorder): VoiceActivityDetector {
  return {
    model: vad.model,
    input: vad.input,
    detect(options) {
      const { readable, writable } = vad.detect(options);
      const microphone = recorder.next("vad");
      const frames = frameLines(recorder, microphone);
      const watch = new TransformStream<VoiceEvent, VoiceEvent>({
        transform(event, controller) {
          if (event.type === "audio") frames.add(event);
          else {
            const { since } = recorder;
            const mark = event.type === "speech-start"
              ? { ...event, atMs: since(event.atMs), voicedMs: since(event.voicedMs) }
              : { ...event, atMs: since(event.atMs) };
            recorder.note({ type: "voice-marked", microphone, mark });
          }
          controller.enqueue(event);
        },
        flush: frames.write,
      });
      return { readable: readable.pipeThrough(watch), writable };
    },
  };
}

/** Collects frames into lines: a line a frame would be most of the file. */
function frameLines(recorder: Recorder, microphone: number) {
  type Line = [number, number, number, number[], 0 | 1];
  let lines: Line[] = [];
  const write = () => {
    if (lines.length > 0) recorder.note({ type: "microphone-heard", microphone, frames: lines });
    lines = [];
  };
  return {
    add({ frame, speech }: { readonly frame: AudioFrame; readonly speech: boolean }) {
      const atMs = recorder.since(frame.timestampMs);
      const levels = loudnessOf(frame).map(({ level }) => level);
      lines.push([recorder.now(), atMs, durationMs(frame), levels, speech ? 1 : 0]);
      if (lines.length >= framesPerLine) write();
    },
    write,
  };
}

function recordedSpeechToText(stt: SpeechToText, recorder: Recorder): SpeechToText {
  const { each } = stt;
  return {
    ...stt,
    ...(each && { each: (wrap) => recordedSpeechToText(each(wrap), recorder) }),
    transcribe(voice, options) {
      const run = recorder.next("stt");
      recorder.note({ type: "stream-opened", of: "stt", run });
      return recordedStream(stt.transcribe(voice, options), {
        recorder,
        of: "stt",
        run,
        signal: options.signal,
      });
    },
  };
}

/** The same model, written down as it is used. */
export function recordedLanguageModel(llm: LanguageModel, recorder: Recorder): LanguageModel {
  const { each } = llm;
  return {
    ...llm,
    ...(each && { each: (...how) => recordedLanguageModel(each(...how), recorder) }),
    generate(request, options) {
      const run = recorder.next("llm");
      recorder.note({ type: "stream-opened", of: "llm", run, input: lastInput(request.messages) });
      return recordedStream(llm.generate(request, options), {
        recorder,
        of: "llm",
        run,
        signal: options.signal,
      });
    },
  };
}

/** The last of what a model is told that is no instruction. */
export function lastInput(messages: Parameters<LanguageModel["generate"]>[0]["messages"]): string {
  const last = messages.findLast(({ role }) => role !== "system");
  return last && "content" in last ? String(last.content) : "";
}

function recordedTextToSpeech(tts: TextToSpeech, recorder: Recorder): TextToSpeech {
  const { connect, each } = tts;
  return {
    ...tts,
    ...(each && { each: (...how) => recordedTextToSpeech(each(...how), recorder) }),
    synthesize(text, options) {
      const run = recorder.next("tts");
      recorder.note({ type: "stream-opened", of: "tts", run });
      recorder.note({ type: "stream-opened", of: "text", run });
      const taken = recordedStream(text, { recorder, of: "text", run, signal: options.signal });
      const itemOf = (event: SpeechEvent) =>
        event.type === "audio" ? { type: "audio", ms: durationMs(event.frame) } : event;
      return recordedStream(tts.synthesize(taken, options), {
        recorder,
        of: "tts",
        run,
        itemOf,
        signal: options.signal,
      });
    },
    ...(connect && { connect: (options) => recordedTextToSpeech(connect.call(tts, options), recorder) }),
  };
}

/** What it says in a reply is written down as what a voice says; what it keeps for later is not. */
function recordedSpareVoice(spare: SpareVoice, recorder: Recorder): SpareVoice {
  return {
    ...spare,
    ...recordedTextToSpeech(spare, recorder),
    with: (...how) => recordedSpareVoice(spare.with(...how), recorder),
  };
}

function recordedTurnDetector(detector: AudioTurnDetector, recorder: Recorder): AudioTurnDetector {
  const { model, windowMs, silenceMs } = detector;
  return {
    model,
    windowMs,
    silenceMs,
    async endOfTurn(samples, options) {
      const run = recorder.next("turn");
      recorder.note({ type: "stream-opened", of: "turn", run });
      try {
        const item = await detector.endOfTurn(samples, options);
        recorder.note({ type: "stream-brought", of: "turn", run, item });
        return item;
      } catch (error) {
        if (options.signal.aborted) throw error;
        recorder.note({ type: "stream-failed", of: "turn", run, error: failureOf("turn", error) });
        throw error;
      }
    },
  };
}
