/** A dictionary of how words are said. */

/** Scripts that put no space between words: there a word may stand anywhere. */
const unspaced = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]/u;

/**
 * A function that puts each word or phrase of `dictionary` the way it is to be said: `{ "nginx": "engine x" }`. Only
 * whole words count. One written in lower case alone stands for any case of it; one with a capital only for itself:
 * "US" does not touch "us". The longest that fits is taken, and what was put in is not looked at again.
 */
export function pronounce(dictionary: Readonly<Record<string, string>>): (text: string) => string {
  const said = new Map(Object.entries(dictionary).filter(([word]) => word.trim() !== ""));
  if (said.size === 0) return (text) => text;
  const forms = [...said.keys()].toSorted((a, b) => b.length - a.length).map(wholeWord);
  const words = new RegExp(forms.join("|"), "giu");
  return (text) =>
    text.replace(words, (found) => {
      const word = found.replace(/\s+/g, " ");
      return said.get(word) ?? said.get(word.toLowerCase()) ?? found;
    });
}

function wholeWord(word: string): string {
  const literal = word.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`).replace(/\s+/g, String.raw`\s+`);
  if (unspaced.test(word)) return literal;
  return String.raw`(?<![\p{L}\p{N}])${literal}(?![\p{L}\p{N}])`;
}
