/** What answers where no key is set: a demo with a few fixed rules, which says so. English only. */
import { type Clock, wallTime } from "../clock.ts";
import { type LanguageEvent, type LanguageModel, type LanguageRequest, newCallId } from "./llm.ts";

/** How fast it "thinks", in milliseconds. */
const FIRST_WORD_MS = 120;
const WORD_MS = 25;

/** What a rule may use besides the words it matched. */
interface Known {
  /** The user's name, once they told it; empty before. */
  readonly name: string;
  readonly time: Date;
}

interface Rule {
  /** The first rule whose pattern is in the user's last words answers them. */
  readonly hears: RegExp;
  /** The name of a tool that it uses, where the agent has one, with the user's words as the reason. */
  readonly uses?: RegExp;
  readonly says: (known: Known) => string;
}

const real = "With OPENAI_API_KEY set, a real language model answers in my place.";

const story = "Here is a long one; interrupt me whenever you like. " +
  "Once upon a time, at the very end of the world, there stood a lighthouse. " +
  "Its keeper was an old woman named Ada, who had not missed a single night in forty years. " +
  "Every evening she climbed two hundred and twelve steps, lit the great lamp, and told the sea a story. " +
  "She told it about mountains that walk when nobody looks, and about a fox who opened a school for birds. " +
  "The ships could not hear her, but the light seemed to flicker in the rhythm of her words, " +
  "and sailors said that it was the friendliest light on the whole coast. " +
  "One winter a storm came, so loud that Ada could not hear her own voice. " +
  "The lamp went out, and she had no dry match left. " +
  "So she opened the window and simply went on telling her story, louder and louder, into the dark. " +
  "And out there, one after the other, the ships began to answer: each of them lit a lantern and hung it high. " +
  "By midnight there were so many lanterns on the water that it looked like a second sky. " +
  "Not one ship was lost that night. " +
  "In the morning a small boy rowed to the lighthouse and asked how the story ended. " +
  "Ada laughed, and put the kettle on. I have no idea, she said. Nobody ever stayed long enough to find out.";

/** Where a name stands; what follows "I am" is one only when nothing else is said. */
const namePattern = new RegExp(
  String.raw`\b(?:my name(?:'s| is)|call me)\s+(?!not\b|what\b)(?<told>\p{L}[\p{L}'-]*)|` +
    String
      .raw`^(?:(?:hi|hello|hey)\W+)?i(?:'m| am)\s+(?!(?:fine|good|ok|okay|here|sorry|well|great|back|done|not)\b)` +
    String.raw`(?<shown>\p{L}[\p{L}'-]*)\W*$`,
  "iu",
);

