/** What the user shows, and a model that refuses what OpenAI refuses. */
import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { agents } from "../../agents/mod.ts";
import vision from "../../agents/vision.ts";
import type { Message } from "../../src/llm/llm.ts";
import { wireMessages } from "../../src/llm/openai.ts";
import { scripted, testCall } from "../../src/testing.ts";
import { imagesOf } from "../emulators/openai_images.ts";
import { refusalOfMessages, type WireMessage } from "../emulators/openai_requests.ts";
import { blue, frameOf, green, lookAt, red } from "../fixtures/pictures.ts";

/** The colours of the pictures that OpenAI would be shown with `messages`. */
async function coloursIn(messages: readonly Message[]): Promise<string[]> {
  const wire = wireMessages(messages) as readonly WireMessage[];
  assertEquals(refusalOfMessages(wire), undefined);
  return await Promise.all(wire.flatMap(imagesOf).map(async ({ file }) => (await lookAt(file)).colour));
}

const look = (source?: string) => ({
  toolCalls: [{ name: "look", arguments: { ...(source && { source }) } }],
});

describe("agents/vision", () => {
  it("looks when it is asked about what can be seen, and sees what is there now", async () => {
    const shows = { camera: frameOf(red) };
    const prompts: (readonly Message[])[] = [];
    const keep = (answer: string) => ({ messages }: { readonly messages: readonly Message[] }) => {
      prompts.push(messages);
      return answer;
    };
    await using call = await testCall(vision, {
      shows,
      llm: scripted([look(), keep("A red cup."), look(), keep("Now it is a blue one.")]),
    });
    call.expect.said("Hello! Turn on your camera or share your screen, and ask me about it.");
    await call.user("What is this?");
    call.expect.toolCall("look", {});
    call.expect.said("A red cup.");
    shows.camera = frameOf(blue);
    await call.user("And what is it now?");
    call.expect.said("Now it is a blue one.");
    assertEquals(await Promise.all(prompts.map(coloursIn)), [["red"], ["red", "blue"]]);
    assertMatch(JSON.stringify(prompts[0]), /The picture follows/);
  });

  it("looks at the screen while it is shared, and at the camera when it wants to", async () => {
    const prompts: (readonly Message[])[] = [];
    await using call = await testCall(vision, {
      shows: { camera: frameOf(red), screen: frameOf(green) },
      llm: scripted([look(), look("camera"), ({ messages }) => {
        prompts.push(messages);
        return "A green page, and a red cup.";
      }]),
    });
    await call.user("What do you see?");
    call.expect.said("A green page, and a red cup.");
    assertEquals(await Promise.all(prompts.map(coloursIn)), [["green", "red"]]);
  });

  it("knows when nothing is shown", async () => {
    const told: string[] = [];
    await using call = await testCall(vision, {
      shows: {},
      llm: scripted([look(), look("screen"), ({ messages }) => {
        told.push(...messages.flatMap((message) => message.role === "tool" ? [message.content] : []));
        return "Please turn on your camera.";
      }]),
    });
    await call.user("What is this?");
    call.expect.said("Please turn on your camera.");
    assertEquals(told, [
      "The user shows neither a camera nor a screen now.",
      "The user shows no screen now.",
    ]);
  });

  it("is registered, and receives video", () => {
    assertEquals([agents.vision, vision.autoSubscribe], [vision, "all"]);
  });
});
