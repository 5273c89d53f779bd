/** Sound behind the agent's voice: between the speaker and the device, so that the voice can stop while the sound goes on. */
import type { Clock } from "../clock.ts";
import type { Background, BackgroundLayer } from "../room/room.ts";
import { samplesIn } from "./frame.ts";
import { createLayers } from "./layers.ts";
import type { AudioDevice } from "./playout.ts";

/** A device for the speaker, and what is heard behind it. */
export interface Mixer extends Background {
  /** As the device itself, as far as the voice goes: its queue counts the voice alone, and `clear()` stops it alone. */
  readonly voice: AudioDevice;
  /** How often the device ran dry while there was something to be heard behind the voice. */
  readonly underruns: number;
}

/** How far ahead of the listener the device is fed while nobody speaks, and how much at once; milliseconds. */
const AHEAD_MS = 400;
const CHUNK_MS = 100;
/**
 * The same under a voice that has nothing more to say at present: no more than a stall of the event loop needs, since the
 * next piece of it comes after that.
 */
const AHEAD_OF_VOICE_MS = 40;
const CHUNK_OF_VOICE_MS = 20;

/** A mixer on `device`, which has one channel. Until a layer is begun it hands on what it is given and does nothing else. */
export function createMixer(device: AudioDevice, { clock }: { readonly clock: Clock }): Mixer {
  const { format } = device;
  const layers = createLayers(format);
  /** Whether what the device holds was put together here. */
  let mixing = false;
  let over = false;
  /** Samples since the mixing began: handed to the device, and up to the end of what the voice said. */
  let end = 0;
  let voiceEnd = 0;
  let underruns = 0;
  let timer: Disposable | undefined;
  let refilling = false;

  const ms = (samples: number) => samples / format.sampleRate * 1000;
  const heard = () => Math.max(0, end - samplesIn(device.queuedMs, format));
  const send = (samples: Int16Array<ArrayBuffer>) => {
    device.push(samples);
    end += samples.length;
    layers.forget(end - heard());
  };
  /** Takes back what was not heard yet. */
  const takeBack = () => {
    const unheard = end - heard();
    device.clear();
    end -= unheard;
    voiceEnd = Math.min(voiceEnd, end);
    layers.rewind(unheard);
  };

  /** Keeps the device fed while there is something to be heard. */
  const feed = () => {
    timer?.[Symbol.dispose]();
    timer = undefined;
    if (over || !mixing || !layers.active) return;
    if (device.queuedMs === 0 && end > 0 && !refilling) underruns++;
    refilling = false;
    const voiced = voiceEnd > heard();
    const [aheadMs, chunkMs] = voiced
      ? [AHEAD_OF_VOICE_MS, CHUNK_OF_VOICE_MS]
      : [AHEAD_MS - CHUNK_MS, CHUNK_MS];
    while (device.queuedMs <= aheadMs) send(layers.render(samplesIn(chunkMs, format)));
    timer = clock.after(Math.max(1, device.queuedMs - aheadMs), feed);
  };
  /** Feeds it once what is being done now is done: a voice that stops may begin to fade out right after. */
  const refill = () => {
    if (refilling) return;
    refilling = true;
    queueMicrotask(feed);
  };

  /** A layer was begun or ended: that is heard now, unless it would cost words of the voice. */
  const changed = () => {
    if (over) return;
    if (!mixing) {
      mixing = true;
      end = voiceEnd = samplesIn(device.queuedMs, format);
    } else if (voiceEnd <= heard()) takeBack();
    refill();
  };

  const voice: AudioDevice = {
    format,
    push(samples) {
      if (!mixing) return device.push(samples);
      const aloneFrom = Math.max(voiceEnd, heard());
      if (end > aloneFrom && voiceEnd <= heard()) takeBack();
      if (!layers.active && end === heard()) {
        mixing = false;
        return device.push(samples);
      }
      send(layers.render(samples.length, samples));
      voiceEnd = end;
      refill();
    },
    clear() {
      if (!mixing) return device.clear();
      takeBack();
      voiceEnd = end;
      refill();
    },
    get queuedMs() {
      return mixing ? Math.max(0, ms(voiceEnd - heard())) : device.queuedMs;
    },
  };

  return {
    format,
    voice,
    get underruns() {
      return underruns;
    },
    layer(samples, options): BackgroundLayer {
      const layer = layers.add(samples, options);
      const want = (wanted: boolean) => {
        if (layer.wanted === wanted) return;
        layer.wanted = wanted;
        changed();
      };
      return { start: () => want(true), stop: () => want(false) };
    },
    [Symbol.dispose]() {
      over = true;
      timer?.[Symbol.dispose]();
    },
  };
}
