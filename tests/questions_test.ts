import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { questionOf } from "../src/questions.ts";

const request = {
  callId: "1",
  name: "book",
  description: "Books a table.",
  arguments: { day: "Friday", people: 4 },
};

describe("the question before a tool is used", () => {
  const cases: [language: string | undefined, question: string][] = [
    [undefined, "Just to be sure: Books a table, day Friday, people 4. Shall I go ahead?"],
    ["en-GB", "Just to be sure: Books a table, day Friday, people 4. Shall I go ahead?"],
    ["de-AT", "Nur um sicherzugehen: Books a table, day Friday, people 4. Soll ich das tun?"],
    ["es", "Solo para confirmar: Books a table, day Friday, people 4. ¿Quiere que lo haga?"],
    ["fr_CA", "Juste pour confirmer: Books a table, day Friday, people 4. Est-ce que je le fais ?"],
    ["nl", "Just to be sure: Books a table, day Friday, people 4. Shall I go ahead?"],
  ];
  for (const [language, question] of cases) {
    it(`is asked in ${language ?? "English"}`, () => assertEquals(questionOf(request, language), question));
  }

  it("is the author's where there is one, in whatever language", () => {
    assertEquals(questionOf({ ...request, question: " Shall I book it? " }, "de"), "Shall I book it?");
  });
});
