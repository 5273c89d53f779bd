/** Pictures in a session's turns: what the model is shown, what the history keeps, and who else learns of them. */
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { SessionEvent } from "../../src/events.ts";
import type { ImagePart, LanguageModel, LanguageRequest } from "../../src/llm/llm.ts";
import type { VideoOptions } from "../../src/vision/options.ts";
import { startCall, timeToClose } from "../fakes/call.ts";
import { frameOf, lookAt, red } from "../fixtures/pictures.ts";

/** A model that says yes. */
function modelThatAgrees(): LanguageModel & { readonly requests: LanguageRequest[] } {
  const requests: LanguageRequest[] = [];
  return {
    provider: "scripted",
    model: "script",
    requests,
    generate(request) {
      requests.push(request);
      return ReadableStream.from(
        [{ type: "text", text: "Yes." }, { type: "finish", reason: "stop" }] as const,
      );
    },
  };
}

/** A call in which the user shows red and types, until the model was shown pictures in `turns` turns, or 20 have passed. */
async function show(video: VideoOptions, turns: number) {
  const llm = modelThatAgrees();
  const call = startCall({ autoSubscribe: "all", video }, {
    providers: { llm },
    shows: { camera: frameOf(red) },
  });
  const events: SessionEvent[] = [];
  const told = call.session.events().pipeTo(
    new WritableStream({ write: (event) => void events.push(event) }),
  );
  await call.joined;
  call.room.enter("caller");
  const shown = () => llm.requests.flatMap(({ messages }) => imagesOf(messages.at(-1))).length;
  let seen = 0;
  for (let turn = 0; turn < 20 && seen < turns; turn++) {
    const before = shown();
    // Pictures are made in real time, while the call's clock stands still.
    await new Promise((resolve) => setTimeout(resolve, 10));
    await call.clock.advance(4_000);
    call.room.tell({ type: "text", text: "Do you see this?" });
    await call.clock.advance(4_000);
    if (shown() > before) seen++;
  }
  const { history } = call.session;
  await timeToClose(call);
  await told;
  assertEquals(call.clock.pending, 0);
  return { llm, history, events };
}

const imagesOf = (message: LanguageRequest["messages"][number] | undefined): readonly ImagePart[] =>
  message?.role === "user" ? message.images ?? [] : [];

describe("a session with pictures in its turns", () => {
  it("shows them to the model with what the user says, and keeps the newest", async () => {
    const { llm, history, events } = await show({ sample: true, keep: 1 }, 3);
    const shown = llm.requests.map(({ messages }) => messages.flatMap(imagesOf));
    const [image] = shown.at(-1) ?? [];
    assert(image);
    assertEquals((await lookAt(Uint8Array.fromBase64(image.data))).colour, "red");
    assert(shown.every(({ length }) => length <= 2), "a turn's picture, and the one before it");
    const kept = history.flatMap((item) => item.type === "tool-call" ? [] : item.images ?? []);
    assert(kept.length >= 3);
    assertEquals(kept.filter(({ data }) => data !== "").length, 1);
    assert(!JSON.stringify(events).includes(image.data.slice(0, 40)), "an event has a picture in it");
  });

  it("has none unless its agent wants them", async () => {
    const { llm } = await show({}, 1);
    assertEquals([llm.requests.length, llm.requests.flatMap(({ messages }) => messages.flatMap(imagesOf))], [
      20,
      [],
    ]);
  });
});
