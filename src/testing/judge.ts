/** A language model that judges a call. */
import * as z from "zod";
import { systemClock } from "../clock.ts";
import { loadConfig } from "../config.ts";
import { readEnvironment } from "../environment.ts";
import type { LanguageModel, LanguageRequest } from "../llm/llm.ts";
import { openaiLanguageModel } from "../llm/openai.ts";

/** What a judge found: "skipped" where there is no model to judge. */
export interface Verdict {
  readonly outcome: "passed" | "failed" | "skipped";
  /** In the judge's words. */
  readonly reason: string;
}

const patienceMs = 60_000;

const parameters = z.object({
  reason: z.string().describe("What in the call decides it, in one or two sentences"),
  passed: z.boolean().describe("Whether the call is as the criterion says"),
});

const instructions =
  "You judge a call between a user and a voice agent. You are given its transcript and a criterion. " +
  "Look only at what the transcript shows; where it shows too little, the criterion is not met. Call `verdict`.";

/**
 * The model that judges where a test names none: `LLM` of the environment, or of the `.env` file, with its key. Undefined
 * when that is not set, or may not be read (`--allow-env`, `--allow-read=.env`).
 */
export async function judgeModel(): Promise<LanguageModel | undefined> {
  const needed = [{ name: "env" }, { name: "read", path: ".env" }] as const;
  const granted = await Promise.all(needed.map((permission) => Deno.permissions.query(permission)));
  if (granted.some(({ state }) => state !== "granted")) return undefined;
  const { models, openai: { apiKey, baseUrl } } = loadConfig(await readEnvironment());
  const [, model] = /^openai\/(.+)$/.exec(models.llm) ?? [];
  return apiKey && model ? openaiLanguageModel({ apiKey, baseUrl, model }) : undefined;
}

/** Has `model` judge whether `transcript` is as `criterion` says; rejects when it gives no verdict. */
export async function judged(model: LanguageModel, transcript: string, criterion: string): Promise<Verdict> {
  const late = new AbortController();
  using _ = systemClock.after(
    patienceMs,
    () => late.abort(new Error(`the judge took longer than ${patienceMs} ms`)),
  );
  const verdict = { name: "verdict", description: "Says whether the criterion is met" };
  const request: LanguageRequest = {
    messages: [
      { role: "system", content: instructions },
      { role: "user", content: `Criterion: ${criterion}\n\nTranscript:\n${transcript}` },
    ],
    tools: [{ ...verdict, parameters: z.toJSONSchema(parameters) }],
    toolChoice: { name: verdict.name },
  };
  for await (const event of model.generate(request, { signal: late.signal })) {
    if (event.type !== "tool-call") continue;
    const { data } = parameters.safeParse(event.arguments);
    if (data) return { outcome: data.passed ? "passed" : "failed", reason: data.reason };
  }
  throw new Error(`judge(): ${model.provider}/${model.model} gave no verdict`);
}
