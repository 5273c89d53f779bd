/** The agent's presence: a ring of strokes that moves with the voices and tells the state by its shape. */

const STROKES = 72;
const TURN = Math.PI * 2;

/** Draws on `canvas` until the page is gone. `look()` gives {state, user, agent}; levels are 0–1. */
export function createOrb(canvas, look) {
  const context = canvas.getContext("2d");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let size = 0;
  let [user, agent] = [0, 0];
  /** The last levels of the voice, newest first: it travels around the ring from the top. */
  const history = new Float32Array(STROKES / 2);

  const resize = () => {
    size = canvas.clientWidth;
    const ratio = Math.min(devicePixelRatio || 1, 2);
    canvas.width = canvas.height = Math.round(size * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
  };
  new ResizeObserver(resize).observe(canvas);

  const draw = (timeMs) => {
    requestAnimationFrame(draw);
    if (document.hidden || size === 0) return;
    const now = look();
    user = ease(user, now.user);
    agent = ease(agent, now.agent);
    const level = now.state === "speaking" ? agent : user;
    history.copyWithin(1, 0);
    history[0] = level;
    const seconds = still.matches ? 0 : timeMs / 1000;
    const style = getComputedStyle(canvas);
    context.clearRect(0, 0, size, size);
    context.lineCap = "round";
    context.strokeStyle = style.color;
    context.lineWidth = Math.max(2, size / 110);
    const inner = size * 0.3;
    for (let i = 0; i < STROKES; i++) {
      const around = i / STROKES;
      const fromTop = Math.min(i, STROKES - i);
      const wave = still.matches ? level : history[Math.min(history.length - 1, fromTop)];
      const { length, alpha } = stroke(now.state, around, seconds, wave);
      const angle = around * TURN - TURN / 4;
      const [x, y] = [Math.cos(angle), Math.sin(angle)];
      const [from, to] = [inner - size * length * 0.35, inner + size * length];
      context.globalAlpha = alpha;
      context.beginPath();
      context.moveTo(size / 2 + x * from, size / 2 + y * from);
      context.lineTo(size / 2 + x * to, size / 2 + y * to);
      context.stroke();
    }
    context.globalAlpha = 1;
  };
  requestAnimationFrame(draw);
}

/** One stroke of the ring: how long (part of the size) and how opaque it is. */
function stroke(state, around, seconds, wave) {
  const breath = 0.5 + 0.5 * Math.sin(seconds * 1.6 + around * TURN);
  switch (state) {
    case "thinking":
    case "connecting":
    case "reconnecting":
    case "initializing": {
      const head = (around - seconds * 0.45) % 1;
      const tail = 1 - (head < 0 ? head + 1 : head);
      return { length: 0.012 + 0.05 * tail ** 4, alpha: 0.18 + 0.82 * tail ** 2 };
    }
    case "speaking":
    case "listening":
      return {
        length: 0.012 + 0.01 * breath + 0.14 * wave,
        alpha: 0.55 + 0.45 * Math.min(1, wave * 4 + breath * 0.3),
      };
    default:
      return { length: 0.01 + 0.008 * breath, alpha: 0.4 };
  }
}

/** Rises at once and falls slowly, as meters do. */
function ease(shown, level) {
  return level > shown ? level : shown * 0.86 + level * 0.14;
}
