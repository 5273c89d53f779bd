/** Sound that passes for a voice: never silent, its energy where speech has it. */

const loops = new Map<number, Int16Array>();

/** `count` samples of it at `sampleRate`, from the `from`th on. */
export function voice(sampleRate: number, from: number, count: number): Int16Array {
  const loop = loops.get(sampleRate) ?? makeLoop(sampleRate);
  loops.set(sampleRate, loop);
  return Int16Array.from({ length: count }, (_, i) => loop[(from + i) % loop.length] ?? 0);
}

/** Two seconds: twelve harmonics of 150 Hz under two formants, swelling four times a second. */
function makeLoop(sampleRate: number): Int16Array {
  return Int16Array.from({ length: sampleRate * 2 }, (_, i) => {
    const t = i / sampleRate;
    let sum = 0;
    for (let harmonic = 1; harmonic <= 12; harmonic++) {
      const hertz = 150 * harmonic;
      const formants = Math.exp(-(((hertz - 500) / 400) ** 2)) +
        0.5 * Math.exp(-(((hertz - 1500) / 500) ** 2));
      sum += (formants + 0.05) * Math.sin(2 * Math.PI * hertz * t + harmonic);
    }
    return Math.max(-30_000, Math.min(30_000, sum * 4_500 * (0.7 + 0.3 * Math.sin(8 * Math.PI * t))));
  });
}
