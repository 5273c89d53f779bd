/** The agent's voice in the audio thread: plays what comes, says how far it has come, forgets the rest when told. */
import { createResampler } from "./resampler.js";

/** What is gathered before playing begins, and how often the position is told, in milliseconds. */
const START_MS = 40;
const REPORT_MS = 100;
/** Audio that comes this soon after the last was played should have come before. */
const LATE_MS = 500;

class Playback extends AudioWorkletProcessor {
  constructor({ processorOptions: { wireRate } }) {
    super();
    this.wireRate = wireRate;
    this.underruns = 0;
    this.begin(0);
    this.port.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) this.take(new Int16Array(data));
      else this.begin(data.epoch);
    };
  }

  /** Forgets everything; what comes next belongs to `epoch`. */
  begin(epoch) {
    this.epoch = epoch;
    this.resample = createResampler(this.wireRate, sampleRate);
    this.queue = [];
    /** In samples of this context: what waits in `queue`, where its first run is read, what was played since `begin`. */
    this.queued = 0;
    this.offset = 0;
    this.played = 0;
    /** In samples of the wire. */
    this.received = 0;
    this.running = false;
    this.gathering = 0;
    this.sinceReport = 0;
    this.sinceDry = Infinity;
  }

  take(samples) {
    this.received += samples.length;
    const run = this.resample(Float32Array.from(samples, (sample) => sample / 32768));
    this.queue.push(run);
    this.queued += run.length;
  }

  process(_, [[out]]) {
    if (!this.running && this.queued > 0) {
      this.gathering += out.length;
      const enough = START_MS / 1000 * sampleRate;
      if (this.queued >= enough || this.gathering >= enough) this.start();
    }
    if (this.running) this.fill(out);
    else this.sinceDry += out.length;
    return true;
  }

  start() {
    if (this.sinceDry < LATE_MS / 1000 * sampleRate) this.underruns++;
    this.running = true;
    this.gathering = 0;
    this.report();
  }

  fill(out) {
    let filled = 0;
    while (filled < out.length && this.queue.length > 0) {
      const part = this.queue[0].subarray(this.offset, this.offset + out.length - filled);
      out.set(part, filled);
      filled += part.length;
      this.offset += part.length;
      if (this.offset === this.queue[0].length) {
        this.queue.shift();
        this.offset = 0;
      }
    }
    this.queued -= filled;
    this.played += filled;
    this.sinceReport += filled;
    if (this.queued === 0) {
      this.running = false; // at the end of a reply, or because the next samples come too late
      this.sinceDry = 0;
      this.report();
    } else if (this.sinceReport >= REPORT_MS / 1000 * sampleRate) this.report();
  }

  report() {
    this.sinceReport = 0;
    const { epoch, running, received, underruns } = this;
    const samples = running
      ? Math.min(received, Math.floor(this.played * this.wireRate / sampleRate))
      : received; // the filter keeps less than a millisecond back
    this.port.postMessage({ epoch, samples, running, underruns });
  }
}

registerProcessor("playback", Playback);
