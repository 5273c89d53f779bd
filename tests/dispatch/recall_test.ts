/** Dispatches of LiveKit's whose sessions go on elsewhere than LiveKit knows. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { endWithDispatch } from "../../src/dispatch/recall.ts";
import { fakeClock } from "../fakes/clock.ts";
import { silentLog } from "../fakes/log.ts";
import { fakeRooms } from "../fakes/rooms.ts";

/** What LiveKit lists every two seconds, "away" where it does not answer, and the reasons with which the session ended. */
const stories: [what: string, seen: readonly ("there" | "gone" | "new room" | "away")[], closes: string[]][] =
  [
    ["is deleted", ["there", "gone", "gone"], ["deleted"]],
    ["is deleted while LiveKit does not answer", ["there", "away", "gone", "away", "gone"], ["deleted"]],
    ["is not listed for a moment", ["there", "gone", "there", "gone", "there"], []],
    ["was never listed", ["gone", "gone", "gone"], []],
    [
      "is not known to a LiveKit that was started anew",
      ["there", "new room", "new room", "gone", "gone"],
      [],
    ],
  ];

describe("a session that another process goes on with, and whose dispatch", () => {
  for (const [what, seen, expected] of stories) {
    it(`${what}, ${expected.length > 0 ? "ends" : "goes on"}`, async () => {
      const clock = fakeClock();
      const rooms = fakeRooms();
      const roomSid = rooms.open("r");
      const done = Promise.withResolvers<"deleted" | "participant-left">();
      const closes: string[] = [];
      let now = "there";
      endWithDispatch({
        dispatchId: "AD_1",
        room: "r",
        roomSid,
        session: {
          close(reason) {
            closes.push(String(reason));
            done.resolve("deleted");
            return Promise.resolve();
          },
          done: done.promise,
        },
        rooms: {
          find: rooms.find,
          dispatches() {
            if (now === "away") return Promise.reject(new Error("no answer"));
            const one = { id: "AD_1", agent: "assistant", metadata: "", jobs: [] };
            return Promise.resolve(now === "there" ? [one] : []);
          },
        },
        clock,
        log: silentLog,
      });
      for (now of seen) {
        if (now === "new room") {
          rooms.close("r");
          rooms.open("r");
        }
        await clock.advance(2_000);
        await clock.settle();
      }
      assertEquals(closes, expected);
      done.resolve("participant-left");
      await clock.settle();
      assertEquals(clock.pending, 0);
    });
  }
});
