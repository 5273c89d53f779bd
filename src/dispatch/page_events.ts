/** What a page shows of a session beyond its transcripts. */
import type { VoiceSession } from "../agent.ts";
import type { Stage, StageError } from "../errors.ts";
import type { BrowserRoom } from "../room/browser/room.ts";

/** Posts what happens in the session to the page; settles when the session has ended. */
export async function forwardEvents(
  session: Pick<VoiceSession, "events">,
  room: Pick<BrowserRoom, "post">,
): Promise<void> {
  for await (const event of session.events()) {
    switch (event.type) {
      case "agent-started-speaking":
        room.post({ type: "latency", id: event.replyId, latency: event.latency });
        break;
      case "agent-speech-committed":
        room.post({
          type: "agent-heard",
          id: event.replyId,
          text: event.text,
          interrupted: event.interrupted,
        });
        break;
      case "error":
        room.post({ type: "error", text: wordsFor(event.error) });
    }
  }
}

const stages: Readonly<Record<Stage, string>> = {
  room: "The connection",
  vad: "Voice detection",
  stt: "Speech recognition",
  llm: "The language model",
  tts: "The voice",
  agent: "The agent's own code",
  session: "The session",
};

/** What failed, for the user: errors' own words may hold what is nobody's business. */
function wordsFor(error: StageError): string {
  const stage = stages[error.stage];
  if (error.refused) return `${stage} refused the server's key. Check the key, then start again.`;
  return `${stage} failed. The server's log says why.`;
}
