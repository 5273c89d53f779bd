/** What the agent may have this page do: the methods of its front-end tools, `clientTool()` in src/mod.ts. Add your own. */

/** The most that an answer may have, in bytes, and the words of a failure, in characters. */
const MAX_ANSWER_BYTES = 15 * 1024;
const MAX_WORDS = 256;

/** The methods by name; `show`: shows the user a text. Each takes the tool's arguments, and what it returns is the answer. */
export function createClientTools({ show }) {
  const methods = {
    showMessage: ({ text }) => show(String(text)),
    getTimeZone: () => Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
  return {
    names: Object.keys(methods),
    /** Carries out a request; settles with the answer's text, and rejects with one of LiveKit's codes and words. */
    async perform(method, payload) {
      if (!Object.hasOwn(methods, method)) throw failure(1400, "This page has no such method.");
      let answer;
      try {
        answer = await methods[method](JSON.parse(payload));
      } catch (error) {
        throw failure(1500, error.message);
      }
      const text = typeof answer === "string" ? answer : JSON.stringify(answer) ?? "";
      if (new TextEncoder().encode(text).length > MAX_ANSWER_BYTES) {
        throw failure(1504, "The answer is too large.");
      }
      return text;
    },
  };
}

const failure = (code, words) => Object.assign(new Error(words.slice(0, MAX_WORDS)), { code });
