/** What the agent is made of: which parts are real, which only stand in, and what makes them real. */

const names = { stt: "Hears with", llm: "Thinks with", tts: "Speaks with" };

/**
 * Shows what an agent is made of; `service` names the browser's own speech recognition, undefined where it has none.
 */
export function showSettings({ stages, recognizer }, { mode, service }) {
  const at = (id) => document.getElementById(id);
  at("stages").replaceChildren(...stages.flatMap(({ stage, model, simulated, hint }) => {
    const term = document.createElement("dt");
    term.textContent = names[stage];
    const value = document.createElement("dd");
    const made = document.createElement("span");
    made.textContent = model;
    value.append(made);
    if (simulated) {
      const mark = document.createElement("em");
      mark.textContent = "simulated";
      value.append(" ", mark);
    }
    if (hint) {
      const note = document.createElement("small");
      note.textContent = hint;
      value.append(note);
    }
    return [term, value];
  }));
  if (recognizer === "page" && mode === "browser") {
    at("recognizer").hidden = false;
    at("recognizer").textContent = service
      ? `Your speech is recognized by a service that is ${service}: what you say goes there. It does not hear the agent.`
      : "Neither the server nor this browser recognizes speech. You can type, and the agent answers aloud.";
  }
  const simulated = stages.filter((stage) => stage.simulated);
  at("about-label").textContent = simulated.length > 0 ? "Partly simulated" : "All real";
  at("about-toggle").classList.toggle("simulated", simulated.length > 0);
  at("plainly").hidden = simulated.length === 0;
  at("plainly").textContent = simulated
    .map(({ stage, model, hint = "" }) => `Simulated: it ${names[stage].toLowerCase()} ${model}. ${hint}`)
    .join(" ");
  const toggle = (open) => {
    at("about").hidden = !open;
    at("about-toggle").setAttribute("aria-expanded", String(open));
  };
  at("about-toggle").addEventListener("click", () => toggle(at("about").hidden));
}
