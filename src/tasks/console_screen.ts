/** What a conversation looks like in a terminal: the agent's words as they sound, and what it does between them. */
import type { SessionEvent } from "../events.ts";
import { callLine } from "../testing/transcript.ts";

/** Of what a tool returned, so many characters are shown. */
const resultLength = 200;

export interface Screen {
  /** Words of `name`'s that sound now. */
  words(name: string, text: string): void;
  /** What happened, as far as it is to be seen. */
  show(event: SessionEvent): void;
  /** A line of its own. */
  line(text: string): void;
  /** Waits for a line to be typed. */
  prompt(): void;
  /** A line was typed. */
  typed(): void;
}

/** A screen that is written on with `write`. `showsUser`: what the user says, which they have not typed here. */
export function createScreen(
  write: (text: string) => void,
  { showsUser }: { readonly showsUser: boolean },
): Screen {
  /** What the line that the cursor is in begins with; undefined at the beginning of a line. */
  let begun: "words" | "prompt" | undefined;
  const names = new Map<string, string>();
  const end = () => {
    if (begun) write("\n");
    begun = undefined;
  };
  const line = (text: string) => {
    end();
    write(`${text}\n`);
  };
  return {
    line,
    words(name, text) {
      if (begun !== "words") {
        end();
        write(`${name}: `);
        begun = "words";
      }
      write(text.replaceAll(/\s+/g, " "));
    },
    show(event) {
      if (event.type === "agent-speech-committed") {
        if (begun === "words") write(event.interrupted ? " —" : "");
        if (begun === "words") end();
      } else if (event.type === "user-speech-committed") {
        if (showsUser && event.text !== "") line(`you: ${event.text}`);
      } else if (event.type === "tools-called") {
        for (const { id, name, arguments: args } of event.calls) {
          names.set(id, name);
          line(`  · ${callLine(name, args)}`);
        }
      } else if (event.type === "tools-finished") {
        for (const { callId, outcome, content } of event.results) {
          const shown = content.length > resultLength ? `${content.slice(0, resultLength)}…` : content;
          line(`  · ${names.get(callId) ?? callId} ${outcome}: ${shown}`);
        }
      } else if (event.type === "error") line(`  ! ${event.error.stage}: ${event.error.message}`);
      else if (event.type === "handoff") line(`  · ${event.from} hands over to ${event.to}`);
      else if (event.type === "closed") line(`The call has ended: ${event.reason}.`);
    },
    prompt() {
      if (begun) return;
      write("> ");
      begun = "prompt";
    },
    typed: () => void (begun = undefined),
  };
}
