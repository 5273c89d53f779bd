/** Threads that calls share: started by the first that needs one, ended with the last. */
import { type Stage, StageError } from "./errors.ts";

/** What a thread answers: a request at a time, in order; it may tell of its progress in between. */
export type WorkerMessage<Answer, Progress = never> =
  | { readonly type: "answer"; readonly answer: Answer }
  | { readonly type: "error"; readonly error: string }
  | { readonly type: "progress"; readonly progress: Progress };

export interface SharedWorkerOptions<Progress> {
  readonly url: URL;
  /** What it is called in errors. */
  readonly name: string;
  readonly stage: Stage;
  readonly onProgress?: (progress: Progress) => void;
}

/** A hold on a thread; it may end when it is disposed of. */
export interface WorkerHold<Request, Answer> extends Disposable {
  /** Settles with the answer; rejects with a StageError, or with the signal's reason as soon as it aborts. */
  ask(request: Request, options: { readonly signal: AbortSignal }): Promise<Answer>;
}

/** Returns what holds the one thread, starting it when nobody does. */
export function sharedWorker<Request, Answer, Progress = never>(
  options: SharedWorkerOptions<Progress>,
): () => WorkerHold<Request, Answer> {
  let shared: Thread<Request, Answer> | undefined;
  return () => {
    if (shared?.failed) shared = undefined;
    const thread = shared ??= startThread<Request, Answer, Progress>(options);
    thread.holders++;
    return {
      ask: thread.ask,
      [Symbol.dispose]() {
        if (--thread.holders > 0) return;
        thread.end();
        if (shared === thread) shared = undefined;
      },
    };
  };
}

interface Thread<Request, Answer> extends Pick<WorkerHold<Request, Answer>, "ask"> {
  holders: number;
  /** It could not be loaded, or ran out of memory: it answers no more. */
  readonly failed: boolean;
  end(): void;
}

function startThread<Request, Answer, Progress>(
  { url, name, stage, onProgress }: SharedWorkerOptions<Progress>,
): Thread<Request, Answer> {
  const worker = new Worker(url, { type: "module", name });
  /** In order; the first is with the thread. What is aborted while it waits never gets there. */
  const jobs: { readonly request: Request; readonly answered: PromiseWithResolvers<Answer> }[] = [];
  let failure: StageError | undefined;
  const sendFirst = () => {
    if (jobs[0]) worker.postMessage(jobs[0].request);
  };

  worker.onmessage = ({ data }: MessageEvent<WorkerMessage<Answer, Progress>>) => {
    if (data.type === "progress") return onProgress?.(data.progress);
    const answered = jobs.shift()?.answered;
    if (data.type === "answer") answered?.resolve(data.answer);
    else answered?.reject(new StageError(stage, `${name}: ${data.error}`));
    sendFirst();
  };
  worker.onerror = (event) => {
    event.preventDefault();
    worker.terminate();
    failure = new StageError(stage, `${name} stopped: ${event.message}`, { retryable: true });
    for (const { answered } of jobs.splice(0)) answered.reject(failure);
  };

  return {
    holders: 0,
    get failed() {
      return failure !== undefined;
    },
    end: () => worker.terminate(),
    async ask(request, { signal }) {
      signal.throwIfAborted();
      if (failure) throw failure;
      const job = { request, answered: Promise.withResolvers<Answer>() };
      const abort = () => {
        job.answered.reject(signal.reason);
        const at = jobs.indexOf(job);
        if (at > 0) jobs.splice(at, 1);
      };
      signal.addEventListener("abort", abort, { once: true });
      if (jobs.push(job) === 1) sendFirst();
      try {
        return await job.answered.promise;
      } finally {
        signal.removeEventListener("abort", abort);
      }
    },
  };
}
