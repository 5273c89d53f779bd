import { defineAgent, type LanguageEvent, type LanguageModel } from "../src/mod.ts";

/** In place of a language model: the answer is what the user said. */
const repeat: LanguageModel = {
  provider: "echo",
  model: "repeat",
  generate: ({ messages }) =>
    ReadableStream.from<LanguageEvent>([
      { type: "text", text: messages.findLast(({ role }) => role === "user")?.content ?? "" },
      { type: "finish", reason: "stop" },
    ]),
};

/** Repeats what it heard. Needs a recognizer and a voice, and no key for a language model. */
export default defineAgent({ instructions: "Repeat what the user says.", llm: repeat });
