/** However a call ends, what was heard by then is in its history and its report. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { liveStream } from "../../src/audio/live.ts";
import type { CloseReason } from "../../src/events.ts";
import { exportHistory, importHistory } from "../../src/history/transfer.ts";
import { saidIn } from "../../src/history.ts";
import type { SpeechToText, TranscriptEvent } from "../../src/stt/stt.ts";
import { catchStrayErrors } from "../../src/stray.ts";
import { createArchive } from "../../src/telemetry/archive.ts";
import type { SessionReport } from "../../src/telemetry/report.ts";
import { type Call, startCall, talk } from "../fakes/call.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog } from "../fakes/log.ts";
import { scriptedLanguageModel } from "../fakes/providers.ts";

/** A way for a call to end. */
interface Ending {
  readonly reason: CloseReason;
  readonly end: (call: Call, crash: () => void) => void;
  /** The agent's own code; `crashed` settles when it is to fail. */
  readonly entry?: (crashed: Promise<void>) => void | Promise<void>;
}

const endings: Readonly<Record<string, Ending>> = {
  "the participant hangs up": {
    reason: "participant-left",
    end: ({ room }) => room.end("participant-left"),
  },
  "the room is deleted": { reason: "room-deleted", end: ({ room }) => room.end("room-deleted") },
  "the connection is lost": { reason: "disconnected", end: ({ room }) => room.end("disconnected") },
  "the agent's code ends it": { reason: "closed", end: ({ session }) => void session.close() },
  "it is deleted over HTTP": { reason: "deleted", end: ({ session }) => void session.close("deleted") },
  "the server shuts down": { reason: "shutdown", end: ({ session }) => void session.close("shutdown") },
  "the agent's code fails": {
    reason: "error",
    end: (_, crash) => crash(),
    entry: async (crashed) => {
      await crashed;
      throw new Error("the agent's code failed");
    },
  },
};

const answer = { text: "Good day to you. How can I help you on this fine day?", ttftMs: 200, tokenMs: 20 };

/** Plays the call until `atMs`, when it ends that way; what came of it, once it has ended. */
async function play({ end, entry }: Ending, atMs: number) {
  const clock = fakeClock();
  const reports: SessionReport[] = [];
  const onEnd = (report: SessionReport) => void reports.push(report);
  using archive = createArchive({ ttlMs: 1, clock, log: silentLog, onEnd });
  const saved: string[] = [];
  const crash = Promise.withResolvers<void>();
  const call = startCall({
    entry(ctx) {
      ctx.addShutdownCallback(() => void saved.push(exportHistory(ctx.session.history)));
      return entry?.(crash.promise);
    },
  }, { clock, providers: { llm: scriptedLanguageModel([answer], clock) } });
  const facts = { sessionId: "session", room: "room", roomSid: "RM_room", agent: "test", metadata: "" };
  archive.follow(call.session, facts);
  call.room.enter("caller");
  await clock.advance(100);
  await call.joined;
  await talk(call, atMs);
  end(call, crash.resolve);
  await clock.advance(6_000);
  const reason = await call.session.done;
  await archive.idle();
  return { reason, said: saidIn(call.session.history), report: reports[0], saved, room: call.room };
}

describe("however a call ends", () => {
  for (const [how, ending] of Object.entries(endings)) {
    describe(`when ${how}`, () => {
      it("what the user was saying is kept, though their turn was not over", async () => {
        const { reason, said, report, saved } = await play(ending, 820);
        assertEquals(reason, ending.reason);
        assertEquals(said.map(({ role, text }) => `${role} ${text}`), ["user hello there"]);
        assertEquals(report?.transcript.map(({ text }) => text), ["hello there"]);
        assertEquals(report?.closeReason, ending.reason);
        assertEquals(report?.turns.map(({ text, outcome }) => `${text}: ${outcome}`), [
          "hello there: declined",
        ]);
        assertEquals(saved.map((text) => importHistory(text).length), [1]);
      });

      it("what was heard of the agent's words is kept, and no more", async () => {
        const { reason, said, report, room } = await play(ending, 2_400);
        assertEquals(reason, ending.reason);
        const playedMs = room.played.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
        assert(playedMs > 0);
        assertEquals(said.map(({ role, interrupted }) => `${role} ${interrupted}`), [
          "user false",
          "assistant true",
        ]);
        assertMatch(said[1]?.text ?? "", /^Good day/);
        assert(answer.text.startsWith(said[1]?.text ?? "") && said[1]?.text !== answer.text, said[1]?.text);
        assertEquals(report?.transcript.map(({ text }) => text), said.map(({ text }) => text));
        assertEquals(report?.turns.map(({ outcome }) => outcome), ["interrupted"]);
      });
    });
  }

  it("is whole for shutdown callbacks, where nobody hears the agent any more", async () => {
    const { saved, said } = await play(endings["the participant hangs up"]!, 2_400);
    assertEquals(
      importHistory(saved[0] ?? "").flatMap((item) => "text" in item ? [item.text] : []),
      said.map(({ text }) => text),
    );
  });
});

