/** The page's WebSockets: each is one of the client's and one of a worker's, and what comes in at one goes out at the other. */
// @ts-types="npm:@types/ws@8.18.1"
import { WebSocket as WorkerSocket } from "ws"; // not the platform's: that one hides a refusal's status
import { text as readText } from "node:stream/consumers";
import * as z from "zod";
import { parseJson } from "../json.ts";
import type { Log } from "../log.ts";
import { headersFrom, problem } from "./forward.ts";
import { byCalls, type Candidate, memory } from "./routing.ts";

interface Reached extends Candidate {
  readonly port: number;
}

export interface SocketOptions {
  /** The workers that can be reached. */
  readonly reached: () => readonly Reached[];
  readonly token: string;
  readonly log: Log;
}

/** A socket that is pinged in between, and not heard from for so long, is gone. */
const idleSeconds = 30;
/** Who has let so many bytes pile up takes nothing any more: a minute and a half of sound. */
const maxWaitingBytes = 4 * 1024 * 1024;
/** Resume tokens that are remembered, by the worker that gave them. */
const rememberedTokens = 10_000;
/** What wants to be said before the worker is there to hear it: a page waits for its answer after its hello. */
const maxEarly = 100;

/** Codes that no end of a socket may send (https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1). */
const unsendable: ReadonlySet<number> = new Set([1004, 1005, 1006, 1015]);
/** The worker is gone: the page comes again. */
const goneCode = 1012;

const hello = z.object({ type: z.literal("hello"), resume: z.string() });

export function createSockets({ reached, token, log }: SocketOptions) {
  const givenBy = memory<string>(rememberedTokens);

  /** A socket to that worker, open; or what it answered in place of it. */
  const connect = (
    { port }: Reached,
    { url, headers }: Pick<Request, "url" | "headers">,
    address: string,
  ): Promise<WorkerSocket | Response> => {
    const { pathname, search, host } = new URL(url);
    const passed = headersFrom({ headers }, { address, token });
    for (const name of [...passed.keys()].filter((name) => name.startsWith("sec-websocket-"))) {
      passed.delete(name);
    }
    passed.set("host", host);
    const socket = new WorkerSocket(`ws://127.0.0.1:${port}${pathname}${search}`, {
      headers: Object.fromEntries(passed),
      perMessageDeflate: false,
    });
    const { promise, resolve, reject } = Promise.withResolvers<WorkerSocket | Response>();
    socket.on("open", () => resolve(socket));
    socket.on("unexpected-response", async (request, answer) => {
      const { statusCode: status = 502, headers } = answer;
      const given = Object.entries(headers).flatMap(([name, value]) =>
        value === undefined || name === "transfer-encoding" ? [] : [[name, String(value)] as [string, string]]
      );
      try {
        resolve(new Response(await readText(answer), { status, headers: given }));
      } catch (error) {
        reject(error);
      }
      request.destroy();
    });
    socket.on("error", reject); // once it is open, the close that follows says enough
    return promise;
  };

  /** The page's socket and the worker's are one from now on. */
  const join = (
    page: WebSocket,
    first: WorkerSocket,
    by: Reached,
    reconnect: (to: Reached) => Promise<WorkerSocket | Response>,
  ) => {
    let worker = first;
    let name = by.name;
    /** What the page has said before it is known which worker is to hear it. */
    let early: (string | ArrayBuffer)[] | undefined = [];

    const endPage = (code: number, reason: string) => {
      if (page.readyState <= WebSocket.OPEN) page.close(unsendable.has(code) ? goneCode : code, reason);
    };
    const endWorker = (code: number, reason: string) => {
      if (unsendable.has(code)) worker.terminate();
      else worker.close(code, reason);
    };
    const overflow = (whose: string) => {
      log.warn({ worker: name }, `a page's socket is closed: too much waits for ${whose}`);
      endPage(1008, "too much waits to be sent");
      worker.terminate();
    };
    const toWorker = (data: string | ArrayBuffer) => {
      worker.send(data);
      if (worker.bufferedAmount > maxWaitingBytes) overflow("the worker");
    };
    const follow = (socket: WorkerSocket) => {
      let isGreeted = false;
      socket.on("message", (data, isBinary) => {
        if (page.readyState !== WebSocket.OPEN) return;
        const bytes = data as Uint8Array<ArrayBuffer>; // "nodebuffer", the default binary type
        const message = isBinary ? bytes : new TextDecoder().decode(bytes);
        if (!isGreeted && typeof message === "string") {
          isGreeted = true;
          const resume = resumeIn(message);
          if (resume !== undefined) givenBy.set(resume, name);
        }
        page.send(message);
        if (page.bufferedAmount > maxWaitingBytes) overflow("the page");
      });
      socket.on("close", (code, reason) => {
        if (socket === worker) endPage(code, reason.toString());
      });
    };

    /** A page that goes on with its session goes on where that is. */
    const choose = async (message: string | ArrayBuffer) => {
      const resume = resumeIn(message);
      const holder = resume === undefined ? undefined : givenBy.get(resume);
      const other = reached().find((one) => one.name === holder && one.name !== name);
      if (other) {
        const instead = await reconnect(other).catch(() => undefined); // it is gone: the page begins anew where it is
        if (instead instanceof WorkerSocket) {
          const before = worker;
          [worker, name] = [instead, other.name];
          before.terminate();
          follow(worker);
        }
      }
      for (const waiting of early ?? []) toWorker(waiting);
      early = undefined;
      if (page.readyState > WebSocket.OPEN) endWorker(1006, "");
    };

    page.binaryType = "arraybuffer";
    page.addEventListener("message", ({ data }) => {
      if (!early) return toWorker(data);
      if (early.push(data) > maxEarly) return overflow("the worker");
      if (early.length === 1) void choose(data);
    });
    page.addEventListener("close", ({ code, reason }) => endWorker(code, reason), { once: true });
    page.addEventListener("error", () => log.debug({}, "a page's socket failed"), { once: true }); // "close" follows
    follow(worker);
  };

  return {
    /** Answers a request for a WebSocket as the worker does, or opens both. */
    async accept(request: Request, address: string): Promise<Response> {
      const { url } = request;
      const headers = new Headers(request.headers); // those of the request itself are gone once it is upgraded
      for (const by of byCalls(reached())) {
        try {
          const worker = await connect(by, { url, headers }, address);
          if (worker instanceof Response) return worker;
          const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: idleSeconds });
          join(socket, worker, by, (other) => connect(other, { url, headers }, address));
          return response;
        } catch (error) {
          log.warn({ worker: by.name, error }, "a worker cannot be reached");
        }
      }
      return problem(503, "No worker can be reached; try again later.", { "retry-after": "10" });
    },
  };
}

/** The token in a hello, of either side; where it is none, whoever it is for says so. */
const resumeIn = (message: unknown): string | undefined => parseJson(message, hello)?.resume;
