/** The page's key to talk, without a browser. */
import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
// @ts-types="./playground_hold.d.ts"
import { createHold } from "../../routes/playground/hold.js";

function setUp({ mayStart = true } = {}) {
  const button = Object.assign(new EventTarget(), { closest: () => null });
  const keys = new EventTarget();
  const turns: string[] = [];
  const shown: boolean[] = [];
  const hold = createHold({
    button,
    keys,
    mayStart: () => mayStart,
    onTurn: (action) => turns.push(action),
    onChange: (held) => shown.push(held),
  });
  /** Presses or lets go a key; returns whether the page's other keys are kept from it. */
  const press = (type: "keydown" | "keyup", key: string, more: Record<string, unknown> = {}): boolean => {
    const event = new Event(type, { cancelable: true });
    const target = { closest: () => null };
    for (const [name, value] of Object.entries({ key, target, ...more })) {
      Object.defineProperty(event, name, { value });
    }
    keys.dispatchEvent(event);
    return event.defaultPrevented;
  };
  const point = (type: string) => button.dispatchEvent(new Event(type));
  return { button, keys, hold, turns, shown, press, point };
}

describe("createHold()", () => {
  it("talks while the space bar is down, however often it repeats", () => {
    const { turns, shown, press } = setUp();
    assertEquals(press("keydown", " "), true);
    assertEquals(press("keydown", " ", { repeat: true }), true);
    press("keyup", " ");
    assertEquals([turns, shown], [["start", "commit"], [true, false]]);
  });

  it("leaves other keys, key combinations and what is typed alone", () => {
    const { turns, press } = setUp();
    assertEquals(press("keydown", "a"), false);
    assertEquals(press("keydown", " ", { ctrlKey: true }), false);
    assertEquals(press("keydown", " ", { target: { closest: () => ({}) } }), false);
    press("keyup", " ");
    assertEquals(turns, []);
  });

  it("takes the space bar on the button itself", () => {
    const { button, turns, press } = setUp();
    assertEquals(press("keydown", " ", { target: button }), true);
    assertEquals(turns, ["start"]);
  });

  it("talks while a finger is on the button", () => {
    const { turns, point } = setUp();
    point("pointerdown");
    point("pointerup");
    assertEquals(turns, ["start", "commit"]);
  });

  it("takes it back when the page loses sight of the user, or the call ends", () => {
    const { turns, point, press, keys, hold } = setUp();
    point("pointerdown");
    point("pointercancel");
    press("keydown", " ");
    keys.dispatchEvent(new Event("blur"));
    press("keydown", " ");
    hold.release();
    hold.release();
    assertEquals(turns, ["start", "cancel", "start", "cancel", "start", "cancel"]);
  });

  it("does nothing where the user cannot talk: the space bar keeps its other use", () => {
    const { turns, press, point } = setUp({ mayStart: false });
    assertEquals(press("keydown", " "), false);
    point("pointerdown");
    assertEquals(turns, []);
  });
});
