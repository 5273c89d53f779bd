/** Who talks with the user: an agent, and what it hears, thinks and speaks with. It may change during the call. */
import { isDeepStrictEqual } from "node:util";
import type { Agent } from "./agent.ts";
import { asStageError, type StageError } from "./errors.ts";
import type { LanguageModel } from "./llm/llm.ts";
import type { Providers } from "./providers.ts";
import type { Pace } from "./reply_text.ts";
import { type SpokenForm, spokenForm } from "./text/spoken_form.ts";
import type { TurnOptions } from "./turn/state.ts";

/** An agent, and what it works with. */
export interface Equipped {
  readonly agent: Agent;
  /** What it is called. */
  readonly agentName: string;
  readonly providers: Providers;
  readonly turnTaking: TurnOptions;
}

/** An agent at work: its voice is connected. */
export interface Cast extends Equipped {
  readonly spokenForm: SpokenForm;
  /** How fast its voice speaks. */
  readonly pace: Pace;
}

export interface ChargeOptions {
  readonly first: Equipped;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
  /** Settles when all was said that is being said now: the voice before is not needed any more. */
  readonly said: () => Promise<unknown>;
  readonly onError: (error: StageError) => void;
}

export interface Charge {
  /** Who is in charge. */
  readonly current: Cast;
  /**
   * From now on `next` is. What it shares with the one before goes on: the same voice stays connected, the same recognizer
   * listens on.
   */
  take(next: Equipped): void;
  /** From the next answer on `llm` answers, whoever is in charge. */
  economize(llm: LanguageModel): void;
}

/** What of an agent's definition makes each of its providers: where that is the same, so are they. */
const madeFrom: Readonly<Record<keyof Providers, readonly (keyof Agent)[]>> = {
  vad: ["vad"],
  stt: ["stt", "language", "turnDetection", "endpointing"],
  llm: ["llm"],
  tts: ["tts", "language"],
  spare: ["tts", "language"],
  turnDetector: ["turnDetection"],
  summarizer: ["history"],
};
/** What a model makes that hears and speaks by itself. */
const fromModel: ReadonlySet<keyof Providers> = new Set(["stt", "llm", "tts", "spare"]);

/** What of an agent's words is read aloud, and how; `onError` is told of what fails of its own. */
export function spokenFormOf(
  { language, textTransforms: transforms, pronunciations }: Agent,
  onError: (error: StageError) => void,
): SpokenForm {
  return spokenForm({
    language,
    transforms,
    pronunciations,
    onError: (error) => onError(asStageError("agent", error)),
  });
}

/** `first` is in charge; what it works with is connected at once. */
export function createCharge({ first, signal, said, onError }: ChargeOptions): Charge {
  let hangUp = new AbortController();
  let cheaper: LanguageModel | undefined;
  const connect = ({ stt, llm }: Pick<Providers, "stt" | "llm">) => {
    stt.connect?.({ signal });
    llm.connect?.({ signal });
  };
  const connected = ({ tts }: Providers) => {
    hangUp = new AbortController();
    return tts.connect?.({ signal: AbortSignal.any([signal, hangUp.signal]) }) ?? tts;
  };
  const formOf = (agent: Agent) => spokenFormOf(agent, onError);
  /** An agent takes turns by what answers in it, which may be another than it would have by itself. */
  const answering = (cast: Cast): Cast => {
    const { hearsVoice = false } = cast.providers.llm;
    return { ...cast, turnTaking: { ...cast.turnTaking, hearsVoice } };
  };
  let current = answering({
    ...first,
    providers: { ...first.providers, tts: connected(first.providers) },
    spokenForm: formOf(first.agent),
    pace: {},
  });
  connect(current.providers);
  return {
    get current() {
      return current;
    },
    take(next) {
      const isEqual = (key: keyof Agent) => isDeepStrictEqual(current.agent[key], next.agent[key]);
      const isSameModel = isEqual("model") && isEqual("language");
      const isSame = (stage: keyof Providers) =>
        (current.agent.model ?? next.agent.model) !== undefined && fromModel.has(stage)
          ? isSameModel
          : madeFrom[stage].every(isEqual);
      const { providers } = current;
      const { turnDetector } = isSame("turnDetector") ? providers : next.providers;
      const { spare } = isSame("spare") ? providers : next.providers;
      const { summarizer } = isSame("summarizer") ? providers : next.providers;
      const before = hangUp;
      const isSameVoice = isSame("tts");
      current = answering({
        ...next,
        providers: {
          vad: isSame("vad") ? providers.vad : next.providers.vad,
          stt: isSame("stt") ? providers.stt : next.providers.stt,
          llm: cheaper ?? (isSame("llm") ? providers.llm : next.providers.llm),
          tts: isSameVoice ? providers.tts : connected(next.providers),
          ...(spare && { spare }),
          ...(turnDetector && { turnDetector }),
          ...(summarizer && { summarizer }),
        },
        spokenForm: formOf(next.agent),
        pace: isSameVoice ? current.pace : {},
      });
      connect(current.providers);
      if (!isSameVoice) void said().then(() => before.abort());
    },
    economize(llm) {
      cheaper = llm;
      llm.connect?.({ signal });
      current = answering({ ...current, providers: { ...current.providers, llm } });
    },
  };
}
