/** What leaves the process of an error: in words that hold no secret. */
import { messageOf, type Stage, StageError } from "../errors.ts";
import type { SessionEvent } from "../events.ts";

const stages: Readonly<Record<Stage, string>> = {
  room: "the room's connection",
  vad: "voice detection",
  stt: "speech recognition",
  llm: "the language model",
  tts: "the voice",
  turn: "turn-taking",
  agent: "the agent's own code",
  session: "the session",
};

const hidden = "(hidden)";

/** What keys look like, wherever they stand. */
const secretLooks: readonly [looks: RegExp, instead: string][] = [
  [/\b(bearer|basic|token)\s+[\w.~+/=-]{8,}/gi, `$1 ${hidden}`],
  [
    /\b((?:api[_-]?|access[_-]?)?(?:key|token|secret)|password|authorization)(["']?\s*[:=]\s*)(?:"[^"]*"|'[^']*'|[^\s"',;&]+)/gi,
    `$1$2${hidden}`,
  ],
  [/\b([a-z][a-z+]*:\/\/)[^\s/@]+@/gi, `$1${hidden}@`],
  [/\b([a-z][a-z+]*:\/\/[^\s?"']+\?)[^\s"']+/gi, `$1${hidden}`],
  [/\beyJ[\w-]+\.[\w-]+(\.[\w-]*)?/g, hidden],
  [/\b(sk|pk|rk|xi|gh[opsu]|whsec)[-_][\w*-]{6,}/gi, hidden],
  [/[\w-]{32,}/g, hidden],
];

/** `text` without what looks like a key, and without any of `secrets`. */
export function withoutSecrets(text: string, secrets: readonly string[] = []): string {
  const known = secrets.filter(Boolean).reduce((rest, secret) => rest.replaceAll(secret, hidden), text);
  return secretLooks.reduce((rest, [looks, instead]) => rest.replaceAll(looks, instead), known);
}

/**
 * `error` as it may be told outside: an error of ours in its own words, any other's in ours, since a library's may hold
 * a request with its keys or what somebody said; the log has those. What caused it is left out.
 */
export function outwardError(error: StageError, secrets: readonly string[] = []): StageError {
  const { stage, retryable, refused, cause } = error;
  const foreign = cause !== undefined && messageOf(cause) === error.message;
  const message = foreign ? `${stages[stage]} failed; the server's log says why` : error.message;
  return new StageError(stage, withoutSecrets(message, secrets), { retryable, refused });
}

/** `event` as it may be told outside. */
export function outward(event: SessionEvent, secrets?: readonly string[]): SessionEvent {
  return event.type === "error" ? { ...event, error: outwardError(event.error, secrets) } : event;
}
