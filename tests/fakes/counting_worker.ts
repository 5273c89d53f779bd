/// <reference lib="deno.worker" />
/** A thread that answers each request with how many it has had; "fail" and "break" do as they say. */
import type { WorkerMessage } from "../../src/worker.ts";

let count = 0;

self.onmessage = ({ data }: MessageEvent<string>) => {
  count++;
  if (data === "break") throw new Error("broken");
  post({ type: "progress", progress: data });
  post(data === "fail" ? { type: "error", error: "failed" } : { type: "answer", answer: count });
};

function post(message: WorkerMessage<number, string>): void {
  self.postMessage(message);
}
