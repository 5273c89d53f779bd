/** Conversations that are gone on with: how one stands, and what is said first when it was cut off by a fault. */
import { piecesOf } from "../accounts.ts";
import type { Answers } from "../answers.ts";
import type { Charge } from "../charge.ts";
import type { Clock } from "../clock.ts";
import type { Expectations } from "../expectations.ts";
import type { MadeSpeech } from "../greeting.ts";
import { createHistory, type History, type HistoryItem } from "../history.ts";
import type { Prompts } from "../history/prompts.ts";
import type { Summary } from "../history/summary.ts";
import type { Ledger } from "../ledger.ts";
import { unheard } from "../line.ts";
import { turnOf } from "../outcome.ts";
import type { PassedOn } from "../passed_on.ts";
import type { Replies } from "../replies.ts";
import type { Speech } from "../speech.ts";
import { languageCode } from "../text/language.ts";
import { sentenceAt } from "../text/sentences.ts";
import { unknownWords } from "../tools/runner.ts";
import type { TurnTaker } from "../turn_taker.ts";
import type { ConversationSnapshot } from "./snapshot.ts";

/** What is said first; and behind it, where nothing else is to be said. */
const lines: Readonly<Record<string, { readonly lost: string; readonly goOn: string }>> = {
  en: { lost: "Sorry, I lost you for a second.", goOn: "Please go on." },
  de: { lost: "Entschuldigung, ich war kurz weg.", goOn: "Bitte sprechen Sie weiter." },
  es: { lost: "Perdone, se me ha cortado un momento.", goOn: "Siga, por favor." },
  fr: { lost: "Excusez-moi, j'ai été coupé un instant.", goOn: "Continuez, je vous en prie." },
};

/** What a model is told of a call that was cut off, and may be made again. */
const cutOffWords =
  "There was a fault, and this was cut off: there is no result. Call it again if it is needed.";

export interface ResumptionOptions {
  /** The conversation that this one goes on from; it is none when left out. */
  readonly before?: ConversationSnapshot | undefined;
  readonly charge: Pick<Charge, "current">;
  readonly history: History;
  readonly turns: Pick<TurnTaker, "state">;
  readonly expectations: Pick<Expectations, "isSet" | "restore">;
  readonly ledger: Ledger;
  readonly passedOn: PassedOn;
  readonly replies: Replies;
  readonly speech: Speech;
  readonly answers: Answers;
  readonly prompts: Prompts;
  readonly clock: Clock;
}

export interface Resumption {
  /** How the conversation stands. */
  take(): ConversationSnapshot;
  /**
   * Goes on with the one before: `line` is said (default: that the user was lost for a moment), then what was being said,
   * from the first sentence that was not heard to its end, or what is still owed to the user, and what had waited to be said.
   * `made`: the first of it that is said, if it is that.
   */
  goOn(line: string | undefined, made: MadeSpeech | undefined): void;
}

/** How it is known what is said first. */
export interface Opening {
  /** What is said before all else, if not the usual; "": nothing. */
  readonly line: string | undefined;
  /** Of who is in charge. */
  readonly language: string | undefined;
}

/** Nobody is to notice. */
export const silently: Opening = { line: "", language: undefined };

/** The first words that are said when `before` is gone on with, of which nothing has to be asked; "" where there are none. */
export function firstWords(before: ConversationSnapshot, opening: Opening): string {
  const { said, rest, isDue } = continuationOf(before, opening);
  return said || rest || (isDue ? "" : before.waiting?.[0]?.text ?? "");
}

interface Continuation {
  /** A line of who was gone, if there is one, and the end of what the agent's own code was saying. */
  readonly line: string;
  readonly said: string;
  /** The end of what the model had to say. */
  readonly rest: string;
  /** What was being said answers the turn that is owed, and was heard. */
  readonly isAnswered: boolean;
  /** There is something to answer. */
  readonly isDue: boolean;
}

function continuationOf(
  { owed, saying, waiting = [] }: ConversationSnapshot,
  { line: own, language }: Opening,
): Continuation {
  const left = saying ? restOf(saying) : "";
  const isAnswered = saying?.whole === true && left === "";
  const byAgent = saying?.author === "agent" ? left : "";
  const isDue = !isAnswered && (owed !== undefined || saying?.author === "llm");
  const { lost, goOn } = lines[languageCode(language) ?? "en"] ?? lines["en"]!;
  const isMore = isDue || byAgent !== "" || waiting.length > 0;
  const line = own ?? (isMore ? lost : `${lost} ${goOn}`);
  return {
    line,
    said: [line, byAgent].join(" ").trim(),
    rest: saying?.author === "llm" && saying.whole ? left : "",
    isAnswered,
    isDue,
  };
}

