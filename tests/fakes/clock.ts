/** A clock that moves only when a test moves it. */
export { type VirtualClock as FakeClock, virtualClock as fakeClock } from "../../src/virtual_clock.ts";
