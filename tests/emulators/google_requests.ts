/** What Gemini refuses about the contents and tools of a request, in its words: https://ai.google.dev/api/caching#Content */

export interface GooglePart {
  readonly text?: string;
  readonly inlineData?: { readonly mimeType: string; readonly data: string };
  readonly functionCall?: { readonly name: string; readonly args?: unknown };
  readonly functionResponse?: { readonly name: string; readonly response?: unknown };
  readonly thoughtSignature?: string;
}

export interface GoogleContent {
  readonly role?: string;
  readonly parts: readonly GooglePart[];
}

export interface GoogleBody {
  readonly contents: readonly GoogleContent[];
  readonly systemInstruction?: { readonly parts: readonly GooglePart[] };
  readonly tools?: readonly {
    readonly functionDeclarations?: readonly {
      readonly name: string;
      readonly description?: string;
      readonly parameters?: Readonly<Record<string, unknown>>;
      readonly parametersJsonSchema?: Readonly<Record<string, unknown>>;
    }[];
  }[];
  readonly toolConfig?: { readonly functionCallingConfig?: Readonly<Record<string, unknown>> };
  readonly generationConfig?: Readonly<Record<string, unknown>>;
  readonly [parameter: string]: unknown;
}

/** The first thing that is wrong with `body`, if anything is; `signs`: calls must bring the model's signature. */
export function refusalOf({ contents, tools = [] }: GoogleBody, signs: boolean): string | undefined {
  if (contents.length === 0) return "* GenerateContentRequest.contents: contents is not specified\n";
  for (const [at, { role, parts }] of contents.entries()) {
    if (role !== "user" && role !== "model") return "Please use a valid role: user, model.";
    if (parts.length === 0) {
      return `* GenerateContentRequest.contents[${at}].parts: contents.parts must not be empty.\n`;
    }
    const problem = refusalOfTurn(contents, at, signs);
    if (problem) return problem;
  }
  if (contents.at(-1)?.role === "model") {
    return "Please ensure that multiturn requests end with a user role or a function response.";
  }
  for (const { name } of tools.flatMap(({ functionDeclarations = [] }) => functionDeclarations)) {
    if (!/^[A-Za-z_][\w.:-]{0,63}$/.test(name)) {
      return "Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), " +
        "underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64.";
    }
  }
  return undefined;
}

/** Calls come right behind a turn of the user's, and exactly their results right behind them. */
function refusalOfTurn(contents: readonly GoogleContent[], at: number, signs: boolean): string | undefined {
  const { role, parts } = contents[at]!;
  const callsOf = (content: GoogleContent | undefined) =>
    (content?.parts ?? []).flatMap((part) => part.functionCall ? [part] : []);
  const resultsOf = (content: GoogleContent | undefined) =>
    (content?.parts ?? []).filter((part) => part.functionResponse);
  const calls = callsOf(contents[at]);
  if (calls.length > 0) {
    if (role !== "model" || contents[at - 1]?.role !== "user") {
      return "Please ensure that function call turn comes immediately after a user turn or after a function response turn.";
    }
    if (resultsOf(contents[at + 1]).length !== calls.length) {
      return "Please ensure that the number of function response parts is equal to the number of function call parts of " +
        "the function call turn.";
    }
    const args = calls[0]?.functionCall?.args;
    if (args !== undefined && (typeof args !== "object" || args === null || Array.isArray(args))) {
      return `Invalid value at 'contents[${at}].parts[0].function_call.args' (type.googleapis.com/google.protobuf.Struct)`;
    }
    if (signs && !calls[0]?.thoughtSignature) {
      return "Function call is missing a thought_signature in functionCall parts.";
    }
  }
  if (resultsOf(contents[at]).length > 0 && callsOf(contents[at - 1]).length === 0) {
    return "Please ensure that function response turn comes immediately after a function call turn.";
  }
  const image = parts.find(({ inlineData }) => inlineData)?.inlineData;
  return image && !/^image\/(png|jpeg|webp|heic|heif)$/.test(image.mimeType)
    ? `Unsupported MIME type: ${image.mimeType}`
    : undefined;
}
