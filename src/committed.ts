/** What is done when the user's turn is over: it is kept and told of, and its answer begins. */
import type { Answers } from "./answers.ts";
import type { Clock } from "./clock.ts";
import type { SessionEventBody } from "./events.ts";
import type { History } from "./history.ts";
import type { LateResults } from "./late.ts";
import type { Ledger } from "./ledger.ts";
import type { PassedOn } from "./passed_on.ts";
import type { Replies } from "./replies.ts";
import type { SpeculationMeter } from "./speculation.ts";
import type { TurnAction } from "./turn/state.ts";
import type { TurnAnswers } from "./turn_answer.ts";
import type { Sight } from "./vision/sight.ts";

type CommitTurn = Extract<TurnAction, { readonly type: "commit-turn" }>;

export interface CommittedOptions {
  readonly replies: Replies;
  readonly turnAnswers: TurnAnswers;
  readonly answers: Pick<Answers, "answer">;
  readonly history: History;
  readonly ledger: Ledger;
  readonly speculation: SpeculationMeter;
  readonly late: LateResults;
  readonly passedOn: PassedOn;
  readonly sight: Pick<Sight, "turnEnded">;
  readonly clock: Clock;
  readonly emit: (event: SessionEventBody) => void;
}

/** Takes in each turn that is over. */
export function createCommitted(options: CommittedOptions): (turn: CommitTurn) => void {
  const { replies, turnAnswers, answers, history, ledger, speculation, late, passedOn, sight, clock, emit } =
    options;

  /** Takes in what the user said; a turn that is not answered anew has its outcome now. */
  const hear = ({ turnId, text, said, declined, agreed, lastVoicedMs }: CommitTurn) => {
    for (const item of turnAnswers.asSeen(said)) history.add({ ...item, interrupted: false });
    sight.turnEnded();
    ledger.open(turnId);
    const speaker = said[0]?.speaker;
    const whose = said.length > 1 ? { said } : speaker ? { speaker } : {};
    emit({ type: "user-speech-committed", turnId, text, ...whose, waitedMs: clock.now() - lastVoicedMs });
    if (declined) ledger.end(turnId, "declined");
    if (agreed === undefined) return;
    answers.answer(agreed);
    ledger.end(turnId, "answered"); // by the reply that has asked, which goes on
  };

  return (turn) => {
    const { turnId, declined, agreed, prepared, lastVoicedMs, finalAtMs } = turn;
    if (!prepared) replies.dropPrepared();
    speculation.commit(turnId, replies.prepared !== undefined);
    if (declined || agreed !== undefined) return hear(turn);
    late.takeBack();
    passedOn.end("superseded");
    const answer = replies.prepared ?? turnAnswers.make(turn);
    const nowMs = clock.now();
    hear(turn);
    answer.commit?.(); // what was done for it follows what the user said
    const sttMs = finalAtMs === undefined ? {} : { sttMs: Math.max(0, finalAtMs - lastVoicedMs) };
    answer.answers = {
      turnId,
      waited: { endpointingMs: nowMs - lastVoicedMs, ...sttMs },
      committedMs: nowMs,
    };
    replies.start(answer);
  };
}