describe("the last words of a call", () => {
  /** A recognizer that says nothing until it is asked, and `answerMs` later what it has heard; without that, never. */
  function patient(clock: ReturnType<typeof fakeClock>, answerMs: number | undefined): SpeechToText {
    return {
      provider: "patient",
      model: "",
      input: { sampleRate: 16_000, channels: 1 },
      transcribe(voice, { signal }) {
        const out = liveStream<TranscriptEvent>({ limit: Infinity });
        signal.addEventListener("abort", () => out.error(signal.reason), { once: true });
        const answer = async () => {
          if (answerMs === undefined) return;
          await clock.sleep(answerMs, { signal });
          out.push({ type: "final", text: "call me back", asked: true });
        };
        const read = async () => {
          for await (const event of voice) if (event.type === "finalize") await answer();
          await answer();
          if (answerMs !== undefined) out.close();
        };
        read().catch((error) => signal.aborted || out.error(error));
        return out.readable;
      },
    };
  }

  const waits: [
    how: string,
    answerMs: number | undefined,
    end: (call: Call) => void,
    said: string[],
    tookMs: number,
  ][] = [
    [
      "come when they are asked for",
      300,
      ({ session }) => void session.close("shutdown"),
      ["call me back"],
      300,
    ],
    [
      "come when the microphone has ended",
      300,
      ({ room }) => room.end("participant-left"),
      ["call me back"],
      300,
    ],
    ["are not waited for longer than a moment", undefined, ({ session }) => void session.close(), [], 900],
  ];
  for (const [how, answerMs, end, said, tookMs] of waits) {
    it(how, async () => {
      const clock = fakeClock();
      const call = startCall({}, { clock, providers: { stt: patient(clock, answerMs) } });
      call.room.enter("caller");
      await call.joined;
      await talk(call, 820);
      const beganMs = clock.now();
      end(call);
      let endedMs = Infinity;
      void call.session.done.then(() => endedMs = clock.now());
      for (let i = 0; i < 60 && endedMs === Infinity; i++) await clock.advance(100);
      assertEquals(call.session.history.map((item) => "text" in item ? item.text : item.type), said);
      assert(endedMs - beganMs >= tookMs && endedMs - beganMs <= tookMs + 100, `${endedMs - beganMs} ms`);
      assertEquals(clock.pending, 0);
    });
  }

  it("are not waited for where there is nothing to be told", async () => {
    const clock = fakeClock();
    const call = startCall({}, { clock });
    call.room.enter("caller");
    await call.joined;
    await clock.advance(500);
    const beganMs = clock.now();
    await call.session.close();
    assertEquals(clock.now(), beganMs);
  });
});

// Deno.test and not it(): that one takes every unhandled rejection for a failure of the test.
Deno.test("an error of the agent's code that nobody catches leaves the history and the report whole", async () => {
  using _ = catchStrayErrors(silentLog);
  const letGo = (crashed: Promise<void>) => {
    void crashed.then(() => Promise.reject(new Error("nobody catches this")));
  };
  for (const [atMs, text] of [[820, "hello there"], [2_400, "Good day"]] as const) {
    const { reason, said, report } = await play(
      { reason: "error", end: (_, crash) => crash(), entry: letGo },
      atMs,
    );
    assertEquals(reason, "error");
    assert(said.at(-1)?.text.startsWith(text), said.at(-1)?.text);
    assertEquals(report?.transcript.length, said.length);
  }
});
