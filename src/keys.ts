/** The providers that need a key. */
import { ConfigError } from "./errors.ts";

/** Them, and how their variables begin (`…_API_KEY`, `…_BASE_URL`). */
export const keyedProviders = {
  openai: "OPENAI",
  deepgram: "DEEPGRAM",
  elevenlabs: "ELEVENLABS",
  assemblyai: "ASSEMBLYAI",
  anthropic: "ANTHROPIC",
  google: "GOOGLE",
  compatible: "COMPATIBLE",
  cartesia: "CARTESIA",
} as const;

export type KeyedProvider = keyof typeof keyedProviders;

/** How to reach a provider. */
export interface ProviderKeys {
  readonly apiKey?: string;
  /** In place of the provider's own server. */
  readonly baseUrl?: string;
}

/** How to reach each; empty: it is not used. */
export type Keys = Readonly<Record<KeyedProvider, ProviderKeys>>;

/** The key that a model needs is not set: others can be used all the same. */
export class MissingKeyError extends ConfigError {}

export const isKeyed = (provider: string): provider is KeyedProvider =>
  Object.hasOwn(keyedProviders, provider);

/** Whose key a model of `provider` needs, as it stands in model strings; undefined: none. */
export function accountOf(provider: string): KeyedProvider | undefined {
  const account = /^openai-(responses|realtime)$/.test(provider) ? "openai" : provider;
  return isKeyed(account) ? account : undefined;
}

/** What `make` makes for each of them. */
export function forEachKeyed<T>(
  make: (provider: KeyedProvider, prefix: (typeof keyedProviders)[KeyedProvider]) => T,
): Record<KeyedProvider, T> {
  const providers = Object.keys(keyedProviders) as KeyedProvider[];
  const made = providers.map((provider) => [provider, make(provider, keyedProviders[provider])]);
  return Object.fromEntries(made) as Record<KeyedProvider, T>;
}
