/** Who speaks when: one row a policy. Rows are tried from top to bottom. */
import { answerAfterAll, askAgain, decline, emptyPress, endOfPress, endOfTurn } from "./endpointing.ts";
import { askFinal } from "./finals.ts";
import { bargeIn, confirm, falseInterruption, hold, supersede } from "./interruption.ts";
import type { Policy } from "./policy.ts";
import { dropPrepared, speculate } from "./speculation.ts";

export const policies: readonly Policy[] = [
  hold,
  supersede,
  bargeIn,
  confirm,
  falseInterruption,
  endOfTurn,
  answerAfterAll,
  endOfPress,
  emptyPress,
  dropPrepared,
  askFinal,
  speculate,
  decline,
  askAgain,
];
