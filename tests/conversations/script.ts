/**
 * The language of the golden conversations. Times are seconds from the start; a line is one of
 *
 *     options min 350 max 3000 interrupt 300 words 0 allowed yes speculate yes detection words mode fixed
 *     greeting "Hello!"
 *     llm "It is noon." ttft 200ms token 20ms     the answers in order; also: fail, die (after its words), hang, deaf
 *     llm "Let me look." calls look, book         the tools that it calls behind its words; ttft and token before "calls"
 *     llm "" calls submit(email=joe@example.com)  … with an argument
 *     tool look none 0.5s "It is sunny."          a tool, its effect, how long it takes, what it returns; also: fails,
 *                                                 asks (the user first), progress (says so), kept (not to be interrupted)
 *     tool move idempotent 1s "second" transfers  to the agent of that name, which says "Here is second." first
 *     tool ask once 0s collects                   the user's e-mail address, by a task, and returns it
 *     tts fail                                    how the replies in order are voiced: speak, fail, hang
 *     0.5 user "What time is it?" 1.2s            the user speaks for 1.2 s
 *     people Anna, Ben                            everybody is heard; these are there from the beginning
 *     0.5 Anna "What time is it?" 1.2s            one of them speaks
 *     5.0 Ben leaves | joins
 *     0.5 babble "what they knew" 1.2s            a voice of which the recognizer guesses these words
 *     2.0 noise 0.3s                              a voice without words
 *     history                                     write the history below
 *     away after 5s close 10s prompts 2           when the user counts as away; max 20s: how long the call may last
 *     3.0 say "Mind the gap." uninterruptible     also: unrecorded, high, immediate
 *     3.0 stream "In pieces of words" die         a stream to say; it may die or stall after its words
 *     3.0 generate "Be brief."                    a reply after these instructions
 *     3.0 reply to "Hello?"                       a reply to this input
 *     3.0 cut say-1                               handle.interrupt()
 *     3.0 say "One moment." | interrupt | leave | shutdown | stt drop | stt down | stt up | stt twice
 *     3.0 stt judges | end
 *     3.0 expect digits 6                         session.expect(): email, phone, date or digits, and how many
 *     3.0 press | release | take back             the user's key to talk
 */
import type { AwayOptions, EndpointingOptions, TurnDetection } from "../../src/agent.ts";
import type { ToolEffect } from "../../src/tool.ts";
import type { Expectation } from "../../src/turn/expectation.ts";
import type { GenerateReplyOptions, SayOptions } from "../../src/voice_session.ts";
import type { Answer, Utterance, Voicing } from "../fakes/providers.ts";

export type Happening =
  | { readonly type: "say"; readonly atMs: number; readonly text: string; readonly options: SayOptions }
  | {
    readonly type: "stream";
    readonly atMs: number;
    readonly text: string;
    readonly then: "end" | "die" | "stall";
  }
  | { readonly type: "generate"; readonly atMs: number; readonly options: GenerateReplyOptions }
  | { readonly type: "cut"; readonly atMs: number; readonly replyId: string }
  | { readonly type: "expect"; readonly atMs: number; readonly expected: Expectation }
  | { readonly type: "joins" | "leaves"; readonly atMs: number; readonly who: string }
  | { readonly type: (typeof happeningTypes)[number]; readonly atMs: number };

export interface ScriptedTool {
  readonly name: string;
  readonly effect: ToolEffect;
  readonly ms: number;
  /** What it returns, or fails with. */
  readonly text: string;
  readonly does: readonly string[];
}

export interface Script {
  /** Who is there from the beginning, where everybody is heard. */
  readonly people: readonly string[];
  readonly away: AwayOptions | undefined;
  readonly maxCallMs: number | undefined;
  /** Whether the history is written below what happened. */
  readonly showsHistory: boolean;
  readonly greeting: string | undefined;
  readonly options: Readonly<Record<"min" | "max" | "interrupt" | "words", number>> & {
    readonly allowed: boolean;
    readonly speculate: boolean;
    readonly detection: Extract<TurnDetection, string>;
    readonly mode: NonNullable<EndpointingOptions["mode"]>;
  };
  readonly tools: readonly ScriptedTool[];
  readonly answers: readonly Answer[];
  readonly voicings: readonly Voicing[];
  readonly utterances: readonly Utterance[];
  /** When a voice is heard, with words or without. */
  readonly voices: readonly { readonly fromMs: number; readonly toMs: number; readonly voice?: number }[];
  readonly happenings: readonly Happening[];
  readonly endMs: number;
}

const happeningTypes = [
  "interrupt",
  "leave",
  "shutdown",
  "stt drop",
  "stt down",
  "stt up",
  "stt twice",
  "stt judges",
  "press",
  "release",
  "take back",
  "end",
] as const;
const expectations = ["email", "phone", "date", "digits"] as const;
const detections = ["silence", "stt", "manual"] as const;

