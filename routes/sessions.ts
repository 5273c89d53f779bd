/** `/sessions`: what goes on in a room's sessions, and what an operator can do about it. */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import * as z from "zod";
import { type SessionArchive, type SessionRecord, wentOn } from "../src/telemetry/archive.ts";
import { sessionReport, sessionSummary } from "../src/telemetry/report.ts";
import { gap } from "../src/telemetry/why.ts";
import type { AppDependencies, AppEnv } from "./app.ts";
import { authenticate } from "./auth.ts";
import { expectedObject, json } from "./json_body.ts";
import { answers, describes, operation, refuses, retryAfter } from "./operation.ts";
import { problem } from "./problem.ts";
import { createRateLimit } from "./rate_limit.ts";
import { asksElsewhere, listsElsewhere } from "./elsewhere.ts";
import { eventsOperation, streamEvents } from "./session_events.ts";

const flag = z.boolean({ error: "expected true or false" });
const sayBody = z.strictObject({
  text: z.string({ error: "expected what to say, as a string" }).max(
    10_000,
    "expected up to 10,000 characters",
  )
    .regex(/\S/, "expected what to say, not an empty string"),
  interruptible: flag.optional().meta({ description: "Whether the user can stop it; true." }),
  addToHistory: flag.optional().meta({ description: "Whether the model is to know of it; true." }),
  priority: z.enum(["normal", "high", "immediate"], { error: "expected normal, high or immediate" })
    .optional()
    .meta({
      description:
        "normal: after what waits to be said; high: before that; immediate: what is being said is cut off for it.",
    }),
}, expectedObject('{"text": "One moment, please."}')).meta({
  id: "Say",
  example: { text: "One moment, please." },
});

const turnBody = z.strictObject({
  action: z.enum(["start", "commit", "cancel"], { error: "expected start, commit or cancel" }).meta({
    description:
      "start: the key to talk is pressed; commit: it is let go, and the turn answered; cancel: it is forgotten.",
  }),
}, expectedObject('{"action": "commit"}')).meta({ id: "Turn", example: { action: "commit" } });

const tags = ["Sessions"];
const hasEnded = { 409: refuses("The session has ended, or the agent is not in the room yet.") };

