/** How long the earliest arrival is remembered, twice this at most; a gap longer than that sets the time anew at once. */
const WINDOW_MS = 1000;

/**
 * Tells when audio was captured from when it arrived. A frame can arrive late but not early, so the earliest arrival in
 * the last second or two, counted in samples, fixes the time of the others: what a stalled event loop hands over in a burst keeps
 * its distances. Returns a function from a frame's arrival and duration to the time of its first sample; times never go
 * back. All in milliseconds.
 */
export function captureTimeline(): (arrivedMs: number, durationMs: number) => number {
  let audioMs = 0;
  let lastMs = -Infinity;
  let windowEndMs = -Infinity;
  let earliest = Infinity;
  let earliestBefore = Infinity;
  return (arrivedMs, durationMs) => {
    if (arrivedMs >= windowEndMs) {
      earliestBefore = arrivedMs >= windowEndMs + WINDOW_MS ? Infinity : earliest;
      earliest = Infinity;
      windowEndMs = arrivedMs + WINDOW_MS;
    }
    earliest = Math.min(earliest, arrivedMs - durationMs - audioMs);
    const atMs = Math.max(lastMs, audioMs + Math.min(earliest, earliestBefore));
    audioMs += durationMs;
    lastMs = atMs;
    return atMs;
  };
}
