/** The agents there are to talk with. Which one it is stands in the page's address: `/?agent=sales`. */

/** The agent that the address names, or the server's default; throws, in words, where nobody can talk with it. */
export function chosenAgent({ agent: standard, agents }) {
  const wanted = new URLSearchParams(location.search).get("agent") ?? standard;
  const chosen = agents.find(({ name }) => name === wanted);
  if (!chosen) {
    throw new Error(
      `There is no agent “${wanted}” here; there is ${agents.map(({ name }) => name).join(", ")}.`,
    );
  }
  if (chosen.unusable) throw new Error(chosen.unusable);
  return chosen;
}

/** Fills `list` with a link for each, and with why one cannot be used. */
export function showAgents(list, { agent: standard, agents }) {
  const current = new URLSearchParams(location.search).get("agent") ?? standard;
  list.replaceChildren(...agents.map(({ name, description, unusable }) => {
    const link = element("a", name);
    if (name === current) link.setAttribute("aria-current", "page");
    if (unusable) link.setAttribute("aria-disabled", "true");
    else link.href = name === standard ? "/" : `/?agent=${encodeURIComponent(name)}`;
    const item = document.createElement("li");
    item.append(link, element("p", description));
    if (unusable) item.append(element("small", unusable));
    return item;
  }));
}

function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
