/** Answers of several workers as one. */
import * as z from "zod";

const json = { "content-type": "application/json" };
const sessions = z.object({
  sessions: z.array(z.looseObject({
    sessionId: z.string(),
    startedAt: z.string(),
    endedAt: z.string().exactOptional(),
  })),
});
const dispatches = z.object({ agent_dispatches: z.array(z.unknown()) });

/** The lists that were answered, or a refusal when there is none but refusals. `path`: what was asked for. */
export async function mergeLists(path: string, answers: readonly Response[]): Promise<Response> {
  const good = answers.filter(({ ok }) => ok);
  const [first, ...rest] = good.length > 0 ? good : answers;
  if (!first) throw new TypeError("expected at least one answer");
  if (good.length <= 1) {
    await Promise.all(answers.map((answer) => answer === first ? undefined : answer.body?.cancel()));
    return first;
  }
  if (first.headers.get("content-type")?.startsWith("application/protobuf")) {
    // Messages of one type, one behind the other, are one message: repeated fields are joined.
    const parts = await Promise.all(good.map((answer) => answer.arrayBuffer()));
    return new Response(new Blob(parts), { headers: { "content-type": "application/protobuf" } });
  }
  const bodies = await Promise.all([first, ...rest].map((answer) => answer.json()));
  const merged = path.startsWith("/sessions")
    ? { sessions: newest(bodies.flatMap((body) => sessions.parse(body).sessions)) }
    : { agent_dispatches: bodies.flatMap((body) => dispatches.parse(body).agent_dispatches) };
  return new Response(JSON.stringify(merged), { headers: json });
}

type Session = z.infer<typeof sessions>["sessions"][number];

/** In the order in which they began; of one that has moved from a worker to another, as it is now. */
function newest(all: readonly Session[]): Session[] {
  const byId = new Map<string, Session>();
  for (const session of all) {
    const known = byId.get(session.sessionId);
    if (!known || known.endedAt !== undefined) byId.set(session.sessionId, session);
  }
  return [...byId.values()].toSorted((a, b) => a.startedAt < b.startedAt ? -1 : 1);
}
