/** Recordings as files of one folder, a file a session. */
import { wallTime } from "../clock.ts";
import { ConfigError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Lines } from "./recorder.ts";

/** Lines that wait for the disk may take so much memory, in characters, for each session. */
const WAITING_LIMIT = 4_000_000;
/** A recording grows no longer than this, in characters: about ten hours of a call. */
const FILE_LIMIT = 200_000_000;

export interface RecordingFiles {
  /** Begins the file of a session; lines are written while the session goes on. */
  open(sessionId: string): Lines;
  /** Settles when every file that was closed is written. */
  idle(): Promise<void>;
}

/** As much of a file as is written to. */
export interface OpenFile {
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** Files in `folder`, which is made; throws a ConfigError when nothing can be written there. */
export async function recordingFiles(folder: string, log: Log): Promise<RecordingFiles> {
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    const file = `${folder}/.write-test`;
    await Deno.writeTextFile(file, "");
    await Deno.remove(file);
  } catch (error) {
    throw new ConfigError(
      `RECORD is ${JSON.stringify(folder)}, which cannot be written to: ${messageOf(error)}`,
    );
  }
  // Holds what people have said: for nobody else on this machine.
  const open = (path: string): Promise<OpenFile> =>
    Deno.open(path, { createNew: true, write: true, mode: 0o600 });
  return filesBy((name) => open(`${folder}/${name}`), log);
}

/** The same with files that `open` opens by their names. */
export function filesBy(open: (name: string) => Promise<OpenFile>, log: Log): RecordingFiles {
  const writing = new Set<Promise<void>>();
  return {
    open(sessionId) {
      const began = new Date(wallTime()).toISOString().replaceAll(/[:.]/g, "-");
      const name = `${began}_${sessionId.replaceAll(/[^\w-]/g, "")}.jsonl`;
      const { lines, done } = writeBehind(() => open(name), (error) => {
        log.error(
          { error, sessionId, recording: name },
          "a recording could not be written; the call goes on without",
        );
      });
      writing.add(done);
      void done.then(() => writing.delete(done));
      return lines;
    },
    async idle() {
      await Promise.all(writing);
    },
  };
}

/** Lines that are written one after the other, in the background; after a failure none is taken any more. */
function writeBehind(
  open: () => Promise<OpenFile>,
  onError: (error: unknown) => void,
): { readonly lines: Lines; readonly done: Promise<void> } {
  let waiting: string[] = [];
  let size = 0;
  let taken = 0;
  let closed = false;
  let failed = false;
  let wake = (): void => {};

  const run = async () => {
    const file = await open();
    try {
      for (;;) {
        while (waiting.length === 0 && !closed) await new Promise<void>((resolve) => wake = resolve);
        if (waiting.length === 0) return;
        let bytes = new TextEncoder().encode(waiting.join(""));
        waiting = [];
        size = 0;
        while (bytes.length > 0) bytes = bytes.subarray(await file.write(bytes));
      }
    } finally {
      file.close();
    }
  };
  const done = run().catch((error) => {
    failed = true;
    waiting = [];
    onError(error);
  });
  return {
    done,
    lines: {
      write(line) {
        if (failed || closed || size + line.length > WAITING_LIMIT || taken + line.length > FILE_LIMIT) {
          return false;
        }
        waiting.push(line);
        size += line.length;
        taken += line.length;
        wake();
        return true;
      },
      close() {
        closed = true;
        wake();
      },
    },
  };
}
