/** What OpenAI refuses about the messages and tools of a chat completion, in its words. */

import { refusalOfImages } from "./openai_images.ts";

/** A message as it comes over the wire. */
export interface WireMessage {
  readonly role: string;
  readonly content?: string | readonly WirePart[] | null;
  readonly tool_calls?: readonly WireCall[];
  readonly tool_call_id?: string;
}

/** A piece of a message: words, or a picture. */
export type WirePart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image_url"; readonly image_url: { readonly url: string } };

export interface WireCall {
  readonly id: string;
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: string };
}

/** A tool as it comes over the wire. */
export interface WireTool {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description?: string;
    readonly parameters?: Readonly<Record<string, unknown>>;
  };
}

/** Why a request is refused with a 400. */
export interface Refusal {
  readonly message: string;
  readonly param: string;
}

/** What is wrong with `body`, if anything is: the first thing, as the API names it. */
export function refusalOf(
  { messages, tools, tool_choice }: {
    readonly messages: readonly WireMessage[];
    readonly tools?: readonly WireTool[];
    readonly tool_choice?: unknown;
  },
): Refusal | undefined {
  if (messages.length === 0) return emptyArray("messages");
  return refusalOfMessages(messages) ?? refusalOfTools(tools, tool_choice);
}

/** What is wrong with the order of calls and results: each call has exactly one result, right behind its message. */
export function refusalOfMessages(messages: readonly WireMessage[]): Refusal | undefined {
  /** The calls of the assistant's message that is being answered, and the results that came: by id, at which message. */
  let asked: readonly string[] = [];
  let askedAt = 0;
  const answered = new Map<string, number>();
  const unanswered = (at: number): Refusal | undefined => {
    const missing = asked.filter((id) => !answered.has(id));
    if (missing.length === 0) return undefined;
    return {
      message:
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. " +
        `The following tool_call_ids did not have response messages: ${missing.join(", ")}`,
      param: `messages.[${at}].role`,
    };
  };
  for (const [at, message] of messages.entries()) {
    if (message.role === "tool") {
      const refusal = refusalOfResult(message, at, asked, answered);
      if (refusal) return refusal;
      answered.set(message.tool_call_id ?? "", at);
      continue;
    }
    const refusal = unanswered(at) ?? refusalOfContent(message, at) ?? refusalOfCalls(message, at);
    if (refusal) return refusal;
    asked = message.tool_calls?.map(({ id }) => id) ?? [];
    askedAt = at;
    answered.clear();
  }
  return unanswered(askedAt);
}

function refusalOfResult(
  { tool_call_id: id, content }: WireMessage,
  at: number,
  asked: readonly string[],
  answered: ReadonlyMap<string, number>,
): Refusal | undefined {
  if (asked.length === 0) {
    return {
      message:
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
      param: `messages.[${at}].role`,
    };
  }
  const param = `messages.[${at}].tool_call_id`;
  if (id === undefined) {
    return { message: `Missing required parameter: 'messages[${at}].tool_call_id'.`, param };
  }
  if (!asked.includes(id)) {
    return {
      message: `Invalid parameter: 'tool_call_id' of '${id}' not found in 'tool_calls' of previous message.`,
      param,
    };
  }
  const before = answered.get(id);
  if (before !== undefined) {
    const places = `in messages[${before}] and messages[${at}]`;
    return { message: `Invalid parameter: Duplicate value for 'tool_call_id' of '${id}', ${places}.`, param };
  }
  return typeof content === "string" ? undefined : noString(content, at);
}

function refusalOfContent({ role, content, tool_calls }: WireMessage, at: number): Refusal | undefined {
  if (!["system", "developer", "user", "assistant"].includes(role)) {
    return {
      message: `Invalid value: '${role}'. Supported values are: 'system', 'assistant', 'user', 'function', ` +
        "'tool', and 'developer'.",
      param: `messages[${at}].role`,
    };
  }
  if (typeof content === "object" && content !== null) return refusalOfImages(role, content, at);
  const mayMiss = role === "assistant" && tool_calls !== undefined;
  return typeof content === "string" || mayMiss ? undefined : noString(content, at);
}

const noString = (content: unknown, at: number): Refusal => ({
  message: `Invalid value for 'content': expected a string, got ${content === undefined ? "null" : content}.`,
  param: `messages.[${at}].content`,
});

function refusalOfCalls({ role, tool_calls: calls }: WireMessage, at: number): Refusal | undefined {
  if (calls === undefined) return undefined;
  const param = `messages[${at}].tool_calls`;
  if (role !== "assistant") return { message: `Unknown parameter: '${param}'.`, param };
  if (calls.length === 0) return emptyArray(param);
  for (const [n, { id, function: called }] of calls.entries()) {
    if (id.length > 40) return tooLong(`${param}[${n}].id`, 40, id);
    if (!namePattern.test(called.name)) return badName(`${param}[${n}].function.name`);
    if (typeof called.arguments !== "string") {
      return {
        message:
          `Invalid type for '${param}[${n}].function.arguments': expected a string, but got an object instead.`,
        param: `${param}[${n}].function.arguments`,
      };
    }
  }
  const ids = calls.map(({ id }) => id);
  const twice = ids.find((id, n) => ids.indexOf(id) !== n);
  return twice === undefined
    ? undefined
    : { message: `Duplicate value for 'tool_call_id' of '${twice}'`, param };
}

function refusalOfTools(tools: readonly WireTool[] | undefined, choice: unknown): Refusal | undefined {
  if (tools === undefined) {
    return choice === undefined ? undefined : {
      message: "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
      param: "tool_choice",
    };
  }
  if (tools.length === 0) return emptyArray("tools");
  for (const [n, { function: { name, parameters } }] of tools.entries()) {
    const param = `tools[${n}].function`;
    if (!namePattern.test(name)) return badName(`${param}.name`);
    if (name.length > 64) return tooLong(`${param}.name`, 64, name);
    if (parameters && parameters.type !== "object") {
      return {
        message:
          `Invalid schema for function '${name}': schema must be a JSON Schema of 'type: "object"', got ` +
          `'type: "${parameters.type ?? "None"}"'.`,
        param: `${param}.parameters`,
      };
    }
  }
  const forced = (choice as { readonly function?: { readonly name: string } } | undefined)?.function?.name;
  if (forced === undefined || tools.some(({ function: { name } }) => name === forced)) return undefined;
  return {
    message:
      `Invalid value for 'tool_choice': no function named '${forced}' was specified in the 'tools' parameter.`,
    param: "tool_choice",
  };
}

const namePattern = /^[a-zA-Z0-9_-]+$/;

const badName = (param: string): Refusal => ({
  message: `Invalid '${param}': string does not match pattern. Expected a string that matches the pattern ` +
    "'^[a-zA-Z0-9_-]+$'.",
  param,
});

const emptyArray = (param: string): Refusal => ({
  message:
    `Invalid '${param}': empty array. Expected an array with minimum length 1, but got an empty array instead.`,
  param,
});

const tooLong = (param: string, length: number, given: string): Refusal => ({
  message:
    `Invalid '${param}': string too long. Expected a string with maximum length ${length}, but got a string ` +
    `with length ${given.length} instead.`,
  param,
});
