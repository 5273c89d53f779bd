/** A call as lines to be read: what was said and done, and when. */
import type { SessionEvent } from "../events.ts";

/** One line an event that says anything to a reader, with the seconds since the call began. */
export function transcriptOf(events: readonly SessionEvent[]): string {
  const names = new Map<string, string>();
  const lines = events.flatMap((event) => {
    if (event.type === "tools-called") { for (const { id, name } of event.calls) names.set(id, name); }
    return wordsOf(event, names).map(([who, what]) =>
      `${seconds(event.atMs)}  ${who.padEnd(6)} ${what.replaceAll(/\s+/g, " ")}`
    );
  });
  return lines.length > 0 ? lines.join("\n") : "(nothing was said or done)";
}

/** What the agent said, as text: with a mark where it was cut off. */
export const spokenLine = (text: string, interrupted: boolean): string =>
  interrupted ? `${text} — interrupted` : text;

/** A tool with its arguments, as a reader knows them. */
export const callLine = (name: string, args: unknown): string => `${name}(${JSON.stringify(args) ?? ""})`;

function wordsOf(event: SessionEvent, names: ReadonlyMap<string, string>): [who: string, what: string][] {
  switch (event.type) {
    case "user-speech-committed": {
      const { speaker, text, said = [{ text, ...(speaker && { speaker }) }] } = event;
      return said.filter(({ text }) => text !== "").map((one) => [one.speaker?.name ?? "user", one.text]);
    }
    case "agent-speech-committed":
      return [["agent", spokenLine(event.text, event.interrupted)]];
    case "tools-called":
      return event.calls.map((call) => ["tool", callLine(call.name, call.arguments)]);
    case "tools-finished":
      return event.results.map(({ callId, outcome, content }) => [
        "tool",
        `${names.get(callId) ?? callId} ${outcome}: ${content}`,
      ]);
    case "handoff":
      return [["agent", `(${event.from} hands over to ${event.to})`]];
    case "error":
      return [["error", `${event.error.stage}: ${event.error.message}`]];
    case "closed":
      return [["end", event.reason]];
    default:
      return [];
  }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1).padStart(6)} s`;
