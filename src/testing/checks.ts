/** What is true of every call, whatever it is about. */
import type { SessionEvent } from "../events.ts";
import type { HistoryItem } from "../history.ts";

/** What is wrong with a call that has ended, a sentence each. `known`: failures that were expected. */
export function problemsOf(
  events: readonly SessionEvent[],
  history: readonly HistoryItem[],
  known: ReadonlySet<SessionEvent>,
): string[] {
  return [
    ...events.flatMap((event) =>
      event.type === "error" && !known.has(event)
        ? [
          `a failure that the test does not expect (call.expect.error()): ${event.error.stage}: ${event.error.message}`,
        ]
        : []
    ),
    ...problemsOfTurns(events),
    ...problemsOfHistory(history),
  ];
}

/** Every turn has exactly one outcome. */
function problemsOfTurns(events: readonly SessionEvent[]): string[] {
  return events.flatMap((event) => {
    if (event.type !== "user-speech-committed") return [];
    const ends = events.filter((other) =>
      other.type === "turn-ended" && other.turnId === event.turnId
    ).length;
    return ends === 1 ? [] : [`the turn ${JSON.stringify(event.text)} has ${ends} outcomes; expected 1`];
  });
}

/** Every call of a tool has exactly one result, and every item its own id. */
function problemsOfHistory(history: readonly HistoryItem[]): string[] {
  const results = history.flatMap((item) => item.type === "tool-result" ? [item.callId] : []);
  const calls = history.flatMap((item) => item.type === "tool-call" ? [item.call] : []);
  const wrong = calls.flatMap(({ id, name }) => {
    const count = results.filter((callId) => callId === id).length;
    return count === 1 ? [] : [`the call of ${name} has ${count} results in the history; expected 1`];
  });
  const strays = results.filter((callId) => !calls.some(({ id }) => id === callId));
  return [
    ...wrong,
    ...strays.map((id) => `the history has a result without its call: ${id}`),
    ...(new Set(history.map(({ id }) => id)).size < history.length
      ? ["two items of the history have one id"]
      : []),
  ];
}