/** Reads a script; throws an Error that names the line it does not understand. */
export function parseScript(text: string): Script {
  let greeting: string | undefined;
  let away: AwayOptions | undefined;
  let maxCallMs: number | undefined;
  let showsHistory = false;
  let options: Script["options"] = {
    min: 350,
    max: 3000,
    interrupt: 300,
    words: 0,
    allowed: true,
    speculate: true,
    detection: "words",
    mode: "fixed",
  };
  const tools: ScriptedTool[] = [];
  const answers: Answer[] = [];
  const voicings: Voicing[] = [];
  const utterances: Utterance[] = [];
  const voices: { fromMs: number; toMs: number; voice?: number }[] = [];
  const people: string[] = [];
  const happenings: Happening[] = [];

  for (const line of text.split("\n").map((line) => line.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const quoted = line.match(/"(.*)"/)?.[1] ?? "";
    const words = line.replace(/".*"/, "").split(/\s+/).filter(Boolean);
    const value = (name: string, otherwise: number) => {
      const at = words.indexOf(name);
      return at < 0 ? otherwise : Number.parseFloat(words[at + 1] ?? "");
    };
    const atMs = Math.round(Number(words[0]) * 1000);
    const rest = words.slice(1).join(" ");
    const toMs = atMs + Math.round(Number.parseFloat(words.at(-1) ?? "") * 1000);
    const type = happeningTypes.find((type) => type === rest);

    const msOf = (name: string) => value(name, NaN) * 1000;

    const voice = people.indexOf(words[1] ?? "");

    if (words[0] === "people") people.push(...words.slice(1).map((name) => name.replace(",", "")));
    else if (words[0] === "greeting") greeting = quoted;
    else if (words[0] === "history") showsHistory = true;
    else if (words[0] === "max") maxCallMs = msOf("max");
    else if (words[0] === "away") {
      const prompts = Array.from({ length: value("prompts", 0) }, (_, i) => `Still there? (${i + 1})`);
      away = {
        afterMs: msOf("after"),
        closeAfterMs: words.includes("close") ? msOf("close") : Infinity,
        prompts,
      };
    } else if (words[0] === "options") {
      options = {
        min: value("min", options.min),
        max: value("max", options.max),
        interrupt: value("interrupt", options.interrupt),
        words: value("words", options.words),
        allowed: !rest.includes("allowed no"),
        speculate: !rest.includes("speculate no"),
        detection: detections.find((name) => rest.includes(`detection ${name}`)) ?? "words",
        mode: rest.includes("mode dynamic") ? "dynamic" : "fixed",
      };
    } else if (words[0] === "llm") {
      const then = (["fail", "die", "hang", "deaf"] as const).find((then) => words.includes(then));
      const answer = { text: quoted, ttftMs: value("ttft", 200), tokenMs: value("token", 20) };
      const at = words.indexOf("calls");
      const calls = at < 0 ? [] : words.slice(at + 1).map(callFrom);
      answers.push({ ...answer, ...(then && { then }), ...(calls.length > 0 && { calls }) });
    } else if (words[0] === "tool") {
      const [, name = "", effect, duration = "", ...does] = words;
      const ms = Number.parseFloat(duration) * 1000;
      tools.push({ name, effect: effect as ToolEffect, ms, text: quoted, does });
    } else if (words[0] === "tts") voicings.push(rest as Voicing);
    else if (voice >= 0 && (words[2] === "joins" || words[2] === "leaves")) {
      happenings.push({ type: words[2], atMs, who: words[1] ?? "" });
    } else if (voice >= 0) {
      utterances.push({ fromMs: atMs, toMs, words: quoted.split(" "), voice });
      voices.push({ fromMs: atMs, toMs, voice });
    } else if (words[1] === "user" || words[1] === "babble") {
      const guessed = words[1] === "babble" ? { confidence: 0.2 } : {};
      utterances.push({ fromMs: atMs, toMs, words: quoted.split(" "), ...guessed });
      voices.push({ fromMs: atMs, toMs });
    } else if (words[1] === "noise") voices.push({ fromMs: atMs, toMs });
    else if (words[1] === "say") {
      happenings.push({ type: "say", atMs, text: quoted, options: sayOptions(words) });
    } else if (words[1] === "stream") {
      const then = (["die", "stall"] as const).find((then) => words.includes(then)) ?? "end";
      happenings.push({ type: "stream", atMs, text: quoted, then });
    } else if (words[1] === "generate") {
      const instructions = quoted === "" ? {} : { instructions: quoted };
      happenings.push({ type: "generate", atMs, options: { ...sayOptions(words), ...instructions } });
    } else if (words[1] === "reply") {
      happenings.push({ type: "generate", atMs, options: { ...sayOptions(words), userInput: quoted } });
    } else if (words[1] === "cut") happenings.push({ type: "cut", atMs, replyId: words[2] ?? "" });
    else if (words[1] === "expect") {
      const kind = expectations.find((kind) => kind === words[2]);
      if (!kind) throw new Error(`nothing is expected as in "${line}"`);
      const length = words[3] === undefined ? {} : { length: Number(words[3]) };
      happenings.push({ type: "expect", atMs, expected: { kind, ...length } });
    } else if (type) happenings.push({ type, atMs });
    else throw new Error(`the script has a line it does not understand: ${line}`);
  }
  const last = Math.max(0, ...happenings.map(({ atMs }) => atMs), ...voices.map(({ toMs }) => toMs));
  const endMs = happenings.find(({ type }) => type === "end")?.atMs ?? last + 10_000;
  return {
    people,
    away,
    maxCallMs,
    showsHistory,
    greeting,
    options,
    tools,
    answers,
    voicings,
    utterances,
    voices,
    happenings,
    endMs,
  };
}

/** "look,", or "look(where=Rome)". */
function callFrom(word: string): { readonly name: string; readonly arguments: Record<string, unknown> } {
  const [, name = "", key, value] = word.match(/^(\w+)(?:\((\w+)=(\S+)\))?,?$/) ?? [];
  return { name, arguments: key === undefined ? {} : { [key]: value } };
}

/** What the words after a quoted text say of how it is said. */
function sayOptions(words: readonly string[]): SayOptions {
  const priority = (["high", "immediate"] as const).find((priority) => words.includes(priority));
  return {
    ...(words.includes("uninterruptible") && { interruptible: false }),
    ...(words.includes("unrecorded") && { addToHistory: false }),
    ...(priority && { priority }),
  };
}
