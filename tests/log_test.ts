import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { StageError } from "../src/errors.ts";
import { createLog, type LogLevel } from "../src/log.ts";

/** What a log of `level` writes of what `use` does with it, line by line. */
function linesOf(
  level: LogLevel,
  use: (log: ReturnType<typeof createLog>) => void,
): Record<string, unknown>[] {
  const lines: string[] = [];
  use(createLog(level, (line) => lines.push(line)));
  return lines.map((line) => JSON.parse(line));
}

describe("createLog", () => {
  it("writes a JSON object a line, with the child's fields", () => {
    const [line] = linesOf("info", (log) => log.child({ room: "r" }).warn({ ms: 1 }, "late"));
    const { time, ...rest } = line ?? {};
    assertEquals(rest, { level: "warn", room: "r", ms: 1, msg: "late" });
    assert(!Number.isNaN(Date.parse(String(time))));
  });

  it("leaves out what is below its level", () => {
    const use = (log: ReturnType<typeof createLog>) => {
      log.debug({}, "a");
      log.info({}, "b");
      log.error({}, "c");
    };
    assertEquals(linesOf("info", use).map(({ msg }) => msg), ["b", "c"]);
    assertEquals(linesOf("silent", use), []);
    assertEquals(linesOf("debug", use).length, 3);
  });

  it("writes an error with its cause, and not what else hangs on it", () => {
    const cause = Object.assign(new Error("401 refused"), { request: { headers: { key: "s3cret" } } });
    const error = new StageError("stt", "Deepgram refused", { cause });
    const [line] = linesOf("info", (log) => log.error({ error }, "failed"));
    const text = JSON.stringify(line);
    assert(text.includes("Deepgram refused") && text.includes("401 refused") && text.includes("log_test.ts"));
    assert(!text.includes("s3cret"), text);
    assertEquals(linesOf("info", (log) => log.error({ error: "text" }, "failed"))[0]?.error, "text");
  });

  it("hides secrets that were passed in by mistake", () => {
    const text = JSON.stringify(linesOf("info", (log) =>
      log.info({
        apiKey: "s3cret",
        openai: { apiKey: "s3cret" },
        request: { headers: { authorization: "s3cret", Authorization: "s3cret" } },
        livekit: { apiSecret: "s3cret", url: "ws://x" },
      }, "started")));
    assert(!text.includes("s3cret"), text);
    assert(text.includes("ws://x") && text.includes("(hidden)"), text);
  });
});
