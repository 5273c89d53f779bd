import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { ImagePart, Message } from "../../src/llm/llm.ts";
import { openaiLanguageModel } from "../../src/llm/openai.ts";
import { startOpenAIEmulator } from "../emulators/openai.ts";
import { imagesOf, wordsOf } from "../emulators/openai_images.ts";
import { refusalOfMessages, type WireMessage } from "../emulators/openai_requests.ts";

/** The beginning of a JPEG, and what tells it from others. */
const picture = (n: number): ImagePart => ({
  type: "image",
  mimeType: "image/jpeg",
  data: btoa(String.fromCharCode(0xff, 0xd8, 0xff, n)),
});

/** What OpenAI was sent of `messages`, in short: who says what, with which pictures. */
async function sent(messages: readonly Message[]) {
  await using emulator = await startOpenAIEmulator({ ttftMs: 0, tokenMs: 0 });
  const llm = openaiLanguageModel({ apiKey: "test-key", baseUrl: emulator.url });
  await Array.fromAsync(llm.generate({ messages }, { signal: new AbortController().signal }));
  return emulator.requests[0]?.body.messages.map((message) => [
    message.role,
    wordsOf(message),
    ...imagesOf(message).map(({ mimeType, file }) => `${mimeType} ${file[3]}`),
  ]);
}

const user: Message = { role: "user", content: "What is this?" };
const look = (id: string) => ({ id, name: "look", arguments: {} });

describe("OpenAI, shown pictures", () => {
  it("is shown the user's in their message", async () => {
    assertEquals(await sent([{ ...user, images: [picture(1), picture(2)] }]), [
      ["user", "What is this?", "image/jpeg 1", "image/jpeg 2"],
    ]);
  });

  it("is shown the tools' behind all results of their step, since it takes none within", async () => {
    const messages: Message[] = [
      user,
      { role: "assistant", content: "", toolCalls: [look("a"), look("b"), look("c")] },
      { role: "tool", callId: "a", content: "The first.", images: [picture(1)] },
      { role: "tool", callId: "b", content: "Nothing." },
      { role: "tool", callId: "c", content: "The last.", images: [picture(3)] },
    ];
    const step = [
      ["user", "What is this?"],
      ["assistant", ""],
      ["tool", "The first."],
      ["tool", "Nothing."],
      ["tool", "The last."],
      ["user", "(What the tools show.)", "image/jpeg 1", "image/jpeg 3"],
    ];
    assertEquals(await sent(messages), step);
    assertEquals(await sent([...messages, { role: "assistant", content: "A cup." }]), [
      ...step,
      ["assistant", "A cup."],
    ]);
  });
});

describe("the emulated OpenAI", () => {
  const shows = (role: string, url: string): WireMessage => ({
    role,
    content: [{ type: "image_url", image_url: { url } }],
  });
  const jpeg = `data:image/jpeg;base64,${picture(1).data}`;
  const refused: [what: string, message: WireMessage, why: RegExp][] = [
    ["a picture of the system's", shows("system", jpeg), /only allowed for messages with role 'user'/],
    ["a picture of the assistant's", shows("assistant", jpeg), /only allowed for messages with role 'user'/],
    ["what is no base64", shows("user", "data:image/jpeg;base64,/9j/4"), /Invalid base64/],
    ["another file than it says", shows("user", jpeg.replace("jpeg", "png")), /unsupported image/],
    [
      "a file that is no picture",
      shows("user", jpeg.replace("image/jpeg", "text/plain")),
      /unsupported image/,
    ],
    ["a message of nothing", { role: "user", content: [] }, /empty array/],
    [
      "a picture that is too large",
      shows("user", `${jpeg.slice(0, -8)}${"/9j/".repeat(6_666_667)}`),
      /too large/,
    ],
  ];
  for (const [what, message, why] of refused) {
    it(`refuses ${what}`, () => assertMatch(refusalOfMessages([message])?.message ?? "", why));
  }
  it("takes a user's picture", () => assertEquals(refusalOfMessages([shows("user", jpeg)]), undefined));
});
