/** What a test expects of a call. */
import { AssertionError } from "node:assert";
import type { CloseReason, SessionEvent } from "../events.ts";
import type { VoiceSession } from "../voice_session.ts";
import { callLine, transcriptOf } from "./transcript.ts";

type ErrorEvent = Extract<SessionEvent, { readonly type: "error" }>;

/**
 * Fails the test, with the call so far, unless it is so. All but `state` and `closed` look at what happened since the user
 * last spoke or typed; in the beginning, since the call began.
 */
export interface Expectations {
  /** The agent was heard to say that; a string is a part of it. Of what was cut off, what was heard. */
  said(what: string | RegExp): void;
  /** The agent was cut off, after it was heard to say that. */
  interrupted(what?: string | RegExp): void;
  /**
   * The model has called the tool. `args`: among others with these arguments; of objects what is named, of strings what a
   * RegExp finds.
   */
  toolCall(name: string, args?: Readonly<Record<string, unknown>>): void;
  /** The model has not called the tool; no tool at all when it is left out. */
  noToolCall(name?: string): void;
  /** The conversation was handed over; `to`: the other agent's `name`. */
  handoff(to?: string): void;
  /** Something failed; without this, the end of the call fails the test for it. */
  error(what?: string | RegExp): void;
  /** What the agent is doing now. */
  state(state: VoiceSession["state"]): void;
  /** The call has ended, for that reason. */
  closed(reason?: CloseReason): void;
}

export interface ExpectOptions {
  readonly session: VoiceSession;
  readonly events: readonly SessionEvent[];
  /** The first event that counts. */
  readonly from: () => number;
  /** Told of failures that the test knows of. */
  readonly onExpected: (event: ErrorEvent) => void;
  /** Fails the test. */
  readonly fail: (problem: string) => never;
}

/** Throws the failure of a test, which shows what happened in the call. */
export function failWith(problem: string, events: readonly SessionEvent[]): never {
  throw new AssertionError({ message: `${problem}\n\nThe call so far:\n${transcriptOf(events)}\n` });
}

export function expectations({ session, events, from, onExpected, fail }: ExpectOptions): Expectations {
  const recent = () => events.slice(from());
  const calls = () => recent().flatMap((event) => event.type === "tools-called" ? event.calls : []);
  return {
    said(what) {
      const said = recent().flatMap((event) => event.type === "agent-speech-committed" ? [event.text] : []);
      if (said.some((text) => fits(text, what))) return;
      fail(`expected the agent to say ${shown(what)}; it said ${said.map(shown).join(", ") || "nothing"}`);
    },
    interrupted(what = /(?:)/) {
      const said = recent().filter((event) => event.type === "agent-speech-committed");
      if (said.some(({ interrupted, text }) => interrupted && fits(text, what))) return;
      fail(`expected the agent to be cut off after ${shown(what)}; it was not`);
    },
    toolCall(name, args = {}) {
      const found = calls();
      if (found.some((call) => call.name === name && matches(call.arguments, args))) return;
      const made = found.map((call) => callLine(call.name, call.arguments)).join(", ");
      fail(`expected a call of ${callLine(name, args)}; there was ${made || "none"}`);
    },
    noToolCall(name) {
      const found = calls().find((call) => name === undefined || call.name === name);
      if (found) {
        fail(`expected no call of ${name ?? "a tool"}; there was ${callLine(found.name, found.arguments)}`);
      }
    },
    handoff(to) {
      const taken = recent().flatMap((event) => event.type === "handoff" ? [event.to] : []);
      if (to === undefined ? taken.length > 0 : taken.includes(to)) return;
      const others = taken.map(shown).join(", ");
      fail(`expected a handoff${to === undefined ? "" : ` to ${shown(to)}`}; there was ${others || "none"}`);
    },
    error(what = /(?:)/) {
      const errors = recent().filter((event) => event.type === "error");
      const expected = errors.filter(({ error }) => fits(error.message, what));
      if (expected.length === 0) {
        const others = errors.map(({ error }) => shown(error.message)).join(", ");
        fail(`expected a failure like ${shown(what)}; there was ${others || "none"}`);
      }
      for (const event of expected) onExpected(event);
    },
    state(state) {
      if (session.state !== state) fail(`expected the agent to be ${state}; it is ${session.state}`);
    },
    closed(reason) {
      const end = events.find((event) => event.type === "closed");
      if (!end) return fail("expected the call to have ended; it goes on");
      if (reason !== undefined && end.reason !== reason) {
        fail(`expected the call to end with ${shown(reason)}; it ended with ${shown(end.reason)}`);
      }
    },
  };
}

const fits = (text: string, what: string | RegExp): boolean =>
  typeof what === "string"
    ? text.includes(what)
    : new RegExp(what.source, what.flags.replace("g", "")).test(text);

/** Whether `actual` has all that `expected` names. */
function matches(actual: unknown, expected: unknown): boolean {
  if (expected instanceof RegExp) return typeof actual === "string" && fits(actual, expected);
  if (typeof expected !== "object" || expected === null) return Object.is(actual, expected);
  if (typeof actual !== "object" || actual === null || Array.isArray(actual) !== Array.isArray(expected)) {
    return false;
  }
  if (Array.isArray(expected) && expected.length !== (actual as readonly unknown[]).length) return false;
  const given = actual as Readonly<Record<string, unknown>>;
  return Object.entries(expected).every(([key, value]) =>
    Object.hasOwn(given, key) && matches(given[key], value)
  );
}

const shown = (what: string | RegExp): string => what instanceof RegExp ? String(what) : JSON.stringify(what);
