import type { Clock } from "./clock.ts";

/** How often it is looked how much was heard. */
const lookEveryMs = 100;

/** The words of a reply, shown as they are heard. */
export interface Captions {
  /** Begins to look; the reply begins to be heard. */
  start(): void;
  /** What was shown so far. */
  readonly shown: string;
  /** Ends with the text that was heard, and returns what was shown: that, or more where the estimate was ahead of it. */
  end(text: string): string;
}

/** Captions whose `look()` says what was heard by now; `onText` is told the pieces, which together are what was shown. */
export function createCaptions(
  { clock, look, onText }: {
    readonly clock: Clock;
    readonly look: () => string;
    readonly onText: (text: string) => void;
  },
): Captions {
  let shown = "";
  let timer: Disposable | undefined;
  let over = false;
  const show = (text: string) => {
    if (text.length <= shown.length || !text.startsWith(shown)) return;
    const piece = text.slice(shown.length);
    shown = text;
    onText(piece);
  };
  const follow = () => {
    if (over) return;
    timer = clock.after(lookEveryMs, follow);
    show(look());
  };
  return {
    start: follow,
    get shown() {
      return shown;
    },
    end(text) {
      over = true;
      timer?.[Symbol.dispose]();
      show(text);
      return shown;
    },
  };
}
