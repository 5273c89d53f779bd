import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { createHistory, type HistoryItem, messagesFrom } from "../../src/history.ts";
import { exportHistory, importHistory } from "../../src/history/transfer.ts";
import type { ImagePart } from "../../src/llm/llm.ts";
import { fakeClock } from "../fakes/clock.ts";

const image = (data: string): ImagePart => ({ type: "image", mimeType: "image/jpeg", data });
const said = (text: string, ...images: string[]) =>
  ({ role: "user", text, interrupted: false, images: images.map(image) }) as const;

/** A history that keeps two images: three were taken with a turn, then a tool has brought one. */
function setUp() {
  const clock = fakeClock();
  const history = createHistory(clock, "item", () => 2);
  history.add(said("What is this?", "a", "b", "c"));
  history.addCall({ id: "1", name: "look", arguments: {} });
  history.addResult({ callId: "1", outcome: "done", content: "The picture follows.", images: [image("d")] });
  return { history, clock };
}

const imagesIn = (items: readonly HistoryItem[]) =>
  items.flatMap((item) => item.type === "tool-call" ? [] : [(item.images ?? []).map(({ data }) => data)]);

describe("images in a history", () => {
  it("are kept, the newest of them, in items that stay the same", () => {
    const { history } = setUp();
    assertEquals(imagesIn(history.items), [["", "", "c"], ["d"]]);
    const before = [...history.items];
    history.add(said("And this?", "e", "f"));
    assertEquals(imagesIn(history.items), [["", "", ""], [""], ["e", "f"]]);
    assertEquals(before.every((item, i) => item === history.items[i]), true);
  });

  it("are shown to the model, which is told of those that are gone", () => {
    const { history } = setUp();
    const call = { id: "1", name: "look", arguments: {} };
    const messages = (from = history.items) => messagesFrom("Look.", from).slice(1);
    assertEquals(messages(), [
      {
        role: "user",
        content: "What is this?\n(2 pictures were shown here, and cannot be seen any more.)",
        images: [image("c")],
      },
      { role: "assistant", content: "", toolCalls: [call] },
      { role: "tool", callId: "1", content: "The picture follows.", images: [image("d")] },
    ]);
    history.add(said("And this?", "e", "f"));
    assertEquals(messages().map(({ content }) => content), [
      "What is this?\n(3 pictures were shown here, and cannot be seen any more.)",
      "",
      "The picture follows.\n(A picture was shown here, and cannot be seen any more.)",
      "And this?",
    ]);
  });

  it("come with a history that is given, and leave what was given alone", () => {
    const { history, clock } = setUp();
    const images = ["x", "y", "z"].map(image);
    history.update([{ role: "user", text: "Look here.", images }]);
    assertEquals(imagesIn(history.items), [["", "y", "z"]]);
    assertEquals(images.map(({ data }) => data), ["x", "y", "z"]);
    const other = createHistory(clock, "other", () => 2);
    other.update(importHistory(exportHistory(history.items)));
    assertEquals(imagesIn(other.items), [["", "y", "z"]]);
  });

  const wrong: [what: string, images: unknown, why: RegExp][] = [
    ["no list", image("a"), /items\[0\]\.images is .+; expected images/],
    ["no image", [{ type: "video" }], /items\[0\]\.images\.0\.type is "video"; expected image/],
    ["bytes", [{ ...image("a"), data: new Uint8Array(1) }], /images\.0\.data is .+; expected base64/],
  ];
  for (const [what, images, why] of wrong) {
    it(`are not taken as ${what}`, () => {
      const { history } = setUp();
      assertThrows(() => history.update([{ role: "user", text: "Look.", images } as never]), why);
    });
  }
});
