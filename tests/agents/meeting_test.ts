import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import meeting from "../../agents/meeting.ts";
import { saidIn } from "../../src/history.ts";
import { scripted, testCall } from "../../src/testing.ts";

const people = ["Anna", "Ben"];

describe("agents/meeting", () => {
  it("hears everybody, and is told who says what", async () => {
    const told: string[] = [];
    await using call = await testCall(meeting, {
      people,
      llm: scripted([
        "Good evening.",
        ({ messages }) => {
          told.push(...messages.filter(({ role }) => role === "user").map(({ content }) => content));
          return "Thursday it is, Ben.";
        },
      ]),
    });
    call.expect.said("Hello everybody! How can I help?");
    await call.speak("Good evening.");
    await call.speak("Shall we meet on Thursday?", { as: "Ben" });
    call.expect.said("Thursday it is, Ben.");
    assertEquals(told, ["Anna: Good evening.", "Ben: Shall we meet on Thursday?"]);
  });

  it("goes on with the others when one leaves, and ends when the last has left", async () => {
    await using call = await testCall(meeting, { people, llm: scripted(["Noted.", "Welcome back."]) });
    call.room.leave("Anna");
    await call.speak("I stay a little longer.", { as: "Ben" });
    call.expect.said("Noted.");
    call.room.enter("Anna");
    await call.user("I am back.", { as: "Anna" });
    call.expect.said("Welcome back.");
    assertEquals(
      saidIn(call.history).map(({ speaker, role }) => speaker?.name ?? role),
      ["assistant", "Ben", "assistant", "Anna", "assistant"],
    );
    for (const identity of people) call.room.leave(identity);
    assertEquals(await call.until(call.session.done), "participant-left");
  });
});
