/** `GET /sessions/:id/events`: what happens in a session, as server-sent events. */
import type { Context } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import * as z from "zod";
import type { Clock } from "../src/clock.ts";
import type { SessionRecord } from "../src/telemetry/archive.ts";
import type { LoggedEvent } from "../src/telemetry/event_log.ts";
import { answers, refuses, retryAfter } from "./operation.ts";
import { problem } from "./problem.ts";

/** A comment is sent when nothing happens for so long: proxies close connections on which nothing does. */
const heartbeatMs = 15_000;
/** Readers of one session at a time. */
const maxReaders = 10;
/** Nobody knows when a reader leaves; one that went without a word is noticed by the heartbeat. */
const retrySeconds = heartbeatMs / 1000;
const readers = new WeakMap<SessionRecord, number>();

/** As the API's description has it. */
export const eventsOperation = {
  summary: "What happens in a session",
  requestParams: {
    header: z.object({
      "Last-Event-ID": z.string().optional().meta({
        description: "The id of the last event that was received: those after it follow.",
      }),
    }),
  },
  responses: {
    200: answers(
      "Server-sent events: those that are kept, then those to come, until the session has ended. Each has an id that counts " +
        "from 1, the event's type, and as its data an object with that `type`, `atMs` (milliseconds since the session " +
        "began) and what there is to say. `gap` says how many are no longer kept (`missed`).",
      z.string(),
      { type: "text/event-stream" },
    ),
    204: answers("The session has ended, and there is nothing after that event: do not come back."),
    400: refuses("Last-Event-ID is no number."),
    421: refuses("The session goes on in another process, which alone can tell of them."),
    429: refuses("The session's events have too many readers.", retryAfter),
  },
};

/** Answers with the events of `record` after the request's Last-Event-ID. */
export function streamEvents(c: Context, record: SessionRecord, clock: Clock): Response {
  const given = c.req.header("last-event-id") ?? "";
  if (!/^\d{0,15}$/.test(given)) {
    return problem(
      c,
      400,
      `Last-Event-ID is ${JSON.stringify(given)}; expected the id of an event, a number.`,
    );
  }
  const afterId = Number(given);
  if (record.ended && afterId >= record.lastEventId) return c.body(null, 204);
  const others = readers.get(record) ?? 0;
  if (others >= maxReaders) {
    const headers = { "retry-after": String(retrySeconds) };
    return problem(c, 429, `The session's events have ${maxReaders} readers; expected no more at a time.`, {
      headers,
    });
  }
  readers.set(record, others + 1);
  c.header("x-accel-buffering", "no"); // nginx would hold the events back
  return streamSSE(c, async (stream) => {
    try {
      await send(stream, record.events(afterId), { afterId, clock });
    } finally {
      readers.set(record, (readers.get(record) ?? 1) - 1);
    }
  });
}

/** Writes one event at a time, each when the one before was taken, so that nothing piles up for a slow reader. */
async function send(
  stream: SSEStreamingApi,
  events: ReadableStream<LoggedEvent>,
  { afterId, clock }: { readonly afterId: number; readonly clock: Clock },
): Promise<void> {
  const reader = events.getReader();
  stream.onAbort(() => reader.cancel());
  let lastId = afterId;
  for (let next = reader.read();;) {
    const quiet = Promise.withResolvers<"quiet">();
    using _timer = clock.after(heartbeatMs, () => quiet.resolve("quiet"));
    const arrived = await Promise.race([next, quiet.promise]);
    if (arrived === "quiet") {
      await stream.write(": nothing new\n\n");
      continue;
    }
    if (arrived.done) return;
    const { id, event } = arrived.value;
    if (id > lastId + 1) {
      const missed = id - lastId - 1;
      await stream.writeSSE({ event: "gap", data: JSON.stringify({ type: "gap", missed }) });
    }
    await stream.writeSSE({ id: String(id), event: event.type, data: eventData(event) });
    lastId = id;
    next = reader.read();
  }
}

/** An event as JSON; of an error what may be told outside. */
function eventData(event: LoggedEvent["event"]): string {
  if (event.type !== "error") return JSON.stringify(event);
  const { error: { stage, message, retryable }, ...rest } = event;
  return JSON.stringify({ ...rest, error: { stage, message, retryable } });
}
