/** Where the time of an answer went, as a bar with a legend. */

/** The bar's full width, in milliseconds: longer answers fill it and are told by their number. */
const FULL_MS = 2_000;

/** The parts of a latency that follow each other; stt lies inside endpointing and is shown as a part of it. */
function parts({ endpointingMs, sttMs = 0, heldMs = 0, llmMs = 0, clauseMs = 0, ttsMs = 0, playoutMs = 0 }) {
  const stt = Math.min(sttMs, endpointingMs ?? 0);
  return [
    { name: "STT", kind: "stt", ms: stt },
    { name: "Endpointing", kind: "endpointing", ms: (endpointingMs ?? 0) - stt },
    { name: "Held", kind: "held", ms: heldMs },
    { name: "LLM", kind: "llm", ms: llmMs + clauseMs },
    { name: "TTS", kind: "tts", ms: ttsMs + playoutMs },
  ].map((part) => ({ ...part, ms: Math.round(part.ms) })).filter(({ ms }) => ms > 0);
}

export function latencyBar(latency) {
  const total = Math.round(latency.totalMs);
  const shown = parts(latency);
  const figure = document.createElement("div");
  figure.className = "latency";
  const bar = document.createElement("div");
  bar.className = "bar";
  bar.setAttribute("role", "img");
  const words = shown.map(({ name, ms }) => `${name} ${ms}`).join(", ");
  bar.setAttribute("aria-label", `Answered after ${total} milliseconds: ${words}`);
  const legend = document.createElement("p");
  legend.className = "legend";
  legend.setAttribute("aria-hidden", "true");
  legend.append(element("b", "", `${total} ms`));
  for (const { name, kind, ms } of shown) {
    const segment = element("i", kind, "");
    segment.style.setProperty("--share", String(ms / Math.max(FULL_MS, total)));
    segment.title = `${name} ${ms} ms`;
    bar.append(segment);
    legend.append(element("span", kind, `${name} ${ms}`));
  }
  figure.append(bar, legend);
  return figure;
}

/** Where the bar gives no reason enough: a silence told in words, folded up. */
export function whyView({ inside, ms, parts }) {
  const view = document.createElement("details");
  view.className = "why";
  const where = inside ? "of silence in the middle" : "of silence";
  view.append(element("summary", "", `Why ${(ms / 1_000).toFixed(1)} s ${where}?`));
  const list = document.createElement("ol");
  for (const { cause, words } of parts) {
    const part = element("li", cause, words);
    list.append(part);
  }
  view.append(list);
  return view;
}

function element(tag, kind, text) {
  const made = document.createElement(tag);
  made.className = kind;
  made.textContent = text;
  return made;
}
