/** Recordings on a disk that is quick, slow, full or not there. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { filesBy, type OpenFile, recordingFiles } from "../../src/recording/files.ts";
import { createRecorder } from "../../src/recording/recorder.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog, silentLog } from "../fakes/log.ts";

/** A file in memory; nothing is written to it before `gate` settles, and no more than `atOnce` bytes at a time. */
function memoryFile({ gate = Promise.resolve(), atOnce = Infinity, full = false } = {}) {
  let text = "";
  let closed = 0;
  const file: OpenFile = {
    async write(bytes) {
      await gate;
      if (full) throw new Error("no space left on device");
      const part = bytes.subarray(0, atOnce);
      text += new TextDecoder().decode(part);
      return part.length;
    },
    close: () => void closed++,
  };
  return {
    file,
    get text() {
      return text;
    },
    get closed() {
      return closed;
    },
  };
}

describe("recordings", () => {
  it("are files that name nobody and that nobody else reads, a line for each", async () => {
    const folder = await Deno.makeTempDir();
    try {
      const files = await recordingFiles(`${folder}/recordings/today`, silentLog);
      const lines = files.open("session_1/../2");
      for (const line of ["one\n", "two\n"]) assert(lines.write(line));
      lines.close();
      assertEquals(lines.write("three\n"), false);
      await files.idle();
      const [entry, ...more] = [...Deno.readDirSync(`${folder}/recordings/today`)];
      assertEquals(more, []);
      assertMatch(entry?.name ?? "", /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z_session_12\.jsonl$/);
      const path = `${folder}/recordings/today/${entry?.name}`;
      assertEquals(await Deno.readTextFile(path), "one\ntwo\n");
      assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  it("are refused at the start where nothing can be written", async () => {
    const file = await Deno.makeTempFile();
    try {
      await assertRejects(
        () => recordingFiles(`${file}/recordings`, silentLog),
        /^ConfigError: RECORD is ".*", which cannot be written to: /,
      );
    } finally {
      await Deno.remove(file);
    }
  });

  it("are written on where the disk takes only a part", async () => {
    const disk = memoryFile({ atOnce: 3 });
    const files = filesBy(() => Promise.resolve(disk.file), silentLog);
    const lines = files.open("a");
    lines.write("longer than three\n");
    lines.close();
    await files.idle();
    assertEquals([disk.text, disk.closed], ["longer than three\n", 1]);
  });

  it("keep a bounded number of lines for a disk that hangs, and say how many were lost", async () => {
    const gate = Promise.withResolvers<void>();
    const disk = memoryFile({ gate: gate.promise });
    const files = filesBy(() => Promise.resolve(disk.file), silentLog);
    const lines = files.open("a");
    const line = `${"x".repeat(999_999)}\n`;
    const taken = Array.from({ length: 10 }, () => lines.write(line));
    assertEquals(taken.filter(Boolean).length, 4);
    gate.resolve();
    lines.close();
    await files.idle();
    assertEquals(disk.text.length, 4_000_000);
  });

  it("count what was lost as soon as there is room again", () => {
    const written: string[] = [];
    let room = true;
    const clock = fakeClock();
    const recorder = createRecorder({ type: "header" } as never, {
      write: (line) => room && written.push(line) > 0,
      close() {},
    }, clock);
    room = false;
    for (let i = 0; i < 3; i++) recorder.note({ type: "room-joined" });
    room = true;
    recorder.note({ type: "farewell-began" });
    recorder.note({ type: "farewell-ended" });
    recorder.end();
    recorder.note({ type: "room-joined" });
    const lines = written.map((line) => JSON.parse(line)).map(({ type, count }) =>
      count ? `${type} ${count}` : type
    );
    assertEquals(lines, ["header", "farewell-began", "lines-lost 3", "farewell-ended", "end"]);
  });

  for (
    const [what, open] of [
      ["is full", () => Promise.resolve(memoryFile({ full: true }).file)],
      ["is not there", () => Promise.reject(new Error("no such device"))],
    ] as const
  ) {
    it(`end where the disk ${what}: the log tells once, and nobody else hears of it`, async () => {
      const log = fakeLog();
      const files = filesBy(open, log);
      const lines = files.open("a");
      lines.write("one\n");
      await files.idle();
      assertEquals(lines.write("two\n"), false);
      lines.close();
      await files.idle();
      assertEquals(log.lines.filter(({ level }) => level === "error").length, 1);
    });
  }
});
