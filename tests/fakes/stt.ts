/** What tests of recognizers on an emulator have in common. */
import type { FakeClock } from "./clock.ts";

/** Reads all of `stream`; settles with its error, or with undefined when it closed. */
export async function collect<T>(stream: ReadableStream<T>, into: T[]): Promise<unknown> {
  try {
    for await (const event of stream) into.push(event);
  } catch (error) {
    return error;
  }
}

/** Waits, in real time, for what the emulator does in its own. */
export async function until(condition: () => boolean, clock: FakeClock): Promise<void> {
  while (!condition()) {
    await clock.settle();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
