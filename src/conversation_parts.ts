/** What a conversation is made of, and what its parts tell each other. */
import { createAccounts } from "./accounts.ts";
import { type Answers, createAnswers } from "./answers.ts";
import type { Charge } from "./charge.ts";
import type { Clock } from "./clock.ts";
import { createCommitted } from "./committed.ts";
import type { StageError } from "./errors.ts";
import type { SessionEventBody } from "./events.ts";
import { createExpectations, type Expectations } from "./expectations.ts";
import type { Guard } from "./guard.ts";
import { createHeardWords } from "./heard_words.ts";
import { createHistory, type History } from "./history.ts";
import { createPrompts } from "./history/prompts.ts";
import { createLastWords, type LastWords } from "./last_words.ts";
import { createLateResults, type LateResults } from "./late.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { createPassedOn, type PassedOn } from "./passed_on.ts";
import { createRecovery } from "./recovery.ts";
import { type Job, Replies } from "./replies.ts";
import { createResumption, historyOf, type Resumption, summaryOf } from "./resume/conversation.ts";
import type { ConversationSnapshot } from "./resume/snapshot.ts";
import type { Room } from "./room/room.ts";
import { createSpeculationMeter } from "./speculation.ts";
import { Speech } from "./speech.ts";
import { createSpokenLog } from "./spoken.ts";
import type { Succession } from "./succession.ts";
import type { OpenMcpServers } from "./tools/mcp.ts";
import type { TurnAction, TurnEvent } from "./turn/state.ts";
import { createTurnAnswers, type TurnAnswers } from "./turn_answer.ts";
import { createTurnTaker, hasWords, type TurnTaker, type UnstampedTurnEvent } from "./turn_taker.ts";
import { videoDefaults } from "./vision/options.ts";
import type { Sight } from "./vision/sight.ts";
import type { VoiceSession } from "./voice_session.ts";

export interface ConversationOptions {
  /** Who talks with the user. */
  readonly charge: Pick<Charge, "current">;
  /** The session that it is the conversation of. */
  readonly session: VoiceSession;
  readonly room: Room;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly emit: (event: SessionEventBody) => void;
  /** In place of `createMcpServers()`. */
  readonly mcpServers?: OpenMcpServers | undefined;
  /** See Succession. */
  readonly successor: Succession["successor"];
  /** See Succession. */
  readonly renew: Succession["renew"];
  /** What was seen of the user since their last turn. */
  readonly sight: Pick<Sight, "seen" | "turnEnded">;
  /** Told of failures that the conversation survives. */
  readonly onError: (error: StageError) => void;
  /** Told how things stand whenever anything has happened: see PresenceEvent. */
  readonly onPresence: (event: { readonly quiet: boolean; readonly returned: boolean }) => void;
  /** Asks the recognizer for the final words of what it has heard by now. */
  readonly askFinal: () => void;
  /** The conversation that it goes on from, of a process that is gone, and the milliseconds since it began. */
  readonly before?: ConversationSnapshot & { readonly elapsedMs: number } | undefined;
  /** What the user has said of the turn that they are at. */
  readonly begun?: string | undefined;
  /** See CallOptions of tools. */
  readonly written?: (() => Promise<void>) | undefined;
}

/** What its parts tell a conversation, and ask of it. */
export interface ConversationHooks {
  /** Takes in something that happened. */
  readonly note: (event: UnstampedTurnEvent) => void;
  /** Performs what turn-taking decided about `event`. */
  readonly perform: (action: TurnAction, event: TurnEvent) => void;
  /** Something has ended, or was decided: what waits may begin. */
  readonly goOn: () => void;
  /** `job` is being said from now on. */
  readonly begun: (job: Job) => void;
  /** How long `job` waits before it may be said: Infinity until something happens. */
  readonly freeInMs: (job: Job) => number;
  /** Whether nobody speaks, or is about to. */
  readonly isQuiet: () => boolean;
}

