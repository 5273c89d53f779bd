/** Sounds that go round and round under a voice: what they add to each sample, forward and back again. */
import { type AudioFormat, samplesIn } from "./frame.ts";

/** A sound that begins and ends softly whenever it is told to. */
export interface Layer {
  /** Whether it is to be heard. One that had fallen silent begins again at its start. */
  wanted: boolean;
}

export interface Layers {
  /** Adds a sound, one channel, which is repeated without end; it is not wanted yet. `volume`: 1 leaves it as it is. */
  add(samples: Int16Array, options: { readonly volume: number; readonly fadeMs: number }): Layer;
  /** Whether anything is heard, or will be. */
  readonly active: boolean;
  /** The next `count` samples of all of them, with `voice` on top: under a voice they are turned down. */
  render(count: number, voice?: Int16Array): Int16Array<ArrayBuffer>;
  /** Goes back by `count` of the samples that were rendered: they were not heard. */
  rewind(count: number): void;
  /** All but the last `count` of what was rendered was heard: nobody goes back there. */
  forget(count: number): void;
}

/** How far they are turned down under a voice: by 12 dB. */
const DUCKED = 0.25;
/** How long that takes, and how long the way back; milliseconds. */
const ATTACK_MS = 60;
const RELEASE_MS = 400;
/** They stay down for this long after the voice: between two words they do not come up. */
const HOLD_MS = 300;

interface State {
  /** Samples for which they stay down. */
  hold: number;
  /** 1, or down to DUCKED under a voice. */
  duck: number;
  readonly layers: { position: number; level: number; wanted: boolean }[];
}

/** A run of rendered samples, and what the state was before. */
interface Run {
  readonly count: number;
  readonly voiced: boolean;
  readonly before: State;
}

/** No layers yet. `format` has one channel. */
export function createLayers(format: AudioFormat): Layers {
  const attack = (1 - DUCKED) / samplesIn(ATTACK_MS, format);
  const release = (1 - DUCKED) / samplesIn(RELEASE_MS, format);
  const holdSamples = samplesIn(HOLD_MS, format);
  const sounds: { readonly samples: Int16Array; readonly volume: number; readonly fade: number }[] = [];
  let state: State = { hold: 0, duck: 1, layers: [] };
  let runs: Run[] = [];

  const copyOf = ({ hold, duck, layers }: State): State => ({
    hold,
    duck,
    layers: layers.map((layer) => ({ ...layer })),
  });

  /** Moves on by one sample, or by any number of a run that is alike. */
  const moveDuck = (voiced: boolean, count: number): number => {
    const held = voiced ? 0 : Math.min(state.hold, count);
    state.hold = voiced ? holdSamples : state.hold - held;
    const { duck } = state;
    return state.duck = voiced
      ? Math.max(DUCKED, duck - attack * count)
      : Math.min(1, duck + release * (count - held));
  };
  const moveLayer = (i: number, count: number) => {
    const [layer, sound] = [state.layers[i]!, sounds[i]!];
    layer.position = (layer.position + count) % sound.samples.length;
    const change = sound.fade * count;
    layer.level = layer.wanted ? Math.min(1, layer.level + change) : Math.max(0, layer.level - change);
  };

  const addTo = (mix: Float32Array, i: number, ducks: Float32Array) => {
    const [layer, { samples, volume, fade }] = [state.layers[i]!, sounds[i]!];
    let { position, level } = layer;
    for (let at = 0; at < mix.length; at++) {
      mix[at]! += samples[position]! * volume * level * ducks[at]!;
      if (++position === samples.length) position = 0;
      level = layer.wanted ? Math.min(1, level + fade) : Math.max(0, level - fade);
    }
    layer.position = position;
    layer.level = level;
  };

  return {
    add(samples, { volume, fadeMs }) {
      const i = sounds.push({ samples, volume, fade: 1 / Math.max(1, samplesIn(fadeMs, format)) }) - 1;
      state.layers.push({ position: 0, level: 0, wanted: false });
      runs = []; // what was rendered knows nothing of it
      return {
        get wanted() {
          return state.layers[i]!.wanted;
        },
        set wanted(wanted) {
          const layer = state.layers[i]!;
          if (wanted && layer.level === 0) layer.position = 0;
          layer.wanted = wanted;
        },
      };
    },
    get active() {
      return state.layers.some(({ level, wanted }) => wanted || level > 0);
    },
    render(count, voice) {
      runs.push({ count, voiced: voice !== undefined, before: copyOf(state) });
      const mix = new Float32Array(count);
      if (voice) mix.set(voice);
      const ducks = new Float32Array(count);
      for (let at = 0; at < count; at++) ducks[at] = moveDuck(voice !== undefined, 1);
      state.layers.forEach(({ level, wanted }, i) => {
        if (wanted || level > 0) addTo(mix, i, ducks);
      });
      const samples = new Int16Array(count);
      for (let at = 0; at < count; at++) {
        samples[at] = Math.max(-32768, Math.min(32767, Math.round(mix[at]!)));
      }
      return samples;
    },
    rewind(count) {
      const wanted = state.layers.map((layer) => layer.wanted);
      let left = count;
      while (left > 0) {
        const run = runs.pop();
        if (!run) break;
        state = copyOf(run.before);
        const kept = run.count - left;
        left -= run.count;
        if (kept <= 0) continue;
        runs.push({ ...run, count: kept });
        moveDuck(run.voiced, kept);
        state.layers.forEach((_, i) => moveLayer(i, kept));
      }
      state.layers.forEach((layer, i) => layer.wanted = wanted[i]!);
    },
    forget(count) {
      let kept = 0;
      const from = runs.findLastIndex((run) => (kept += run.count) >= count);
      if (from > 0) runs = runs.slice(from);
    },
  };
}
