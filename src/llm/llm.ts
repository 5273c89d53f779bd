/** What a language model is told. */
export type Message = {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
};

/** Which tools a model may use: as it sees fit, none, at least one, or that one. */
export type ToolChoice = "auto" | "none" | "required" | { readonly name: string };

/** Tokens as the provider counts them. */
export interface TokenUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** What comes back, in order; `finish` is the last event of a whole answer. */
export type LanguageEvent =
  | { readonly type: "text"; readonly text: string }
  | {
    readonly type: "finish";
    readonly reason: "stop" | "length" | "content-filter" | "tool-calls" | "other";
    readonly usage?: TokenUsage;
  };

/** A language model. */
export interface LanguageModel {
  readonly provider: string;
  readonly model: string;
  /**
   * Generates one answer. `toolChoice` says nothing to a model that has no tools. A failure errors the stream with a
   * StageError of stage "llm"; aborting `signal`, or cancelling the stream, stops the request.
   */
  generate(
    request: { readonly messages: readonly Message[]; readonly toolChoice?: ToolChoice },
    options: { readonly signal: AbortSignal },
  ): ReadableStream<LanguageEvent>;
}
