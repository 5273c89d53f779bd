import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { asStageError, StageError } from "../../src/errors.ts";
import { outwardError, withoutSecrets } from "../../src/telemetry/outward.ts";

const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

describe("an error that is told outside", () => {
  const texts: [text: string, told: string][] = [
    ["no progress for 5000 ms", "no progress for 5000 ms"],
    [
      "api.deepgram.com closed the socket: 1011 (net0001)",
      "api.deepgram.com closed the socket: 1011 (net0001)",
    ],
    [
      "OpenAI failed: Incorrect API key provided: sk-proj-abc***xyz.",
      "OpenAI failed: Incorrect API key provided: (hidden).",
    ],
    ["refused Bearer abcdefgh12345678", "refused Bearer (hidden)"],
    [`the token was ${jwt}`, "the token was (hidden)"],
    ["POST https://user:pass@crm.example/v1 failed", "POST https://(hidden)@crm.example/v1 failed"],
    ["wss://api.example/v1?model=a&token=abc closed", "wss://api.example/v1?(hidden) closed"],
    ["sent api_key=12345, then failed", "sent api_key=(hidden), then failed"],
    ['sent {"password": "open sesame"}', 'sent {"password": (hidden)}'],
    ["key 0123456789abcdef0123456789abcdef01234567", "key (hidden)"],
    ["the server said devsecret twice: devsecret", "the server said (hidden) twice: (hidden)"],
  ];
  for (const [text, told] of texts) {
    it(`says: ${told}`, () => {
      assertEquals(withoutSecrets(text, ["devsecret", ""]), told);
      const error = outwardError(new StageError("llm", text, { retryable: true }), ["devsecret"]);
      assertEquals([error.message, error.stage, error.retryable], [told, "llm", true]);
    });
  }

  it("is told in our words when it was not ours, without its cause", () => {
    const error = outwardError(asStageError("agent", new Error("Ada's card is 4111 1111 1111 1111")));
    assertEquals(error.message, "the agent's own code failed; the server's log says why");
    assertEquals(error.cause, undefined);
    assert(!Deno.inspect(error).includes("4111"));
  });

  it("keeps our words about another's error, and not the error", () => {
    const cause = new Error("connect ECONNREFUSED 10.0.0.3");
    const error = outwardError(new StageError("tts", "Deepgram cannot be reached", { cause, refused: true }));
    assertEquals([error.message, error.cause, error.refused], [
      "Deepgram cannot be reached",
      undefined,
      true,
    ]);
  });
});