/** A token sees and touches the sessions of its own room; those of another are as unknown to it as those of none. */
export function sessionRoutes(
  archive: SessionArchive,
  { livekit, relay, elsewhere, fly, clock, log }: Pick<
    AppDependencies,
    "livekit" | "relay" | "elsewhere" | "fly" | "clock" | "log"
  >,
): Hono<AppEnv> {
  const admin = [
    authenticate(livekit, createRateLimit({ burst: 40, perSecond: 10, clock })),
    forARoom,
  ] as const;
  const ofSession = findsRecord(archive, relay && asksElsewhere(relay, fly));
  const listElsewhere = relay && elsewhere && listsElsewhere(relay, elsewhere);
  return new Hono<AppEnv>()
    .get(
      "/sessions",
      operation({
        summary: "The sessions of the token's room",
        tags,
        responses: {
          200: answers(
            "Those that go on, in whichever process, and those whose reports are kept here, in the order in which they " +
              "began.",
            z.object({ sessions: z.array(sessionSummary) }).meta({ id: "Sessions" }),
          ),
          503: refuses("It is not known which sessions other processes have.", retryAfter),
        },
      }),
      ...admin,
      async (c) => {
        const others = await listElsewhere?.(c) ?? [];
        if (others instanceof Response) return others;
        const here = archive.list(c.var.grants.adminOf ?? "").map((record) =>
          sessionSummary.parse(record.report())
        ).filter(({ sessionId }) => others.every((other) => other.sessionId !== sessionId));
        const sessions = others.length === 0
          ? here
          : [...here, ...others].toSorted((a, b) => Date.parse(a.startedAt) - Date.parse(b.startedAt));
        return c.json({ sessions });
      },
    )
    .get(
      "/sessions/:id",
      operation({
        summary: "A session's report",
        tags,
        responses: { 200: answers("How it goes, or went.", sessionReport) },
      }),
      ...admin,
      ofSession,
      (c) => c.json(c.var.record.report()),
    )
    .get(
      "/sessions/:id/why",
      operation({
        summary: "Why the agent was silent",
        tags,
        responses: {
          200: answers(
            "Every silence of more than a second between the user's words and the agent's, or within what the agent " +
              "said, and what it was spent on; the parts sum to it.",
            z.object({ gaps: z.array(gap) }).meta({ id: "Gaps" }),
          ),
        },
      }),
      ...admin,
      ofSession,
      (c) => c.json({ gaps: c.var.record.gaps() }),
    )
    .delete(
      "/sessions/:id",
      operation({
        summary: "End a session",
        tags,
        responses: {
          202: answers("It ends, when its shutdown callbacks have run: up to 15 s from now."),
          204: answers("It has ended before."),
        },
      }),
      ...admin,
      ofSession,
      (c) => {
        const { facts: { sessionId }, session } = c.var.record;
        if (!session) return c.body(null, 204);
        session.close("deleted").catch((error) => log.error({ error, sessionId }, "a session did not end"));
        return c.body(null, 202);
      },
    )
    .post(
      "/sessions/:id/say",
      operation({
        summary: "Have the agent say something",
        tags,
        responses: {
          202: answers(
            "It is said after what is being said now; the events with this id tell when, and what was heard of it.",
            z.object({ replyId: z.string() }).meta({ id: "Saying", example: { replyId: "say-1" } }),
          ),
          ...hasEnded,
        },
      }),
      ...admin,
      ofSession,
      json(sayBody),
      (c) => {
        const session = atWork(c, c.var.record);
        if (session instanceof Response) return session;
        const { text, interruptible, addToHistory, priority } = c.req.valid("json");
        const { replyId } = session.say(text, {
          ...(interruptible !== undefined && { interruptible }),
          ...(addToHistory !== undefined && { addToHistory }),
          ...(priority !== undefined && { priority }),
        });
        return c.json({ replyId }, 202);
      },
    )
    .post(
      "/sessions/:id/interrupt",
      operation({
        summary: "Cut off what the agent says, and what waits to be said",
        tags,
        responses: { 204: answers("It is silent."), ...hasEnded },
      }),
      ...admin,
      ofSession,
      (c) => {
        const session = atWork(c, c.var.record);
        if (session instanceof Response) return session;
        session.interrupt();
        return c.body(null, 204);
      },
    )
    .post(
      "/sessions/:id/turn",
      operation({
        summary: "Begin, end or forget the user's turn, as with a key to talk",
        tags,
        responses: { 204: answers("It is known."), ...hasEnded },
      }),
      ...admin,
      ofSession,
      json(turnBody),
      (c) => {
        const session = atWork(c, c.var.record);
        if (session instanceof Response) return session;
        const { action } = c.req.valid("json");
        if (action === "start") session.startUserTurn();
        else if (action === "commit") session.commitUserTurn();
        else session.clearUserTurn();
        return c.body(null, 204);
      },
    )
    .get(
      "/sessions/:id/events",
      operation({ ...eventsOperation, tags, responses: { ...eventsOperation.responses } }),
      ...admin,
      ofSession,
      (c) => streamEvents(c, c.var.record, clock),
    );
}

const forARoom: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (c.var.grants.adminOf !== undefined) return await next();
  return problem(c, 403, "Expected a token with the grants roomAdmin and room, for that room's sessions.", {
    headers: { "www-authenticate": 'Bearer realm="repartee", error="insufficient_scope"' },
  });
};
describes(forARoom, { responses: { 403: refuses("The token is for no room.") } });

/** Finds the path's session in the token's room: `c.var.record`. `elsewhere`: where else it may be known. */
export function findsRecord(
  archive: SessionArchive,
  elsewhere?: (c: Context<AppEnv>) => Promise<Response | undefined>,
): MiddlewareHandler<AppEnv> {
  const finds: MiddlewareHandler<AppEnv> = async (c, next) => {
    const record = archive.find(c.req.param("id") ?? "");
    const answer = record && !wentOn(record) ? undefined : await elsewhere?.(c);
    if (answer) return answer;
    if (!record || record.facts.room !== c.var.grants.adminOf) {
      return problem(c, 404, "The token's room has no such session, or its report is no longer kept.");
    }
    c.set("record", record);
    await next();
  };
  return describes(finds, {
    responses: {
      404: refuses("The token's room has no such session, or its report is no longer kept."),
      503: refuses(
        "It is not known whether another process has it: what they share cannot be asked.",
        retryAfter,
      ),
    },
  });
}

/** The session with its agent in the room, or the answer that there is none. */
function atWork(c: Context, { session }: SessionRecord): NonNullable<SessionRecord["session"]> | Response {
  if (!session || session.state === "closed") return problem(c, 409, "The session has ended.");
  if (session.state === "initializing") {
    return problem(c, 409, "The agent is not in the room yet; try again in a moment.");
  }
  return session;
}
