/** Language models by OpenAI, and by every server that speaks its API: https://platform.openai.com/docs/api-reference/chat */
import { StageError } from "../errors.ts";
import { type OpenAI, openaiClient, openaiError, type OpenAIServer } from "../openai.ts";
import { answerStream } from "./answer_stream.ts";
import {
  type ImagePart,
  type LanguageEvent,
  type LanguageModel,
  type LanguageRequest,
  type Message,
  newCallId,
  type TokenUsage,
  type ToolCall,
} from "./llm.ts";
import { imagesFromUsersAlone, toldBack, writtenArguments } from "./wire.ts";

export interface OpenAILanguageModelOptions extends OpenAIServer {
  readonly model?: string | undefined;
  /** 0–2; the model's own default when it is left out. */
  readonly temperature?: number | undefined;
  /** The most tokens of one answer. */
  readonly maxTokens?: number | undefined;
  /** "compatible": a server of others (default "openai"). */
  readonly provider?: "openai" | "compatible" | undefined;
}

/** Answers by chat completions, streamed. Nothing is retried here: what may be tried again says so (`retryable`). */
export function openaiLanguageModel(
  { apiKey, baseUrl, keySource, model = "gpt-4o-mini", temperature, maxTokens, provider = "openai" }:
    OpenAILanguageModelOptions,
): LanguageModel {
  // Servers that only resemble OpenAI's know the name that it had before models thought.
  const limit = provider === "openai" ? "max_completion_tokens" : "max_tokens";
  const client = openaiClient({ apiKey, baseUrl });
  const settings = {
    model,
    ...(temperature !== undefined && { temperature }),
    ...(maxTokens !== undefined && { [limit]: maxTokens }),
  };

  async function* generate(
    request: LanguageRequest,
    signal: AbortSignal,
  ): AsyncGenerator<LanguageEvent> {
    const calls = assembleCalls();
    try {
      const chunks = await (await client()).chat.completions.create({
        ...settings,
        ...toolParameters(request),
        messages: wireMessages(request.messages),
        stream: true,
        stream_options: { include_usage: true },
      }, { signal });
      let reason: Finish["reason"] | undefined;
      let usage: Finish["usage"];
      for await (const { choices: [choice], usage: counted } of chunks) {
        if (choice?.delta?.content) yield { type: "text", text: choice.delta.content };
        if (choice?.delta?.tool_calls) calls.add(choice.delta.tool_calls);
        if (choice?.finish_reason) reason = reasons[choice.finish_reason] ?? "other";
        if (counted) usage = usageOf(counted);
      }
      if (!reason) throw new StageError("llm", "the model's answer broke off", { retryable: true });
      for (const call of calls.calls()) yield { type: "tool-call", ...call };
      yield { type: "finish", reason, ...(usage && { usage }) };
    } catch (error) {
      throw signal.aborted
        ? signal.reason
        : await openaiError("llm", error, { model, baseUrl, apiKey, keySource });
    }
  }
  return {
    provider,
    model,
    generate: (request, { signal }) => answerStream((signal) => generate(request, signal), signal),
  };
}

type Finish = Extract<LanguageEvent, { type: "finish" }>;

function usageOf({ prompt_tokens, completion_tokens, prompt_tokens_details: details }: Counted): TokenUsage {
  const cached = details?.cached_tokens;
  return {
    inputTokens: prompt_tokens,
    outputTokens: completion_tokens,
    ...(cached && { cachedInputTokens: cached }),
  };
}

/** As the API tells it: https://platform.openai.com/docs/api-reference/chat/object */
interface Counted {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number | undefined } | undefined;
}

const reasons: Readonly<Record<string, Finish["reason"]>> = {
  stop: "stop",
  length: "length",
  content_filter: "content-filter",
  tool_calls: "tool-calls",
};

type Delta = OpenAI.Chat.Completions.ChatCompletionChunk.Choice.Delta.ToolCall;

