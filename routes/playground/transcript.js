/** What both have said, as a script: one entry a turn. */
import { latencyBar, whyView } from "./latency.js";

/** Shows turns in `list`, inside `scroll`, which follows the newest unless the reader has scrolled away. */
export function createTranscript({ list, scroll, announce, agentName }) {
  /** Entries that may still change, by who speaks and segment. */
  const entries = new Map();

  let following = true;
  const toEnd = () => {
    if (following) scroll.scrollTop = scroll.scrollHeight;
  };
  const follow = (change) => {
    change();
    toEnd();
  };
  scroll.addEventListener("scroll", () => {
    following = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  });
  new ResizeObserver(toEnd).observe(scroll); // as when a phone is turned, or its keyboard comes
  /** A line between the turns. */
  const note = (kind, text) => {
    const item = document.createElement("li");
    item.className = `note ${kind}`;
    item.textContent = text;
    list.append(item);
    return item;
  };
  const add = (who, key, speaker) => {
    const item = document.createElement("li");
    item.className = `turn ${who}`;
    const name = document.createElement("span");
    name.className = "who";
    name.textContent = who === "agent" ? agentName() : speaker ?? "You";
    const words = document.createElement("p");
    item.append(name, words);
    list.append(item);
    const entry = { item, words, text: "" };
    if (key) entries.set(key, entry);
    return entry;
  };
  const entryFor = (who, id, speaker) => entries.get(`${who} ${id}`) ?? add(who, `${who} ${id}`, speaker);

  return {
    typed: (text) => follow(() => add("user").words.textContent = text),
    /** `speaker`: who says it, where that is not the one at this page. */
    user: ({ id, text, final, speaker }) =>
      follow(() => {
        const { item, words } = entryFor("user", id, speaker);
        words.textContent = text;
        item.classList.toggle("interim", !final);
        if (!final) return;
        entries.delete(`user ${id}`);
        announce(`${speaker ?? "You"}: ${text}`);
      }),
    agent: ({ id, text, final }) =>
      follow(() => {
        if (final && !entries.has(`agent ${id}`)) return;
        const entry = entryFor("agent", id);
        entry.text += text;
        if (!entry.cut) entry.words.textContent = entry.text;
      }),
    /** What was heard of a reply, which may have been cut off there. */
    heard: ({ id, text, interrupted }) =>
      follow(() => {
        const entry = entries.get(`agent ${id}`);
        announce(`${agentName()}: ${text}${interrupted ? " – interrupted" : ""}`);
        if (!entry || !interrupted) return;
        entry.cut = true;
        const mark = document.createElement("span");
        mark.className = "cut";
        mark.textContent = " — ";
        const note = document.createElement("small");
        note.textContent = "interrupted";
        mark.append(note);
        entry.words.replaceChildren(text.trimEnd(), mark);
      }),
    toolCalled: ({ id, name }) => follow(() => entries.set(`tool ${id}`, note("tool", `${name} …`))),
    /** What came of it; of a tool that goes on, this comes twice. */
    toolFinished: ({ id, name, outcome, text }) =>
      follow(() => {
        const item = entries.get(`tool ${id}`) ?? note("tool", "");
        item.classList.add(outcome);
        item.textContent = `${name} → ${text}`;
      }),
    handoff: ({ to }) =>
      follow(() => {
        const { textContent } = note("handoff", `handed over to ${to}`);
        announce(textContent);
      }),
    latency: ({ id, latency }) => follow(() => entryFor("agent", id).item.append(latencyBar(latency))),
    /** What a long silence before or within a reply was spent on. */
    why: (message) => follow(() => entryFor("agent", message.id).item.append(whyView(message))),
  };
}
