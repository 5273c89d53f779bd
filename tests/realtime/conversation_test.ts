import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { Message } from "../../src/llm/llm.ts";
import { createConversation, type Utterance } from "../../src/realtime/conversation.ts";

const system: Message = { role: "system", content: "Be brief." };
const user = (content: string): Message => ({ role: "user", content });
const assistant = (content: string): Message => ({ role: "assistant", content });
const utterance = (id: string | undefined, words: string, isFinal = true): Utterance => ({
  type: "heard",
  id,
  words,
  isFinal,
  isTold: false,
});

/** A conversation at a server: a question by voice, "u1", and its answer, "a1". */
function converse() {
  const conversation = createConversation();
  conversation.heard(utterance("u1", "Where is it?"));
  conversation.spoke("a1", () => "It is here, I think.");
  /** What makes it tell `messages`, in short. */
  const update = (...messages: Message[]) =>
    conversation.update([system, ...messages]).map((edit) => {
      if (edit.type !== "add") return `${edit.type} ${edit.id}`;
      const { id, after, part } = edit;
      const what = part.type === "text" ? part.role : part.type;
      return `add ${id} ${what}${after === undefined ? "" : ` after ${after}`}`;
    });
  return { conversation, update };
}
const told = [user("Where is it?"), assistant("It is here, I think.")] as const;

describe("the conversation as the server has it", () => {
  it("needs nothing when it says what is to be told, whatever the marks and capitals", () => {
    const { update } = converse();
    assertEquals(update(user("where is it"), told[1]), []);
    assertEquals(update(...told), []);
  });

  it("gets what it lacks, where that belongs", () => {
    const { update } = converse();
    const before = [user("Hello."), assistant("Good day.")];
    assertEquals(update(...before, ...told, user("Thanks.")), [
      "add item_1 user after null",
      "add item_2 assistant after item_1",
      "add item_3 user after a1",
    ]);
    assertEquals(update(...before, ...told, user("Thanks.")), []);
  });

  it("loses what is told no more, and gets what was changed anew", () => {
    const { update } = converse();
    assertEquals(update(user("Where is the (removed)?"), told[1]), [
      "add item_1 user after null",
      "remove u1",
    ]);
    assertEquals(update(told[1]), ["remove item_1"]);
    assertEquals(update(), ["remove a1"]);
  });

  it("keeps a voice that is not transcribed yet", () => {
    const { conversation, update } = converse();
    const next = utterance(undefined, "", false);
    conversation.heard(next);
    assertEquals(update(...told), []);
    Object.assign(next, { id: "u2", words: "And now?", isFinal: true });
    assertEquals(update(...told, user("And now?")), []);
  });

  it("takes utterances that follow each other for one turn", () => {
    const { conversation, update } = converse();
    conversation.heard(utterance("u2", "And"));
    conversation.heard(utterance("u3", ""));
    conversation.heard(utterance("u4", "now?"));
    assertEquals(update(...told, user("And now?")), []);
  });

  it("loses a voice that was none, or nobody's", () => {
    const { conversation, update } = converse();
    conversation.heard(utterance("u2", ""));
    conversation.heard(utterance("u3", "I think"));
    assertEquals(update(...told, user("Thanks.")), ["add item_1 user after a1", "remove u2", "remove u3"]);
  });

  it("keeps the voice that is being answered, while the history does not have it", () => {
    const { conversation, update } = converse();
    const voice = utterance("u2", "", false);
    conversation.heard(voice);
    assertEquals(update(...told), []);
    conversation.called("c1", "call-1");
    Object.assign(voice, { words: "Look.", isFinal: true });
    const toolCalls = [{ id: "call-1", name: "look", arguments: {} }];
    const step: Message[] = [{ role: "assistant", content: "", toolCalls }, {
      role: "tool",
      callId: "call-1",
      content: "done",
    }];
    assertEquals(update(...told, ...step), ["add item_1 result after c1"]);
    assertEquals(update(...told, user("Look."), ...step), []);
  });

  it("has what was heard of an answer that was cut off", () => {
    const { conversation, update } = converse();
    assertEquals(conversation.cut("a1", 640.7), { type: "cut", id: "a1", heardMs: 640.7 });
    assertEquals(update(told[0], assistant("It is here")), []);
    assertEquals(conversation.cut("nobody's", 100), undefined);
  });

  it("shows pictures beside the voice they belong to", () => {
    const { update } = converse();
    const images = [{ type: "image", mimeType: "image/jpeg", data: "abc" }] as const;
    const seen: Message = { role: "user", content: "Where is it?", images };
    assertEquals(update(seen, told[1]), ["add item_1 image after null"]);
    assertEquals(update(seen, told[1]), []);
  });
});