/** The parameters that concern tools; none where there are no tools, since the API then refuses both. */
function toolParameters(
  { tools = [], toolChoice = "auto" }: LanguageRequest,
): Pick<OpenAI.ChatCompletionCreateParams, "tools" | "tool_choice"> {
  if (tools.length === 0) return {};
  return {
    tools: tools.map(({ name, description, parameters }) => ({
      type: "function",
      function: { name, description, parameters: { ...parameters } },
    })),
    ...(toolChoice !== "auto" && {
      tool_choice: typeof toolChoice === "string"
        ? toolChoice
        : { type: "function", function: { name: toolChoice.name } },
    }),
  };
}

/**
 * `messages` in the API's own shapes. It takes images from users alone: those that tools have brought follow behind the
 * results of their step (https://platform.openai.com/docs/guides/images-vision?api-mode=chat).
 */
export const wireMessages = (messages: readonly Message[]): OpenAI.ChatCompletionMessageParam[] =>
  imagesFromUsersAlone(messages).map(wireMessage);

function wireMessage(message: Message): OpenAI.ChatCompletionMessageParam {
  switch (message.role) {
    case "system":
      return { role: "system", content: message.content };
    case "user":
      return { role: "user", content: shownWith(message.content, message.images) };
    case "tool":
      return { role: "tool", tool_call_id: message.callId, content: message.content };
    case "assistant": {
      const { role, content, toolCalls } = message;
      if (!toolCalls?.length) return { role, content };
      return { role, content: content || null, tool_calls: toolCalls.map(wireCall) };
    }
  }
}

function shownWith(
  text: string,
  images: readonly ImagePart[] = [],
): OpenAI.ChatCompletionUserMessageParam["content"] {
  if (images.length === 0) return text;
  return [
    { type: "text", text },
    ...images.map(({ mimeType, data }) => ({
      type: "image_url" as const,
      image_url: { url: `data:${mimeType};base64,${data}` },
    })),
  ];
}

function wireCall(call: ToolCall): OpenAI.ChatCompletionMessageFunctionToolCall {
  const { name, arguments: given } = toldBack(call);
  return { id: call.id, type: "function", function: { name, arguments: JSON.stringify(given) } };
}

interface CallAssembler {
  /** Takes in one chunk's pieces of calls. */
  add(deltas: readonly Delta[]): void;
  /** The calls that came, in order, once the answer is complete. */
  calls(): ToolCall[];
}

/**
 * Puts calls together that come in pieces. OpenAI sends the id and name first, and the arguments in pieces under the same
 * index; servers that only resemble it leave out ids or indexes, send a call whole, its id with every piece, arguments that
 * are an object or empty, or the next call under the same index.
 */
export function assembleCalls(): CallAssembler {
  const parts: { index: number | undefined; id: string; name: string; text: string }[] = [];
  return {
    add(deltas) {
      for (const { index, id, function: called } of deltas as readonly Loose[]) {
        const last = parts.findLast((part) => index === undefined || part.index === index);
        // A piece belongs to a call that was begun, unless it brings another id, or names a function anew without one.
        const another = last && (id ? last.id !== "" && last.id !== id : namesAnother(called?.name, last));
        let part = last;
        if (!part || another) parts.push(part = { index, id: "", name: "", text: "" });
        part.id ||= id ?? "";
        part.name ||= called?.name ?? "";
        const given = called?.arguments ?? "";
        part.text += typeof given === "string" ? given : JSON.stringify(given);
      }
    },
    calls() {
      const taken = new Set<string>();
      return parts.filter(({ name }) => name !== "").map(({ id: given, name, text }) => {
        const id = given === "" || taken.has(given) ? newCallId() : given;
        taken.add(id);
        return { id, name, ...writtenArguments(text) };
      });
    },
  };
}

function namesAnother(name: string | null | undefined, last: { name: string; text: string }): boolean {
  if (!name || last.name === "") return false;
  return name !== last.name || (last.text !== "" && writtenArguments(last.text).malformed === undefined);
}

/** What comes, rather than what should. */
interface Loose {
  readonly index?: number;
  readonly id?: string | null;
  readonly function?: { readonly name?: string | null; readonly arguments?: unknown } | null;
}
