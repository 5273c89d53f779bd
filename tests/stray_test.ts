import { assertEquals } from "@std/assert";
import { StageError } from "../src/errors.ts";
import { catchStrayErrors } from "../src/stray.ts";
import { startCall, timeToClose } from "./fakes/call.ts";
import { fakeClock } from "./fakes/clock.ts";
import { silentLog } from "./fakes/log.ts";

// Deno.test and not it(): that one takes every unhandled rejection for a failure of the test.
Deno.test("an error that nobody caught ends the session it came from, and no other", async () => {
  using _ = catchStrayErrors(silentLog);
  const clock = fakeClock();
  const rejecting = startCall({
    entry() {
      void Promise.reject(new Error("let go"));
    },
  }, { clock });
  const throwing = startCall({
    entry() {
      clock.after(500, () => {
        throw new StageError("agent", "thrown in a timer");
      });
    },
  }, { clock });
  const other = startCall({}, { clock });
  const reasons: string[] = [];
  for (const { session } of [rejecting, throwing]) session.done.then((reason) => reasons.push(reason));
  await clock.advance(100);
  assertEquals(reasons, ["error"]);
  await clock.advance(1000);
  assertEquals(reasons, ["error", "error"]);
  assertEquals(other.session.state, "listening");
  await timeToClose(other);
  assertEquals(clock.pending, 0);
});
