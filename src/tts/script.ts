/** The text of a reply, which voice after voice may read. */
import { abortable } from "../abort.ts";

/** The text of a reply, as far as it is written; it can be read again from any place. */
export interface Script {
  readonly text: string;
  /** Where the next reader begins. */
  readonly from: number;
  /** Whoever writes the text has failed. */
  readonly failure: { readonly error: unknown } | undefined;
  goBackTo(characters: number): void;
  /** What there is from `from` on, in clauses, and what comes; `given` is told of each that is read. */
  read(given: () => void, signal: AbortSignal): ReadableStream<string>;
}

/** Begins to take in `text`, until `signal` aborts. */
export function createScript(text: ReadableStream<string>, signal: AbortSignal): Script {
  const clauses: string[] = [];
  let from = 0;
  let over = false;
  let failure: Script["failure"];
  let more = Promise.withResolvers<void>();
  const told = () => {
    more.resolve();
    more = Promise.withResolvers();
  };
  const write = (clause: string) => {
    clauses.push(clause);
    told();
  };
  text.pipeTo(new WritableStream({ write }), { signal }).catch((error) => {
    failure = { error };
  }).finally(() => {
    over = true;
    told();
  });
  return {
    get text() {
      return clauses.join("");
    },
    get from() {
      return from;
    },
    get failure() {
      return failure;
    },
    goBackTo: (characters) => from = characters,
    read(given, reading) {
      let next = 0;
      let skip = from;
      return new ReadableStream<string>({
        async pull(controller) {
          for (;;) {
            const clause = clauses[next];
            if (clause === undefined && failure) throw failure.error;
            if (clause === undefined && over) return controller.close();
            if (clause === undefined) {
              await abortable(more.promise, reading);
              continue;
            }
            next++;
            const rest = clause.slice(skip);
            skip = Math.max(0, skip - clause.length);
            if (rest === "") continue;
            if (/[\p{L}\p{N}]/u.test(rest)) given();
            return controller.enqueue(rest);
          }
        },
      }, { highWaterMark: 0 });
    },
  };
}
