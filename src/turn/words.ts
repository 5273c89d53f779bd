/** The user's words between two commits. */
import type { Words } from "./state.ts";

/** The words of `text`. */
export const split = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");

/** The letters and digits of `word`, folded: what has to agree for two words to be the same. */
export const fold = (word: string): string => word.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "");

/** How many words `text` has. */
export const countWords = (text: string): number => split(text).length;

/** Whether two texts are the same words, case and punctuation apart. */
export function sameWords(a: string, b: string): boolean {
  const [left, right] = [split(a).map(fold), split(b).map(fold)];
  return left.length === right.length && left.every((word, i) => word === right[i]);
}

/** `text` without the words of `owed` that it begins with; all of it when it begins otherwise. */
function withoutOwed(text: string, owed: string): string {
  const [words, known] = [split(text), split(owed)];
  let same = 0;
  while (same < known.length && same < words.length && fold(words[same]!) === fold(known[same]!)) same++;
  // A recognizer may revise its last word or two; an utterance that shares most of its words is still the same one.
  return same * 2 >= known.length ? words.slice(Math.min(known.length, words.length)).join(" ") : text;
}

/** The whole turn so far. */
export const textOf = (words: Words): string => [words.final, words.interim].filter(Boolean).join(" ");

/** Takes in what the recognizer says of the utterance it is at. */
export function hearInterim(words: Words, text: string, nowMs: number): Words {
  const interim = words.owed ? withoutOwed(text, words.owed) : text.trim();
  return interim === words.interim ? words : { ...words, interim, atMs: nowMs };
}

/** Takes in a finished utterance; one that comes twice, with no voice between (`voiced`), is dropped. */
export function hearFinal(words: Words, text: string, nowMs: number, voiced: boolean): Words {
  const fresh = words.owed ? withoutOwed(text, words.owed) : text.trim();
  const again = !voiced && sameWords(text, words.lastFinal);
  if (fresh === "" || again) return { ...words, interim: "", owed: "" };
  const final = [words.final, fresh].filter(Boolean).join(" ");
  return { final, interim: "", atMs: nowMs, finalAtMs: nowMs, owed: "", lastFinal: text };
}

/** What is left once the turn was committed. */
export function commitWords(words: Words): Words {
  const owed = [words.owed, words.interim].filter(Boolean).join(" ");
  return { final: "", interim: "", atMs: words.atMs, owed, lastFinal: words.lastFinal };
}
