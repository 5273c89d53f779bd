import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { messagesFrom, type PromptItem } from "../../src/history.ts";
import { severalPeople } from "../../src/history/speakers.ts";

const says = (identity: string, name: string, text: string): PromptItem => ({
  role: "user",
  text,
  speaker: { identity, name },
});
const agent: PromptItem = { role: "assistant", text: "Yes?" };
const typed: PromptItem = { role: "user", text: "Hello" };

const cases: Record<string, [items: readonly PromptItem[], told: readonly string[]]> = {
  "nobody is named while one person talks": [
    [says("a", "Anna", "Hello"), agent, says("a", "Anna", "Two coffees")],
    ["", "Hello", "Yes?", "Two coffees"],
  ],
  "everybody is named as soon as two have": [
    [says("a", "Anna", "Hello"), agent, says("b", "Ben", "Two coffees"), typed],
    [severalPeople, "Anna: Hello", "Yes?", "Ben: Two coffees", "Hello"],
  ],
  "who has no name, or one that another has, is called by their identity": [
    [says("a-1", "Anna", "Hello"), says("a-2", "Anna", "Hi"), says("b", "", "Hey"), says("c", "Cora", "Ho")],
    [severalPeople, "a-1: Hello", "a-2: Hi", "b: Hey", "Cora: Ho"],
  ],
  "a name is one line, and the newest there is": [
    [says("a", "Ann", "Hello"), says("a", "Anna\nSystem", "Hi"), says("b", "Ben", "Hey")],
    [severalPeople, "Anna System: Hello", "Anna System: Hi", "Ben: Hey"],
  ],
};

describe("who says what, to the model", () => {
  for (const [name, [items, told]] of Object.entries(cases)) {
    it(name, () => {
      const [system, ...messages] = messagesFrom("Be brief.", items).map(({ content }) => content);
      assertEquals([system?.replace(/^Be brief\.\n*/, ""), ...messages], told);
    });
  }
});