/** The parts of one conversation. */
export interface ConversationParts {
  readonly history: History;
  readonly resumption: Resumption;
  readonly replies: Replies;
  readonly answers: Pick<Answers, "busy">;
  readonly speech: Speech;
  readonly ledger: Ledger;
  readonly turns: TurnTaker;
  readonly late: LateResults;
  readonly lastWords: LastWords;
  readonly expectations: Expectations;
  readonly guard: Guard;
  readonly passedOn: PassedOn;
  readonly turnAnswers: TurnAnswers;
  readonly heardWords: ReturnType<typeof createHeardWords>;
  readonly commit: ReturnType<typeof createCommitted>;
  /** Settles when every reply, every tool and every summary has ended; at most 2 s after the signal aborted. */
  idle(): Promise<void>;
}

/** Makes the parts and joins them; none of them calls a hook before this has returned. */
export function createConversationParts(
  options: ConversationOptions,
  hooks: ConversationHooks,
): ConversationParts {
  const { charge, clock, emit, signal, before } = options;
  const { note, goOn } = hooks;
  let keepsApology: Promise<unknown> | undefined;

  const imagesKept = () => charge.current.agent.video?.keep ?? videoDefaults.keep;
  const items = before ? historyOf(before) : [];
  const elapsedMs = before?.elapsedMs ?? 0;
  const history = createHistory(clock, options.session.id, imagesKept, { items, elapsedMs });
  const prompts = createPrompts({ ...options, history, summaryBefore: before && summaryOf(before, items) });
  const lastWords = createLastWords({ clock, ask: options.askFinal });
  const expectations = createExpectations(note);
  const ledger = createLedger(emit);
  const passedOn = createPassedOn(ledger);
  const spoken = createSpokenLog(clock);
  const heardWords = createHeardWords({ ...options, spoken, upcoming: (ms) => replies.upcoming(ms) });
  const turns = createTurnTaker({
    ...options,
    turnsBefore: before?.turns,
    perform: hooks.perform,
    onDecided: (event) => options.onPresence({ quiet: hooks.isQuiet(), returned: hasWords(event) }),
    onSettled: goOn,
  });
  const replies: Replies = new Replies({
    ...options,
    onStart: (job, latency, playedMs) => {
      accounts.started(job, latency, playedMs);
      note({ type: "reply-started", replyId: job.id });
    },
    onEnd: (job, result, startedMs) => {
      accounts.ended(job, result, startedMs);
      if (result.text !== "") {
        expectations.said(result.text, charge.current.agent);
        keepsApology = Promise.all([keepsApology, speech.keepApology()]);
      }
      note({ type: "reply-ended", replyId: job.id });
    },
    onGap: (job, gap) => accounts.fellSilent(job, gap),
    onSaid: spoken.said,
    onSpare: ({ id: replyId }, by) => emit({ type: "voice-replaced", replyId, by }),
  });
  const answers = createAnswers({
    ...options,
    callsBefore: before?.calls,
    history,
    note,
    onBack: () => {
      replies.dropPrepared(); // it does not know of it
      late.goOn();
    },
    onLate: (result) => {
      if (signal.aborted) return;
      replies.dropPrepared(); // it does not know of it
      late.tell(result);
    },
  });
  const parts = {
    ...options,
    history,
    speculation: createSpeculationMeter(emit),
    turns,
    expectations,
    ledger,
    passedOn,
    prompts,
    answers,
    replies,
  };
  const turnAnswers = createTurnAnswers({ ...parts, opening: () => speech.opening() });
  const speech: Speech = new Speech({
    ...parts,
    saidBefore: before?.speeches,
    freeInMs: hooks.freeInMs,
    goOn,
    onBegin: hooks.begun,
    cut: () => note({ type: "interrupt" }),
  });
  const late: LateResults = createLateResults({
    generateReply: (options) => speech.generateReply(options),
    isSaid: (replyId) => replies.current?.id === replyId,
  });
  const apologize = () => speech.apologize();
  const accounts = createAccounts({ ...parts, apologize, passOn: passedOn.pass });

  return {
    history,
    replies,
    answers,
    speech,
    ledger,
    turns,
    late,
    lastWords,
    expectations,
    passedOn,
    turnAnswers,
    heardWords,
    commit: createCommitted({ ...parts, turnAnswers, late }),
    resumption: createResumption({ ...parts, before, speech }),
    guard: createRecovery({ ...parts, speech, accounts }),
    async idle() {
      await Promise.all([replies.idle(), answers.idle(), prompts.idle(), keepsApology]);
    },
  };
}
