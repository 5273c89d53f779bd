/** Gemini's /v1beta/models/…:streamGenerateContent, on 127.0.0.1, with faults on demand: https://ai.google.dev/api/generate-content */
import {
  type AnswerServer,
  type AnswerServerOptions,
  type Protocol,
  startAnswerServer,
} from "./answer_server.ts";
import { type GoogleBody, type GooglePart, refusalOf } from "./google_requests.ts";

export type GoogleEmulatorOptions = AnswerServerOptions<GoogleBody>;

/** Starts one; disposing it ends its connections. */
export const startGoogleEmulator = (
  options: GoogleEmulatorOptions = {},
): Promise<AnswerServer<GoogleBody>> => startAnswerServer(generateContent(options), options);

/** The names of errors, by their status: https://ai.google.dev/gemini-api/docs/troubleshooting */
const errorStatuses: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  503: "UNAVAILABLE",
};
const keyInvalid = "API_KEY_INVALID";

const generateContent = ({ finishReason = "STOP" }: GoogleEmulatorOptions): Protocol<GoogleBody> => ({
  base: "/v1beta",
  serves: (path) => /^\/models\/[\w.-]+:streamGenerateContent\?alt=sse$/.test(path),
  keyOf: (headers) => headers["x-goog-api-key"]?.toString(),
  refusedKey: () => ({
    status: 400,
    message: "API key not valid. Please pass a valid API key.",
    code: keyInvalid,
  }),
  refusalOf(body, { path }) {
    const message = refusalOf(body, path.includes("gemini-3"));
    return message === undefined ? undefined : { status: 400, message };
  },
  error: ({ status: code, message = "refused on purpose", code: reason }) => ({
    error: {
      code,
      message,
      status: errorStatuses[code] ?? "UNKNOWN",
      ...(reason === keyInvalid && {
        details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "googleapis.com" }],
      }),
    },
  }),
  lastWords: ({ contents }) =>
    (contents.findLast(({ role }) => role === "user")?.parts ?? []).map(({ text = "" }) => text).join(""),
  events({ tokens, calls }, _, n) {
    const chunk = (parts: readonly GooglePart[], more: Record<string, unknown> = {}) => {
      const candidate = { content: { parts, role: "model" }, index: 0, ...more };
      const usage = { promptTokenCount: 50, candidatesTokenCount: tokens.length };
      const usageMetadata = { ...usage, totalTokenCount: 50 + tokens.length };
      return `data: ${JSON.stringify({ candidates: [candidate], usageMetadata, responseId: `r${n}` })}\n\n`;
    };
    return {
      begin: [],
      tokens: tokens.map((text) => chunk([{ text }])),
      calls: calls.map(({ name, arguments: given }) =>
        chunk([{ functionCall: { name, args: typeof given === "string" ? JSON.parse(given) : given } }])
      ),
      end: [chunk([{ text: "" }], { finishReason })],
    };
  },
});
