/** The sentences of a text. */

/** A sentence: where it begins, and where its last character ends that is no white space. */
export interface Sentence {
  readonly start: number;
  readonly end: number;
}

/** The first sentence of `text` that ends behind its first `characters`; undefined when none does. */
export function sentenceAt(text: string, characters: number): Sentence | undefined {
  for (const { index, segment } of new Intl.Segmenter(undefined, { granularity: "sentence" }).segment(text)) {
    const end = index + segment.trimEnd().length;
    if (end > characters) return { start: index, end };
  }
  return undefined;
}
