/** How many tokens text has: as the model's own tokenizer counts where there is one, else about as many. */

export type TokenCounter = (text: string) => number;

type Encoding = "o200k_base" | "cl100k_base";

/** What a message takes besides its words: https://github.com/openai/openai-cookbook, "How to count tokens with tiktoken". */
export const tokensPerMessage = 4;
/** Text is counted in pieces of so many characters: one long run without spaces would take the tokenizer seconds. */
const pieceCharacters = 1_000;
/** Languages in Latin letters have four bytes a token or more; others take more bytes for a letter. */
const bytesPerToken = 4;

const encoder = new TextEncoder();
/** Those that are loaded: some 80 MB each, in a process whose agents set `maxTokens` and in no other. */
const exact = new Map<Encoding, TokenCounter>();

/** About as many as there are, and rather more: what a model has whose tokenizer is not public. */
export const estimatedTokens: TokenCounter = (text) => Math.ceil(encoder.encode(text).length / bytesPerToken);

/** Counts as the language model of that name does, once its tokenizer is loaded; about as many until then. */
export function tokenCounter(model: string): TokenCounter {
  const encoding = encodingOf(model);
  return (text) => (encoding && exact.get(encoding) || estimatedTokens)(text);
}

/** Loads the tokenizer of a model, where it has one: 0.2 s in which nothing else happens. */
export async function loadTokenizer(model: string): Promise<void> {
  const encoding = encodingOf(model);
  if (!encoding || exact.has(encoding)) return;
  const { countTokens } = encoding === "o200k_base"
    ? await import("gpt-tokenizer/encoding/o200k_base")
    : await import("gpt-tokenizer/encoding/cl100k_base");
  // What looks like one of the tokenizer's own marks is text here: a user may say anything.
  const none = { disallowedSpecial: new Set<string>() };
  exact.set(encoding, (text) => {
    let tokens = 0;
    for (let at = 0; at < text.length; at += pieceCharacters) {
      tokens += countTokens(text.slice(at, at + pieceCharacters), none);
    }
    return tokens;
  });
}

/** OpenAI's encodings by model: https://github.com/openai/tiktoken/blob/main/tiktoken/model.py */
function encodingOf(model: string): Encoding | undefined {
  const name = model.slice(model.lastIndexOf("/") + 1);
  if (/^gpt-(3\.5|4$|4-)/.test(name)) return "cl100k_base";
  return /^(gpt-|chatgpt-|o\d)/.test(name) ? "o200k_base" : undefined;
}