export function createResumption(
  {
    before,
    charge,
    history,
    turns,
    expectations,
    ledger,
    passedOn,
    replies,
    speech,
    answers,
    prompts,
    clock,
  }: ResumptionOptions,
): Resumption {
  /** With what was heard by now of what is being said. */
  const heardBy = (): HistoryItem[] => {
    const { current, progress } = replies;
    if (!current?.addToHistory || progress?.startedMs === undefined) return [...history.items];
    const heard = createHistory(clock, "heard", () => Infinity, history);
    for (const piece of piecesOf(progress.heard, current.breaks?.() ?? [], progress.startedMs)) {
      heard.add({ role: "assistant", ...piece, interrupted: true });
    }
    return [...heard.items];
  };
  const sayingNow = (): Pick<ConversationSnapshot, "saying"> => {
    const { current, progress } = replies;
    if (!current || !progress || current.recovery) return {};
    const { text, heard, whole } = progress;
    return {
      saying: {
        author: current.author === "llm" ? "llm" : "agent",
        text,
        heard,
        whole,
        ...(!current.interruptible && { uninterruptible: true }),
      },
    };
  };

  const expectedNow = (): Pick<ConversationSnapshot, "expected"> => {
    const { expected } = turns.state;
    return expected ? { expected: { ...expected, byCode: expectations.isSet } } : {};
  };

  /** Says what is left of the answer, or has the model go on with it. */
  const answerOn = (
    { owed, saying }: ConversationSnapshot,
    rest: string,
    { interruptible, made }: { readonly interruptible: boolean; readonly made?: MadeSpeech },
  ) => {
    const instructions = saying?.author === "llm" && saying.heard !== ""
      ? `A fault cut you off behind these words: "${saying.heard}". Go on from there, and do not say them again.`
      : undefined;
    const answer = rest !== ""
      ? speech.sayText(rest, { author: "llm", interruptible, made })
      : speech.generateReply({
        turnId: owed,
        interruptible,
        ...(instructions !== undefined && { instructions }),
      });
    void answer.done.then((result) => {
      if (result === unheard) passedOn.end("interrupted"); // it was taken out of the line, and answers nothing
    });
  };

  return {
    take() {
      const { current } = replies;
      const owed = (current && turnOf(current)?.turnId) ?? ledger.newest;
      const { summary } = prompts;
      return {
        history: heardBy().map(withoutImages),
        turns: turns.state.turns,
        speeches: speech.asked,
        ...(owed !== undefined && { owed }),
        ...sayingNow(),
        ...(speech.texts.length > 0 && { waiting: [...speech.texts] }),
        ...expectedNow(),
        calls: answers.records(owed),
        ...(summary && { summary: { text: summary.text, covered: idsOf(summary) } }),
      };
    },
    goOn(given, made) {
      if (!before) return;
      const { owed, saying, waiting = [], expected: asked } = before;
      if (asked) {
        const { byCode, ...expected } = asked;
        expectations.restore(expected, byCode);
      }
      const { language } = charge.current.agent;
      const { line, said, rest, isAnswered, isDue } = continuationOf(before, { line: given, language });
      if (owed !== undefined) {
        ledger.open(owed);
        if (isAnswered) ledger.end(owed, "answered");
        else passedOn.pass({ turnId: owed, waited: { endpointingMs: 0 }, committedMs: clock.now() });
      }
      let unused = made;
      const take = (text: string): { readonly made?: MadeSpeech } => {
        if (unused?.text !== text) return {};
        const made = unused;
        unused = undefined;
        return { made };
      };
      const interruptible = !saying?.uninterruptible;
      if (said !== "" && (line !== "" || owed !== undefined)) {
        speech.apologize(said, { interruptible: interruptible || said === line, ...take(said) });
      } else if (said !== "") speech.sayText(said, { interruptible, ...take(said) });
      if (isDue) answerOn(before, rest, { interruptible, ...take(rest) });
      for (const { text, ...options } of waiting) speech.sayText(text, { ...options, ...take(text) });
      unused?.drop();
    },
  };
}

/** The history of `before`; a call that was under way has a result that says what is known of it. */
export function historyOf({ history, calls }: ConversationSnapshot): HistoryItem[] {
  const known = new Set(history.map((item) => item.type === "tool-result" ? item.callId : undefined));
  const atMs = history.at(-1)?.atMs ?? 0;
  const lacking = history.flatMap((item): HistoryItem[] => {
    if (item.type !== "tool-call" || known.has(item.call.id)) return [];
    const callId = item.call.id;
    const begun = calls.some((call) => call.callId === callId);
    const content = begun ? unknownWords : cutOffWords;
    return [{ type: "tool-result", id: `result-of-${callId}`, callId, outcome: "cancelled", content, atMs }];
  });
  return [...history, ...lacking];
}

/** The summary of `before`, about the same of `items`. */
export function summaryOf(
  { summary }: ConversationSnapshot,
  items: readonly HistoryItem[],
): Summary | undefined {
  if (!summary) return undefined;
  const covered = new Set(summary.covered);
  return { text: summary.text, covered: new Set(items.filter(({ id }) => covered.has(id))) };
}

const idsOf = ({ covered }: Summary): string[] =>
  [...covered].flatMap((item) => "id" in item && typeof item.id === "string" ? [item.id] : []);

/** From the first sentence on that was not heard to its end. */
function restOf({ text, heard }: NonNullable<ConversationSnapshot["saying"]>): string {
  const next = sentenceAt(text, heard.length);
  return next ? text.slice(next.start).trim() : "";
}

/** Pictures are large, and are not carried over. */
function withoutImages(item: HistoryItem): HistoryItem {
  if (item.type === "tool-call" || !item.images) return item;
  return { ...item, images: item.images.map((image) => ({ ...image, data: "" })) };
}
