/** Transcripts as LiveKit's clients show them: text streams on one topic (https://docs.livekit.io/agents/build/text/). */
import type {
  StreamSendTextCallback,
  StreamSendTextResponse,
  TextStreamOpenCallback,
  TextStreamOpenResponse,
  TextStreamWriterCloseCallback,
  TextStreamWriterCloseResponse,
  TextStreamWriterWriteCallback,
  TextStreamWriterWriteResponse,
} from "@livekit/rtc-ffi-bindings";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { TranscriptPublisher } from "../room.ts";
import { type FfiClient, letGo } from "./ffi.ts";

export const TRANSCRIPTION_TOPIC = "lk.transcription";

interface TranscriptOptions {
  readonly client: FfiClient;
  readonly clock: Clock;
  readonly log: Log;
  /** The native handle of the agent's own participant. */
  readonly participantHandle: bigint;
  /** Aborts when the room is left: nothing is waited for any more. */
  readonly signal: AbortSignal;
  /** The agent's own identity and track. */
  readonly agent: () => { readonly identity: string; readonly trackSid: string | undefined };
  /** Those of whoever has said it; of the linked participant when left out. */
  readonly user: (speaker?: string) => { readonly identity: string; readonly trackSid: string | undefined };
}

/** Publishes transcripts one after another, in the order they were given; what fails is logged. */
export function createTranscripts(
  { client, clock, log, participantHandle, signal, agent, user }: TranscriptOptions,
): TranscriptPublisher & { /** Settles when everything given so far was sent. */ settled(): Promise<void> } {
  let tail = Promise.resolve();
  const enqueue = (send: () => Promise<void>) => {
    // Not in the same breath: whoever gives a text has more urgent things to do than a native call.
    tail = tail.then(() => clock.sleep(0)).then(send).catch((error) =>
      log.debug({ error }, "a transcript could not be published")
    );
  };
  /** Waits for the answer to the request `asyncId`. */
  const answer = <T>(kind: string, asyncId: bigint | undefined): Promise<T> =>
    client.waitFor<T>(
      ({ message }) =>
        message.case === kind && "asyncId" in message.value && message.value.asyncId === asyncId,
      { signal },
    );

  const options = (
    id: string,
    final: boolean,
    { identity, trackSid }: ReturnType<TranscriptOptions["user"]>,
  ) => ({
    topic: TRANSCRIPTION_TOPIC,
    senderIdentity: identity,
    attributes: { "lk.segment_id": id, ...finality(final, trackSid) },
  });

  /** The newest text of each of the user's segments that was not sent yet. */
  const unsent = new Map<string, Parameters<TranscriptPublisher["user"]>[0]>();
  const sendUser = async (id: string) => {
    const { text, final, speaker } = unsent.get(id) ?? { text: "", final: true };
    unsent.delete(id);
    const { asyncId } = client.request<StreamSendTextResponse>({
      message: {
        case: "sendText",
        value: {
          localParticipantHandle: participantHandle,
          options: options(id, final, user(speaker)),
          text,
        },
      },
    });
    const { result } = await answer<StreamSendTextCallback>("sendText", asyncId);
    if (result.case === "error") throw new Error(result.value.description);
  };

  /** The handles of the streams that are open: with one of them left, the native client keeps all of the room. */
  const writers = new Set<bigint>();
  signal.addEventListener("abort", () => {
    for (const id of writers) letGo({ id });
  }, { once: true });
  const open = async (id: string): Promise<bigint> => {
    const { asyncId } = client.request<TextStreamOpenResponse>({
      message: {
        case: "textStreamOpen",
        value: { localParticipantHandle: participantHandle, options: options(id, false, agent()) },
      },
    });
    const { result } = await answer<TextStreamOpenCallback>("textStreamOpen", asyncId);
    if (result.case !== "writer") throw new Error(result.value?.description ?? "no writer");
    const writer = result.value.handle?.id ?? 0n;
    writers.add(writer);
    return writer;
  };
  const write = async (writerHandle: bigint, text: string) => {
    const { asyncId } = client.request<TextStreamWriterWriteResponse>({
      message: { case: "textStreamWrite", value: { writerHandle, text } },
    });
    const { error } = await answer<TextStreamWriterWriteCallback>("textStreamWriterWrite", asyncId);
    if (error) throw new Error(error.description);
  };
  const close = async (writerHandle: bigint) => {
    writers.delete(writerHandle); // closing takes it away
    const { asyncId } = client.request<TextStreamWriterCloseResponse>({
      message: {
        case: "textStreamClose",
        value: { writerHandle, attributes: finality(true, agent().trackSid) },
      },
    });
    const { error } = await answer<TextStreamWriterCloseCallback>("textStreamWriterClose", asyncId);
    if (error) throw new Error(error.description);
  };

  return {
    user(segment) {
      const { id } = segment;
      const waits = unsent.has(id);
      unsent.set(id, segment);
      if (!waits) enqueue(() => sendUser(id));
    },
    agent(id) {
      let text = "";
      let writer: bigint | undefined;
      const flush = async () => {
        const piece = text;
        text = "";
        if (piece !== "") await write(writer ??= await open(id), piece);
      };
      return {
        write(piece) {
          text += piece;
          enqueue(flush); // what was given while an earlier piece was on its way goes out with the first flush
        },
        close() {
          enqueue(async () => {
            if (writer !== undefined) await close(writer);
          });
        },
      };
    },
    settled: () => tail,
  };
}

function finality(final: boolean, trackSid: string | undefined): Record<string, string> {
  return {
    "lk.transcription_final": String(final),
    ...(trackSid !== undefined && { "lk.transcribed_track_id": trackSid }),
  };
}
