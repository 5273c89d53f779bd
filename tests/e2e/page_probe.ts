/** What tests wait for and measure in a page. */
import type { Page } from "playwright-core";

// What is there where the functions run that are handed to the page.
declare const document: { getElementById(id: string): { readonly textContent: string } };
declare const elementLevel: () => number;
declare const repartee: { readonly call?: { levels(): { readonly user: number; readonly agent: number } } };

/** Waits until the page shows that state. */
export async function untilState(page: Page, text: string): Promise<void> {
  await page.waitForFunction((text) => document.getElementById("state").textContent === text, text, {
    polling: 10,
    timeout: 5_000,
  });
}

/** Waits until the page is heard: the analyser before its loudspeaker says so. */
export async function untilLouder(page: Page): Promise<void> {
  await page.waitForFunction(() => (repartee.call?.levels().agent ?? 0) > 0.05, null, {
    polling: 10,
    timeout: 5_000,
  });
}

/** An analyser on what the page plays through an audio element, as a call in a LiveKit room does. */
export async function listenToElement(page: Page): Promise<{ untilHeard(): Promise<void> }> {
  await page.waitForSelector("audio", { state: "attached" });
  await page.evaluate(`(() => {
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(document.querySelector("audio").srcObject).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    globalThis.elementLevel = () => {
      analyser.getFloatTimeDomainData(samples);
      return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    };
  })()`);
  return {
    async untilHeard() {
      await page.waitForFunction(() => elementLevel() > 0.05, null, { polling: 10, timeout: 5_000 });
    },
  };
}

export interface RoundTrips {
  result(): Promise<{ readonly medianMs: number; readonly p95Ms: number; readonly count: number }>;
}

/**
 * From the page's next load on: each message of echoed audio is matched, by its samples' number, with the microphone
 * message that its last sample came in. The time in between is that of the network and the server, without the page's
 * own buffers.
 */
export async function recordRoundTrips(page: Page): Promise<RoundTrips> {
  await page.addInitScript(() => {
    const trips: number[] = [];
    const sent: { readonly end: number; readonly atMs: number }[] = [];
    let sentSamples = 0;
    let echoedSamples = 0;
    Object.assign(globalThis, { trips });
    const { WebSocket } = globalThis;
    globalThis.WebSocket = class extends WebSocket {
      constructor(url: string | URL) {
        super(url);
        this.addEventListener("message", ({ data }) => {
          if (!(data instanceof ArrayBuffer)) return;
          echoedSamples += data.byteLength / 2 / 1.5;
          while (sent[0] && sent[0].end < echoedSamples - 1) sent.shift();
          if (sent[0]) trips.push(performance.now() - sent[0].atMs);
        });
      }
      override send(data: string | ArrayBuffer) {
        if (data instanceof ArrayBuffer) {
          sentSamples += data.byteLength / 2;
          sent.push({ end: sentSamples, atMs: performance.now() });
        }
        super.send(data);
      }
    };
  });
  return {
    async result() {
      const trips = await page.evaluate<number[]>("trips");
      const sorted = trips.toSorted((a, b) => a - b);
      const at = (part: number) => Math.round((sorted[Math.floor(sorted.length * part)] ?? NaN) * 10) / 10;
      return { medianMs: at(0.5), p95Ms: at(0.95), count: sorted.length };
    },
  };
}
