/// <reference lib="deno.worker" />
/** The thread of loadSmartTurn(): an answer takes 80–120 ms of CPU, which the calls' audio must not wait for. */
import * as ort from "onnxruntime-node";
import { messageOf } from "../errors.ts";
import type { WorkerMessage } from "../worker.ts";
import { BANDS, COLUMNS, logMelFeatures } from "./features.ts";
import type { SmartTurnRequest } from "./smart_turn.ts";

const models = new Map<string, Promise<ort.InferenceSession>>();

self.onmessage = async ({ data }: MessageEvent<SmartTurnRequest>) => {
  try {
    post({ type: "answer", answer: await probability(data) });
  } catch (error) {
    models.delete(data.file);
    post({ type: "error", error: messageOf(error) });
  }
};

function post(message: WorkerMessage<number>): void {
  self.postMessage(message);
}

async function probability({ file, samples }: SmartTurnRequest): Promise<number> {
  let loading = models.get(file);
  if (!loading) models.set(file, loading = load(file));
  const session = await loading;
  const features = new ort.Tensor("float32", logMelFeatures(samples), [1, BANDS, COLUMNS]);
  const outputs = await session.run({ input_features: features });
  const output = outputs[session.outputNames[0] ?? ""];
  const answer = output?.data instanceof Float32Array ? output.data[0] : undefined;
  if (answer === undefined || !(answer >= 0 && answer <= 1)) {
    throw new TypeError(`the model answered ${answer ?? output?.type ?? "nothing"}; expected a probability`);
  }
  return answer;
}

async function load(file: string): Promise<ort.InferenceSession> {
  return await ort.InferenceSession.create(await Deno.readFile(file), {
    executionProviders: ["cpu"],
    // More threads would take the cores from the calls.
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
}
