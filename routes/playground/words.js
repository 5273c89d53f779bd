/** What went wrong, in words for the one who talks. */

/** Why there is no microphone. */
export function microphoneFailed(error) {
  if (!isSecureContext) {
    return "Browsers give the microphone to https:// pages and to localhost only. You can type.";
  }
  switch (error?.name) {
    case "NotAllowedError":
      return "The microphone is not allowed here. Allow it in the browser’s address bar, or type.";
    case "NotFoundError":
    case "OverconstrainedError":
      return "No microphone was found. Plug one in and press Start talking, or type.";
    case "NotReadableError":
      return "The microphone is taken by another program. Close that one, or type.";
    default:
      return "The microphone could not be opened. You can type.";
  }
}

/** Why there is no camera. */
export function cameraFailed(error) {
  if (!isSecureContext) return "Browsers give the camera to https:// pages and to localhost only.";
  switch (error?.name) {
    case "NotAllowedError":
      return "The camera is not allowed here. Allow it in the browser’s address bar.";
    case "NotFoundError":
    case "OverconstrainedError":
      return "No camera was found.";
    case "NotReadableError":
      return "The camera is taken by another program. Close that one.";
    default:
      return "The camera could not be opened.";
  }
}

/** Why a socket is closed for good; undefined when it is worth trying again. */
export function socketClosed(code, { wasConnected }) {
  switch (code) {
    case 1000:
      return { text: "The conversation is over." };
    case 1007:
    case 1009:
      return {
        text: "The server and this page do not understand each other. Load the page again.",
        failed: true,
      };
    case 1008:
      return { text: "The server closed the connection: too much came at once.", failed: true };
    case 1013:
      return { text: "Too many conversations are going on. Try again later.", failed: true };
    case 4001:
      return { text: "The conversation goes on in another tab." };
    default:
      return wasConnected ? undefined : { text: "The server does not answer. Is it running?", failed: true };
  }
}

/** What an HTTP answer says that is not a success. */
export async function answerFailed(response) {
  if (response.status === 401) return "Your sign-in has run out. Load the page again.";
  try {
    return (await response.json()).detail ?? `The server answered ${response.status}.`;
  } catch {
    return `The server answered ${response.status}.`; // no problem+json: a proxy in between
  }
}

export const states = {
  idle: "Ready",
  connecting: "Connecting",
  reconnecting: "Connection lost. Coming back",
  initializing: "The agent is coming",
  listening: "Listening",
  thinking: "Thinking",
  speaking: "Speaking",
  muted: "Muted",
  ended: "Ended",
};

/** Why the agent left a LiveKit room, by the reason it shows there; a page's own socket is told in words. */
export const farewells = {
  "user-away": "Nothing was said for a while, so the conversation was ended. You can start another.",
  "max-duration": "The conversation has lasted as long as one may. You can start another.",
  "cost-cap": "The conversation has taken as much as one may. You can start another.",
  deleted: "The conversation was ended by the server’s operator.",
  shutdown: "The server is restarting. Start again in a moment.",
  error: "Something failed on the server, and the conversation had to end. The server’s log says why.",
};
