import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { refusalOfMessages, type WireMessage } from "./openai_requests.ts";

/** The beginning of a JPEG. */
const jpegData = btoa(String.fromCharCode(0xff, 0xd8, 0xff, 1));

describe("the emulated OpenAI", () => {
  const shows = (role: string, url: string): WireMessage => ({
    role,
    content: [{ type: "image_url", image_url: { url } }],
  });
  const jpeg = `data:image/jpeg;base64,${jpegData}`;
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