const rules: readonly Rule[] = [
  {
    hears: /^(please )?(stop|wait|enough|quiet|be quiet|shut up|hold on)\b/i,
    says: () => "All right, I stopped.",
  },
  {
    hears: /\bwhat('s| is) my name\b|\bwho am i\b|\bremember (me|my name)\b/i,
    says: ({ name }) =>
      name
        ? `Your name is ${name}.`
        : "You have not told me your name yet. Say: my name is, and then your name.",
  },
  {
    hears: namePattern,
    says: ({ name }) => `Nice to meet you, ${name}. I will remember that.`,
  },
  {
    hears: /\b(what|the) time\b|\bhow late\b/i,
    uses: /^getTime$/,
    says: ({ time }) => `It is ${time.toLocaleTimeString("en-US", { hour: "numeric", minute: "2-digit" })}.`,
  },
  {
    hears: /\bwhat (day|date)\b|\bthe date\b|\bwhich day\b/i,
    says: ({ time }) =>
      `Today is ${time.toLocaleDateString("en-US", { weekday: "long", month: "long", day: "numeric" })}.`,
  },
  {
    hears: /\btransfer\b|\bsales\b|\bpric(es?|ing)\b|\bbuy\b|\b(talk|speak|go) (back )?(to|with)\b/i,
    uses: /^transfer/,
    says: () => "There is nobody here but me.",
  },
  { hears: /\bstory\b|\btell me (something|anything)\b/i, says: () => story },
  {
    hears:
      /\byour name\b|\b(who|what) are you\b|\bare you (a|an|real|human)\b|\bwhat can (you|i)\b|\bhelp\b/i,
    says: () =>
      "I am a demo: a few fixed rules, and no language model. I can greet you, remember your name, tell you the " +
      `time, and tell a long story that you may interrupt. ${real}`,
  },
  { hears: /\bhow are you\b/i, says: () => "I am well, thank you, as far as a few rules can be. And you?" },
  { hears: /\bthank(s| you)\b/i, says: () => "You are welcome." },
  {
    hears: /\b(good ?bye|bye|see you)\b/i,
    says: ({ name }) => `Goodbye${name && `, ${name}`}. It was nice to talk with you.`,
  },
  {
    hears: /^(hi|hello|hey|good (morning|afternoon|evening))\b|^$/i,
    says: ({ name }) => name ? `Hello, ${name}! What can I do for you?` : "Hello! What is your name?",
  },
];

const notUnderstood =
  `I did not understand that: I am only a demo with a few rules. Ask me the time, tell me your name, or ask for a story. ${real}`;

/**
 * Answers by rules: the same words get the same answer. Speaks word by word, as a model does. Calls an agent's `getTime`
 * when it is asked for the time, and a tool whose name begins with `transfer` to hand over. `time`: what it tells where
 * there is no such tool (default: now, where the server is).
 */
export function demoLanguageModel(
  { clock, time = () => new Date(wallTime()) }: { readonly clock: Clock; readonly time?: () => Date },
): LanguageModel {
  return {
    provider: "demo",
    model: "rules",
    generate: (request, { signal }) => ReadableStream.from(inTime(answer(request, time()), clock, signal)),
  };
}

/** What is said, or the tool that is used first. */
type Answer = { readonly text: string } | { readonly uses: string; readonly reason: string };

function answer({ messages, tools = [], toolChoice }: LanguageRequest, time: Date): Answer {
  const last = messages.at(-1);
  if (last?.role === "tool") return { text: sentence(last.content) };
  const said = messages.filter(({ role }) => role === "user").map(({ content }) => plain(content));
  const words = said.at(-1) ?? "";
  const rule = rules.find(({ hears }) => hears.test(words));
  if (!rule) return { text: notUnderstood };
  const used = toolChoice === "none" ? undefined : tools.find(({ name }) => rule.uses?.test(name));
  return used ? { uses: used.name, reason: words } : { text: rule.says({ name: nameIn(said), time }) };
}

/** What a tool has told, as a sentence: of a time, what time it is. */
function sentence(told: string): string {
  return /^\d{1,2}:\d\d/.test(told) ? `It is ${told}.` : told;
}

/** The name the user gave last. */
function nameIn(said: readonly string[]): string {
  for (const text of said.toReversed()) {
    const { told, shown } = namePattern.exec(text)?.groups ?? {};
    const name = told ?? shown;
    if (name) return name.replace(/^./u, (first) => first.toUpperCase());
  }
  return "";
}

const plain = (text: string): string => text.trim().replaceAll("’", "'");

async function* inTime(answer: Answer, clock: Clock, signal: AbortSignal): AsyncGenerator<LanguageEvent> {
  await clock.sleep(FIRST_WORD_MS, { signal });
  if ("uses" in answer) {
    yield { type: "tool-call", id: newCallId(), name: answer.uses, arguments: { reason: answer.reason } };
    return yield { type: "finish", reason: "tool-calls" };
  }
  for (const word of answer.text.match(/\S+\s*/g) ?? []) {
    yield { type: "text", text: word };
    await clock.sleep(WORD_MS, { signal });
  }
  yield { type: "finish", reason: "stop" };
}
