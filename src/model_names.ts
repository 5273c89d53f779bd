/** Model strings, taken apart. */
import { ConfigError } from "./errors.ts";
import type { Choice, LanguageModelRace, OneChoice } from "./model_specs.ts";

export type Kind = "STT" | "LLM" | "TTS" | "model";

/** Each of a choice; a string may name several, parted by commas. */
export function listed<Spec, Provider>(
  choice: Choice<Spec, Provider>,
): readonly OneChoice<Spec, Provider>[] {
  if (typeof choice === "string") return namesIn(choice, ",");
  return Array.isArray(choice) ? choice : [choice as OneChoice<Spec, Provider>];
}

/** The race that a string names, parted by bars; else `spec` as it is. */
export function racing<Spec>(spec: string | Spec): string | Spec | LanguageModelRace {
  return typeof spec === "string" && spec.includes("|") ? { race: namesIn(spec, "|") } : spec;
}

/** All the models that a string names. */
export const allIn = (names: string): string[] => namesIn(names, /[,|]/);

/** The providers of all the models that a string names. */
export const providersIn = (names: string): string[] => allIn(names).map(providerIn);

/** The provider of one model. */
export const providerIn = (name: string): string => name.split("/")[0] ?? "";

const namesIn = (names: string, mark: string | RegExp): string[] =>
  names.split(mark).map((name) => name.trim());

/** A language model's name is all that follows the provider: it may hold slashes and colons of its own. */
export function parse(
  kind: Kind,
  name: string,
): { provider: string; model: string; option: string | undefined } {
  const pattern = kind === "LLM" ? /^([a-z0-9-]+)\/(\S+)$/ : /^([a-z0-9-]+)\/([^\s:]+)(?::(\S+))?$/;
  const [, provider, model, option] = pattern.exec(name) ?? [];
  if (provider && model) return { provider, model, option };
  const example = {
    STT: "deepgram/nova-3:en",
    LLM: "openai/gpt-4o-mini",
    TTS: "deepgram/aura-2-thalia-en",
    model: "openai-realtime/gpt-realtime:marin",
  }[kind];
  throw new ConfigError(
    `${kind} is ${JSON.stringify(name)}; expected a provider and a model, such as ${example}`,
  );
}
