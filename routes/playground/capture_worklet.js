/** The microphone in the audio thread: frames of 20 ms, 16-bit, at the rate of the wire. */
import { createResampler } from "./resampler.js";

const FRAME_MS = 20;

class Capture extends AudioWorkletProcessor {
  constructor({ processorOptions: { wireRate } }) {
    super();
    this.resample = createResampler(sampleRate, wireRate);
    this.length = wireRate * FRAME_MS / 1000;
    this.frame = new Int16Array(this.length);
    this.filled = 0;
  }

  process([[channel]]) {
    if (!channel) return true;
    for (const sample of this.resample(channel)) {
      this.frame[this.filled++] = Math.max(-1, Math.min(1, sample)) * 32767;
      if (this.filled === this.length) {
        this.port.postMessage(this.frame.buffer, [this.frame.buffer]);
        this.frame = new Int16Array(this.length);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
