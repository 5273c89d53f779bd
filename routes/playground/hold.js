/** Talking while something is held down: the space bar, or a button under a finger, a mouse or the keyboard. */

/**
 * `onTurn` is told "start" when the user begins to hold, and "commit" when they let go; "cancel" when the page loses
 * sight of them. `mayStart` says whether they can talk at all. `onChange` is told whether it is held.
 */
export function createHold({ button, keys = globalThis, mayStart, onTurn, onChange }) {
  let held = false;
  const start = () => {
    if (held || !mayStart()) return;
    held = true;
    onTurn("start");
    onChange(true);
  };
  const end = (action) => {
    if (!held) return;
    held = false;
    onTurn(action);
    onChange(false);
  };
  const isHoldKey = ({ key, target }) =>
    key === " " && (target === button || !target.closest?.("input, button, summary"));

  button.addEventListener("pointerdown", (event) => {
    button.setPointerCapture?.(event.pointerId); // it is let go wherever the finger is by then
    start();
  });
  button.addEventListener("pointerup", () => end("commit"));
  button.addEventListener("pointercancel", () => end("cancel"));
  button.addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch is no wish for a menu
  keys.addEventListener("keydown", (event) => {
    if (!isHoldKey(event) || event.ctrlKey || event.altKey || event.metaKey) return;
    if (!held && !mayStart()) return;
    event.preventDefault();
    event.stopImmediatePropagation?.();
    if (!event.repeat) start();
  });
  keys.addEventListener("keyup", (event) => {
    if (event.key === " ") end("commit");
  });
  keys.addEventListener("blur", () => end("cancel"));
  return { release: () => end("cancel") };
}
