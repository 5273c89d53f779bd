/** What is kept and told of replies: events, the history, the ledger, and an apology for what failed. */
import type { Clock } from "./clock.ts";
import type { StageError } from "./errors.ts";
import type { ReplyLatency, SessionEventBody, SpeechGap } from "./events.ts";
import type { History } from "./history.ts";
import type { Ledger } from "./ledger.ts";
import { latencySince, outcomeOf, turnOf } from "./outcome.ts";
import type { Break, CommittedTurn, Job } from "./replies.ts";
import type { ReplyResult } from "./reply.ts";

export interface AccountsOptions {
  readonly history: History;
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
  readonly emit: (event: SessionEventBody) => void;
  readonly onError: (error: StageError) => void;
  /** Says that something failed. */
  readonly apologize: () => void;
  /** Nothing was said to the turn yet: whoever goes on with the conversation answers it. */
  readonly passOn: (turn: CommittedTurn) => void;
}

export interface Accounts {
  /** The first sample of a reply is played, at `playedMs` (clock milliseconds). */
  started(job: Job, latency: ReplyLatency, playedMs: number): void;
  /** A silence inside a reply is over. */
  fellSilent(job: Job, gap: SpeechGap): void;
  /** A reply has ended; `startedMs`: when it began to be heard, if it was. */
  ended(job: Job, result: ReplyResult, startedMs: number | undefined): void;
  /** A reply got no further for `waitedMs`, and was ended or given up. */
  stalled(job: Job | undefined, error: StageError, waitedMs: number): void;
}

export function createAccounts(options: AccountsOptions): Accounts {
  const { history, ledger, clock, signal, emit, onError, apologize, passOn } = options;
  const stalled = (job: Job | undefined, { stage }: StageError, waitedMs: number) => {
    const turnId = job && turnOf(job)?.turnId;
    emit({
      type: "stall-recovered",
      replyId: job?.id ?? "",
      ...(turnId !== undefined && { turnId }),
      stage,
      waitedMs,
    });
  };
  const latencies = new WeakMap<Job, ReplyLatency>();
  const endTurn = (turnId: string, job: Job, result: ReplyResult) => {
    ledger.end(turnId, outcomeOf(result, signal.aborted));
    const latency = latencies.get(job);
    emit({ type: "turn-metrics", turnId, ...(latency && { latency }), ...job.spent?.(), ...result.voiced });
  };
  return {
    stalled,
    started(job, own, playedMs) {
      const turn = turnOf(job);
      const latency = turn ? latencySince(turn, own, playedMs) : own;
      latencies.set(job, latency);
      const passedOn = turn && turn.turnId !== job.id ? { turnId: turn.turnId } : {};
      emit({ type: "agent-started-speaking", replyId: job.id, ...passedOn, latency });
    },
    fellSilent: ({ id: replyId }, gap) => emit({ type: "speech-gap", replyId, gap }),
    ended(job, result, startedMs) {
      const { id: replyId, recovery, addToHistory, settle } = job;
      const { text, interrupted, error, stalledMs } = result;
      if (text !== "") {
        const pieces = addToHistory ? piecesOf(text, job.breaks?.() ?? [], startedMs ?? clock.now()) : [];
        for (const [i, piece] of pieces.entries()) {
          history.add({ role: "assistant", ...piece, interrupted: interrupted && i === pieces.length - 1 });
        }
        emit({ type: "agent-stopped-speaking", replyId });
        emit({ type: "agent-speech-committed", replyId, text, interrupted });
      }
      const turn = turnOf(job);
      if (turn && job.yields?.() && text === "" && !interrupted && !error) passOn(turn);
      else if (turn) endTurn(turn.turnId, job, result);
      if (error) {
        onError(error);
        if (stalledMs !== undefined) stalled(job, error, stalledMs);
        if (!recovery && !signal.aborted) apologize();
      }
      settle({ text, interrupted, ...(error && { error }) });
    },
  };
}

/** What was heard of a reply, in pieces: before, between and after what was done in it; each with when it began. */
export function piecesOf(
  text: string,
  breaks: readonly Break[],
  startedMs: number,
): { readonly text: string; readonly atMs: number }[] {
  const pieces: { text: string; atMs: number }[] = [];
  let from = { characters: 0, atMs: startedMs };
  // What was done before anything was heard lies before all of it.
  for (const next of [...breaks.filter(({ atMs }) => atMs > startedMs), undefined]) {
    const piece = text.slice(from.characters, next?.characters);
    if (piece.trim() !== "") pieces.push({ text: piece, atMs: from.atMs });
    if (next) from = next;
  }
  return breaks.length > 0 ? pieces.map(({ text, atMs }) => ({ text: text.trim(), atMs })) : pieces;
}
