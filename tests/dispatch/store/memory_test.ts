import { memoryStore } from "../../../src/dispatch/store/memory.ts";
import { fakeClock } from "../../fakes/clock.ts";
import { describeStore } from "./contract.ts";

describeStore("the memory store", () => {
  const clock = fakeClock();
  const store = memoryStore({ clock });
  return {
    store,
    other: store,
    pass: clock.advance,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
});
