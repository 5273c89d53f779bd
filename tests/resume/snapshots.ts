import type { SessionSnapshot } from "../../src/resume/snapshot.ts";

/** A session that talks with Ann. */
export const snapshot: SessionSnapshot = {
  version: 1,
  sessionId: "session_1",
  inCharge: "assistant",
  elapsedMs: 60_000,
  talkingSinceMs: 100,
  participant: "ann",
  spentUsd: 0.1,
  history: [],
  turns: 3,
  speeches: 2,
  calls: [],
};
