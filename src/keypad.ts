/** What the user presses on a telephone's keys: digits that follow each other are a turn, as though they were typed. */
import type { Clock } from "./clock.ts";

/** Who presses nothing for so long has finished, in milliseconds; a "#" says so at once. */
const pauseMs = 2_000;

export interface Keypad {
  /** A key was pressed: 0–9, "*" or "#". */
  press(key: string): void;
}

/** `onEntered` is told the keys of a turn, but for the "#" that has ended it. */
export function createKeypad(
  { clock, signal, onEntered }: {
    readonly clock: Clock;
    /** Aborts when the session ends. */
    readonly signal: AbortSignal;
    readonly onEntered: (keys: string) => void;
  },
): Keypad {
  let keys = "";
  let timer: Disposable | undefined;
  const enter = () => {
    const entered = keys;
    keys = "";
    if (entered !== "") onEntered(entered);
  };
  signal.addEventListener("abort", () => timer?.[Symbol.dispose](), { once: true });
  return {
    press(key) {
      if (signal.aborted) return;
      timer?.[Symbol.dispose]();
      if (key === "#") return enter();
      keys += key;
      timer = clock.after(pauseMs, enter);
    },
  };
}
