/** Agents as the page shows them, for the user to choose from. */
import type { Agent } from "../agent.ts";
import type { Models } from "../models.ts";
import { type ModelNames, recognizesInBrowser, type StageModel, stageModels } from "../stand_ins.ts";
import { missingKeys } from "./settings.ts";

export interface PageAgent {
  readonly name: string;
  /** What it is for, in a sentence. */
  readonly description: string;
  /** Why nobody can talk with it, in words; missing where everybody can. */
  readonly unusable?: string;
  /** What it hears, thinks and speaks with. */
  readonly stages: readonly StageModel[];
  /** Who recognizes speech where there is no LiveKit: the server, or the browser itself. */
  readonly recognizer: "server" | "page";
  /** Whether the user says by a key when they talk. */
  readonly pushToTalk: boolean;
  /** Whether it can see the user's camera. */
  readonly sees: boolean;
}

/** The agents of the registry, in its order; `names`: the models of those that name none. */
export function pageAgents(
  agents: Readonly<Record<string, Agent>>,
  { models, names }: { readonly models: Models; readonly names: ModelNames },
): PageAgent[] {
  return Object.entries(agents).map(([name, agent]) => {
    const { model, stt = model ?? names.stt, llm = model ?? names.llm, tts = model ?? names.tts } = agent;
    const used = { stt: nameOf(stt), llm: nameOf(llm), tts: nameOf(tts) };
    const [unusable] = missingKeys({ [name]: agent }, models);
    return {
      name,
      description: agent.description ?? firstSentence(agent.instructions),
      ...(unusable !== undefined && { unusable }),
      stages: stageModels(used),
      recognizer: recognizesInBrowser(used) ? "page" : "server",
      pushToTalk: agent.turnDetection === "manual",
      sees: agent.autoSubscribe === "all",
    };
  });
}

type Model = string | { readonly provider?: string; readonly model: string } | {
  readonly race: readonly Model[];
};

/** A model as its string; several with commas between, or bars where they race. */
function nameOf(choice: Model | readonly Model[]): string {
  if (typeof choice === "string") return choice;
  if ("race" in choice) return choice.race.map(nameOf).join("|");
  if ("model" in choice) {
    return choice.provider === undefined ? choice.model : `${choice.provider}/${choice.model}`;
  }
  return choice.map(nameOf).join(", ");
}

/** No list of agents has room for more characters. */
const mostCharacters = 160;

function firstSentence(text: string): string {
  const [sentence = ""] = /^.+?(?:[.!?](?=\s)|$)/s.exec(text.trim()) ?? [];
  return sentence.length <= mostCharacters
    ? sentence
    : `${sentence.slice(0, mostCharacters).toWellFormed()}…`;
}
