/** The user's words between two commits; where several people talk with the agent, theirs together. */
import type { Said, Speaker, UnderWay, Words } from "./state.ts";

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

/** The same, by who said it: what is final, in the order in which it came, then what is under way. */
export function saidOf({ said, under }: Words): readonly Said[] {
  const interims = Object.values(under).map(({ interim, speaker }) => saidBy(speaker, interim));
  return [...said, ...interims].filter(({ text }) => text !== "").reduce<Said[]>(append, []);
}

/** No words. */
export const NO_WORDS: Words = { final: "", interim: "", atMs: 0, said: [], under: {} };

/** Takes in what the recognizer says of the utterance that `speaker` is at. */
export function hearInterim(words: Words, text: string, nowMs: number, speaker?: Speaker): Words {
  const own = ownOf(words, speaker);
  const interim = own.owed ? withoutOwed(text, own.owed) : text.trim();
  return interim === own.interim ? words : { ...withOwn(words, { ...own, interim }), atMs: nowMs };
}

/** Takes in a finished utterance; one that comes twice, with no voice between (`voiced`), is dropped. */
export function hearFinal(
  words: Words,
  text: string,
  nowMs: number,
  voiced: boolean,
  speaker?: Speaker,
): Words {
  const own = ownOf(words, speaker);
  const fresh = own.owed ? withoutOwed(text, own.owed) : text.trim();
  const again = !voiced && sameWords(text, own.lastFinal);
  if (fresh === "" || again) return withOwn(words, { ...own, interim: "", owed: "" });
  return {
    ...withOwn(words, { ...own, interim: "", owed: "", lastFinal: text }),
    final: [words.final, fresh].filter(Boolean).join(" "),
    said: append(words.said, saidBy(speaker, fresh)),
    atMs: nowMs,
    finalAtMs: nowMs,
  };
}

/** The words of somebody who is in the middle of a turn, as they are known to who goes on with it. */
export const begunWords = (text: string, nowMs: number): Words => hearFinal(NO_WORDS, text, nowMs, true);

/** What is left once the turn was committed. */
export function commitWords({ atMs, under }: Words): Words {
  const left = Object.entries(under).map(([key, own]) => {
    const owed = [own.owed, own.interim].filter(Boolean).join(" ");
    return [key, { ...own, interim: "", owed }];
  });
  return { ...NO_WORDS, atMs, under: Object.fromEntries(left) };
}

const saidBy = (speaker: Speaker | undefined, text: string): Said => ({ ...(speaker && { speaker }), text });

/** `said` and then `next`, which goes on where the same one was the last to speak. */
function append(said: readonly Said[], next: Said): Said[] {
  const last = said.at(-1);
  if (!last || last.speaker?.identity !== next.speaker?.identity) return [...said, next];
  return [...said.slice(0, -1), { ...last, text: `${last.text} ${next.text}` }];
}

const ownOf = ({ under }: Words, speaker: Speaker | undefined): UnderWay =>
  under[keyOf(speaker)] ?? { ...(speaker && { speaker }), interim: "", owed: "", lastFinal: "" };

function withOwn(words: Words, own: UnderWay): Words {
  const under = { ...words.under, [keyOf(own.speaker)]: own };
  const interim = Object.values(under).map((one) => one.interim).filter(Boolean).join(" ");
  return { ...words, under, interim };
}

const keyOf = (speaker: Speaker | undefined): string => speaker?.identity ?? "";
