/** Voices that stand in for each other: when one fails or gets stuck, the next speaks from the first word not delivered. */
import { generated, untilAborted } from "../abort.ts";
import type { Clock } from "../clock.ts";
import { asStageError, StageError } from "../errors.ts";
import { createHealth, type Health } from "../health.ts";
import { createDelivery, type Delivery } from "./delivery.ts";
import { createScript, type Script } from "./script.ts";
import type { SpeechEvent, TextToSpeech } from "./tts.ts";

/** Of a clause that was begun, so long without more sound is too long; milliseconds. */
const stuckMs = 2_500;

export interface FallbackOptions {
  readonly clock: Clock;
  /** How long the first sound may take, in milliseconds (default: learned from each voice; 3 s at first). */
  readonly firstResultMs?: number | undefined;
  /** Told of each failure that was made good. */
  readonly onFallback?: ((error: StageError) => void) | undefined;
  /** How the voices are doing, when more than this wrapper is to know. */
  readonly health?: Health | undefined;
}

/**
 * One voice made of several, which deliver the same format: asked in this order, those that failed lately last. When one
 * fails, is late with its first sound or stops for 2.5 s within a clause, the next one speaks what was not delivered:
 * from the first such word where word times tell, else as the audio's length does. The same voice twice is one that is
 * tried again. Fails, with the last error, when all do.
 */
export function fallbackTextToSpeech(
  voices: readonly [TextToSpeech, ...TextToSpeech[]],
  options: FallbackOptions,
): TextToSpeech {
  const { clock, firstResultMs, onFallback } = options;
  const health = options.health ?? createHealth({ members: voices.length, clock, firstResultMs });
  const [{ provider, model, output }] = voices;
  for (const voice of voices) {
    const { sampleRate, channels } = voice.output;
    if (sampleRate === output.sampleRate && channels === output.channels) continue;
    throw new TypeError(
      `${voice.provider}/${voice.model} delivers ${sampleRate} Hz × ${channels}; ` +
        `expected ${output.sampleRate} Hz × ${output.channels}, as ${provider}/${model} does`,
    );
  }

  async function* speak(text: ReadableStream<string>, signal: AbortSignal): AsyncGenerator<SpeechEvent> {
    const script = createScript(text, signal);
    let failure: StageError | undefined;
    let fromMs = 0;
    for (const place of health.order()) {
      const voice = voices[place];
      if (!voice) continue;
      if (failure) onFallback?.(failure);
      const delivery = createDelivery(script.from);
      try {
        for await (const event of attempt(voice, place, script, delivery, signal)) {
          yield delivery.take(event, fromMs);
        }
        return;
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (script.failure) throw script.failure.error; // whoever writes the text has failed, not the voice
        health.failed(place);
        failure = asStageError("tts", error);
        fromMs += delivery.audioMs;
        script.goBackTo(delivery.characters(script.text));
      }
    }
    throw failure;
  }

  /** What one voice makes of the script from where it stands; fails when it is late. */
  async function* attempt(
    voice: TextToSpeech,
    place: number,
    script: Script,
    delivery: Delivery,
    signal: AbortSignal,
  ): AsyncGenerator<SpeechEvent> {
    const cut = new AbortController();
    const both = AbortSignal.any([signal, cut.signal]);
    let timer: Disposable | undefined;
    let givenMs: number | undefined;
    let sounds = false;
    /** There is text of which the sound is to come, and somebody waits for it. */
    let owed = false;
    let reading = false;
    const watch = () => {
      timer?.[Symbol.dispose]();
      timer = undefined;
      if (!owed || !reading) return;
      const ms = sounds ? stuckMs : health.patienceMs(place);
      const what = sounds ? "fell silent, and did not go on" : "did not begin to speak";
      const message = `${voice.provider}/${voice.model} ${what} within ${Math.round(ms)} ms`;
      timer = clock.after(ms, () => cut.abort(new StageError("tts", message, { retryable: true })));
    };
    const given = () => {
      owed = true;
      givenMs ??= clock.now();
      if (!timer) watch();
    };
    try {
      const events = untilAborted(voice.synthesize(script.read(given, both), { signal: both }), both)
        .getReader();
      for (;;) {
        reading = true;
        watch();
        const { done, value } = await events.read();
        reading = false;
        watch();
        if (done) return;
        if (value.type === "audio" && !sounds) {
          sounds = true;
          if (givenMs !== undefined) health.answered(place, clock.now() - givenMs);
        }
        yield value;
        // There is sound of all that was given: what comes next is up to whoever writes the text.
        if (delivery.has(script.text)) owed = false;
      }
    } finally {
      reading = false;
      watch();
      cut.abort();
    }
  }

  const make = (connected: TextToSpeech["connect"]): TextToSpeech => ({
    provider,
    model,
    output,
    synthesize: (text, { signal }) => generated(signal, (signal) => speak(text, signal)),
    ...(connected && { connect: connected }),
    each: (wrap, onFallback = options.onFallback) =>
      fallbackTextToSpeech(voices.map(wrap) as [TextToSpeech], { ...options, health, onFallback }),
  });
  return make(
    voices.some(({ connect }) => connect)
      ? (session) => {
        const connected = new Map(voices.map((voice) => [voice, connectedOnce(voice, session)]));
        connected.get(voices[0])?.();
        const lines = voices.map((voice): TextToSpeech => ({
          ...voice,
          synthesize: (text, how) => (connected.get(voice)?.() ?? voice).synthesize(text, how),
        }));
        return fallbackTextToSpeech(lines as [TextToSpeech, ...TextToSpeech[]], { ...options, health });
      }
      : undefined,
  );
}

/** A connection that is made when it is first needed. */
function connectedOnce(voice: TextToSpeech, session: { readonly signal: AbortSignal }): () => TextToSpeech {
  let line: TextToSpeech | undefined;
  return () => line ??= voice.connect?.(session) ?? voice;
}
