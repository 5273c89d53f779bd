/** Cuts the text of a language model into clauses that can be spoken one by one, the first one early. */

/** A piece of a reply: as the model wrote it, and what of it is read aloud (empty when nothing is). */
export interface Clause {
  readonly text: string;
  readonly spoken: string;
}

/** In the first clause of a reply, words after which it may also end before a conjunction. */
const FIRST_CLAUSE_WORDS = 8;
/** In a later one, words after which it may also end at a comma. */
const LONG_CLAUSE_WORDS = 20;

/** What ends a clause anywhere, and what ends only the first or a long one; white space must follow. */
const SENTENCE_END = /[.!?…]/;
const PAUSE = /[,;:]/;
/** The same where no white space is written after it. */
const WIDE = /[。！？｡，、；：—]/;
const WIDE_PAUSE = /[，、；：—]/;
/** What may stand between a mark and the white space after it: quotes, brackets, the end of emphasis. */
const CLOSING = /["'”’»)\]}*_~`」』）】》〉]/;

/** A word before a full stop that does not end the sentence; a single letter never does (e.g., U.S., J. Smith). */
const ABBREVIATION =
  /(?:^|[^\p{L}\p{N}])(?:\p{L}|dr|mrs?|ms|prof|st|[sj]r|vs|etc|approx|inc|ltd|dept|gov|capt|mt|cf|al|jan|feb|mar|apr|aug|sept?|oct|nov|dec)$/iu;
/** The number of a list's item. */
const ITEM_NUMBER = /(?:^|\n)\s*\d+$/;
const CONJUNCTION =
  /^(?:and|but|or|so|because|since|although|though|while|when|where|which|if|unless|until|then)\s/i;

/**
 * Takes text in pieces of any length and hands on clauses; joined, they are the same text. The first clause ends at the
 * first punctuation, later ones at the end of a sentence or a line. Where it ends depends on the text alone, not on how
 * it was cut into pieces: a mark counts once the character after it is known.
 */
export function clauses(): TransformStream<string, string> {
  let pending = "";
  let first = true;
  const cut = (ended: boolean, controller: TransformStreamDefaultController<string>) => {
    for (let end = endOf(pending, first, ended); end !== undefined; end = endOf(pending, first, ended)) {
      const clause = pending.slice(0, end);
      pending = pending.slice(end);
      first &&= !/[\p{L}\p{N}]/u.test(clause);
      controller.enqueue(clause);
    }
  };
  return new TransformStream({
    transform(text, controller) {
      pending += text;
      cut(false, controller);
    },
    flush(controller) {
      cut(true, controller);
    },
  });
}

/** The length of the first clause of `text`; undefined while it is not known. `ended`: nothing follows. */
function endOf(text: string, first: boolean, ended: boolean): number | undefined {
  let words = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (/\s/.test(char)) {
      if (words === 0) continue;
      if (char === "\n") return i + 1;
      if (first && words >= FIRST_CLAUSE_WORDS && CONJUNCTION.test(text.slice(i + 1))) return i + 1;
      continue;
    }
    if (i === 0 || /\s/.test(text.charAt(i - 1))) words++;
    const wide = WIDE.test(char);
    const pause = PAUSE.test(char) || WIDE_PAUSE.test(char);
    if (!wide && !pause && !SENTENCE_END.test(char)) continue;

    let after = i + 1;
    while (CLOSING.test(text.charAt(after)) || WIDE.test(text.charAt(after))) after++;
    if (after === text.length) {
      if (ended) break;
      return undefined;
    }
    const spaced = /\s/.test(text.charAt(after));
    if (!spaced && !wide) continue;
    if (pause && !first && words < LONG_CLAUSE_WORDS) continue;
    if (char === "." && !endsSentence(text.slice(0, i))) continue;
    return spaced ? after + 1 : after;
  }
  return ended && text.length > 0 ? text.length : undefined;
}

function endsSentence(before: string): boolean {
  return !ABBREVIATION.test(before) && !ITEM_NUMBER.test(before);
}
