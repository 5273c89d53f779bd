/** Whether each provider that has a key takes it: a request that costs nothing. */
import { type KeyedProvider, keyedProviders, type Keys, type ProviderKeys } from "../keys.ts";
import { type Answer, ask, httpAddress } from "./ask.ts";
import { type Check, failed, type Finding, ok, warning } from "./check.ts";

interface Question {
  /** The provider's own server, as `…_BASE_URL` replaces it; undefined: there is none. */
  readonly server: string | undefined;
  readonly path: string;
  headers(apiKey: string): Record<string, string>;
}

const bearer = (apiKey: string) => ({ authorization: `Bearer ${apiKey}` });

const questions: Readonly<Record<KeyedProvider, Question>> = {
  // https://platform.openai.com/docs/api-reference/models/list
  openai: { server: "https://api.openai.com/v1", path: "/models", headers: bearer },
  // https://developers.deepgram.com/docs/authenticating
  deepgram: {
    server: "https://api.deepgram.com",
    path: "/v1/auth/token",
    headers: (apiKey) => ({ authorization: `Token ${apiKey}` }),
  },
  // https://elevenlabs.io/docs/api-reference/models/list
  elevenlabs: {
    server: "https://api.elevenlabs.io",
    path: "/v1/models",
    headers: (apiKey) => ({ "xi-api-key": apiKey }),
  },
  // https://www.assemblyai.com/docs/streaming/api-spec/generate-streaming-token
  assemblyai: {
    server: "https://streaming.assemblyai.com",
    path: "/v3/token?expires_in_seconds=60",
    headers: (apiKey) => ({ authorization: apiKey }),
  },
  // https://docs.anthropic.com/en/api/models-list
  anthropic: {
    server: "https://api.anthropic.com/v1",
    path: "/models?limit=1",
    headers: (apiKey) => ({ "x-api-key": apiKey, "anthropic-version": "2023-06-01" }),
  },
  // https://ai.google.dev/api/models#method:-models.list
  google: {
    server: "https://generativelanguage.googleapis.com/v1beta",
    path: "/models?pageSize=1",
    headers: (apiKey) => ({ "x-goog-api-key": apiKey }),
  },
  compatible: { server: undefined, path: "/models", headers: bearer },
  // https://docs.cartesia.ai/api-reference/voices/list
  cartesia: {
    server: "https://api.cartesia.ai",
    path: "/voices?limit=1",
    headers: (apiKey) => ({ "x-api-key": apiKey, "cartesia-version": "2026-03-01" }),
  },
};

/** A check for each provider that has a key. */
export function providerChecks(keys: Keys): Check[] {
  const providers = Object.keys(keyedProviders) as KeyedProvider[];
  return providers.flatMap((provider) => {
    const { apiKey } = keys[provider];
    const server = serverOf(provider, keys[provider]);
    if (apiKey === undefined || server === undefined) return [];
    const { path, headers } = questions[provider];
    const run: Check["run"] = async ({ signal }) => {
      const answer = await ask(`${server}${path}`, { headers: headers(apiKey), signal });
      return judge(answer, { server, prefix: keyedProviders[provider] });
    };
    return [{ name: provider, run }];
  });
}

/** The address for HTTP of a provider; undefined when it is not known. */
export function serverOf(provider: KeyedProvider, { baseUrl }: ProviderKeys): string | undefined {
  const server = baseUrl ?? questions[provider].server;
  return server && httpAddress(server);
}

function judge(
  { status, text }: Answer,
  { server, prefix }: { readonly server: string; readonly prefix: string },
): Finding {
  const { host } = new URL(server);
  if (status >= 200 && status < 300) return ok(`${host} takes the key`);
  // ElevenLabs: https://elevenlabs.io/docs/api-reference/authentication
  if (text.includes("missing_permissions")) {
    return ok(
      `${host} knows the key, which may not list models; whether it may be used for calls shows in one`,
    );
  }
  // Google answers 400: https://ai.google.dev/gemini-api/docs/troubleshooting
  if (status === 401 || status === 403 || /API[ _]KEY[ _](NOT[ _]VALID|INVALID)/i.test(text)) {
    return failed(`${host} refuses the key (${status}): set ${prefix}_API_KEY to one that is valid there`);
  }
  const answered = `${host} answers ${status}${text && `: ${text}`}`;
  if (status === 429) return warning(`${answered}; the quota or the rate limit is used up: see the account`);
  if (status >= 500) return failed(`${answered}; it has a problem of its own: see its status page`);
  return warning(`${answered}; expected an answer with 200: check ${prefix}_BASE_URL`);
}
