/** Conversations that are gone on with: how one stands, and what is said first when it was cut off by a fault. */
import { piecesOf } from "../accounts.ts";
import type { Answers } from "../answers.ts";
import type { Charge } from "../charge.ts";
import type { Clock } from "../clock.ts";
import type { Expectations } from "../expectations.ts";
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
   * from the first sentence that was not heard to its end, or what is still owed to the user.
   */
  goOn(line: string | undefined): void;
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
        ...expectedNow(),
        calls: answers.records(owed),
        ...(summary && { summary: { text: summary.text, covered: idsOf(summary) } }),
      };
    },
    goOn(line) {
      if (!before) return;
      const { owed, saying, expected: asked } = before;
      if (asked) {
        const { byCode, ...expected } = asked;
        expectations.restore(expected, byCode);
      }
      const rest = saying ? restOf(saying) : "";
      const isAnswered = saying?.whole === true && rest === "";
      if (owed !== undefined) {
        ledger.open(owed);
        if (isAnswered) ledger.end(owed, "answered");
        else passedOn.pass({ turnId: owed, waited: { endpointingMs: 0 }, committedMs: clock.now() });
      }
      const interruptible = !saying?.uninterruptible;
      const byAgent = saying?.author === "agent" ? rest : "";
      const isDue = !isAnswered && (owed !== undefined || saying?.author === "llm");
      const { lost, goOn } = lines[languageCode(charge.current.agent.language) ?? "en"] ?? lines["en"]!;
      const said = [line ?? (isDue || byAgent !== "" ? lost : `${lost} ${goOn}`), byAgent].join(" ").trim();
      if (said !== "") speech.apologize(said, { interruptible: interruptible || byAgent === "" });
      if (!isDue) return;
      const instructions = saying?.author === "llm" && saying.heard !== ""
        ? `A fault cut you off behind these words: "${saying.heard}". Go on from there, and do not say them again.`
        : undefined;
      const answer = saying?.whole && saying.author === "llm"
        ? speech.say(rest, { interruptible })
        : speech.generateReply({
          turnId: owed,
          interruptible,
          ...(instructions !== undefined && { instructions }),
        });
      void answer.done.then((result) => {
        if (result === unheard) passedOn.end("interrupted"); // it was taken out of the line, and answers nothing
      });
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
  const sentences = [...new Intl.Segmenter(undefined, { granularity: "sentence" }).segment(text)];
  const first = sentences.find(({ index, segment }) => index + segment.trimEnd().length > heard.length);
  return first ? text.slice(first.index).trim() : "";
}

/** Pictures are large, and are not carried over. */
function withoutImages(item: HistoryItem): HistoryItem {
  if (item.type === "tool-call" || !item.images) return item;
  return { ...item, images: item.images.map((image) => ({ ...image, data: "" })) };
}
