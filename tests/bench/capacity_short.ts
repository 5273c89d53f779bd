/** Many short calls through one server, and what they leave in it. */
import { readLines } from "../e2e/lines.ts";
import { collectGarbage, freePort } from "./inspector.ts";
import { type Cost, type Handles, readCost, readHandles } from "./process.ts";
import { table } from "./results.ts";
import { readMetrics, run, type Setting, sleep, startReadyServer } from "./setting.ts";
import type { ShortCall, ShortCallsPlan } from "./short_calls.ts";

/**
 * Short calls at the same time, and how often what they cost is read. V8 lets garbage lie for as long as there is memory, so
 * that it is collected before.
 */
const atOnce = 4;
const readEvery = 20;
/** The native client frees a room's threads and sockets this late. */
const lettingGoMs = 15_000;

/** What the server holds after so many calls. */
interface Reading {
  readonly calls: number;
  /** What JavaScript has of the memory. */
  readonly heapMb: number;
  readonly cost: Cost | undefined;
  readonly handles: Handles | undefined;
}

/** Makes `calls` short calls through one server; what became of it as Markdown. */
export async function shortCalls(setting: Setting, calls: number): Promise<string> {
  const { livekit: { url: livekitUrl, apiKey, apiSecret } } = setting;
  const inspector = freePort();
  const { server, url } = await startReadyServer(setting, [`--inspect=127.0.0.1:${inspector}`]);
  await using _ = server;
  const read = async (calls: number): Promise<Reading> => {
    await collectGarbage(inspector);
    const metric = await readMetrics(url);
    const heapMb = metric('memory_bytes{kind="heap_used"}') / 1e6;
    return { calls, heapMb, cost: await readCost(server.pid), handles: await readHandles(server.pid) };
  };
  const plan: ShortCallsPlan = { livekit: { url: livekitUrl, apiKey, apiSecret }, url, calls, atOnce };
  const readings = [await read(0)];
  let [done, greeted] = [0, 0];
  {
    await using callers = run("short_calls.ts", JSON.stringify(plan));
    for await (const line of readLines(callers.stdout)) {
      const call: Partial<ShortCall> = JSON.parse(line);
      if (call.greeted === undefined) continue; // the native client's log
      if (call.greeted) greeted++;
      if (++done % readEvery > 0) continue;
      const reading = await read(done);
      readings.push(reading);
      console.error(`${done} short calls: ${reading.cost?.anonymousMb.toFixed(0)} MB`);
    }
  }
  while ((await readMetrics(url))('sessions{agent="assistant"}') > 0) await sleep(1_000);
  await sleep(lettingGoMs);
  const late = readings.filter(({ calls }) => calls >= done * 0.4);
  const shown = [...readings.filter(({ calls }) => calls % Math.ceil(done / 5) === 0), await read(done)];
  return `${done} short calls, ${atOnce} at a time, ${greeted} of them greeted; the last line is ${
    lettingGoMs / 1000
  } s later:\n\n${held(shown)}\n\nGrowth of the anonymous memory without garbage over calls ${
    late[0]?.calls
  } to ${done}: ${growthKb(late).toFixed(0)} KB a call.`;
}

const held = (readings: readonly Reading[]): string =>
  table(readings, {
    "short calls": ({ calls }) => `${calls}`,
    "anonymous memory, MB": ({ cost }) => cost?.anonymousMb.toFixed(0) ?? "–",
    "JavaScript's, MB": ({ heapMb }) => heapMb.toFixed(0),
    "open files": ({ handles }) => `${handles?.files ?? "–"}`,
    "of them sockets": ({ handles }) => `${handles?.sockets ?? "–"}`,
    threads: ({ handles }) => `${handles?.threads ?? "–"}`,
  });

/** The slope of the memory over calls by least squares, KB a call. */
function growthKb(readings: readonly Reading[]): number {
  const points = readings.map(({ calls, cost }) => ({ x: calls, y: (cost?.anonymousMb ?? NaN) * 1024 }));
  const mean = (of: "x" | "y") => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [x, y] = [mean("x"), mean("y")];
  const covariance = points.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0);
  return covariance / points.reduce((sum, point) => sum + (point.x - x) ** 2, 0);
}
