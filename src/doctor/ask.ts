/** Requests over HTTP as the doctor makes them, and what it reads in the answers. */
import { wallTime } from "../clock.ts";
import { messageOf } from "../errors.ts";

export interface Answer {
  readonly status: number;
  /** The beginning of the body. */
  readonly text: string;
  /** How far this machine's clock is ahead of the server's, seconds; undefined when it does not tell the time. */
  readonly aheadSeconds: number | undefined;
}

const longestText = 300;

/** Asks `url`. Rejects in words when there is no answer, and with the signal's reason. */
export async function ask(
  url: string,
  { signal, ...request }: RequestInit & { readonly signal: AbortSignal },
): Promise<Answer> {
  const sentAtMs = wallTime();
  try {
    const response = await fetch(url, { ...request, redirect: "manual", signal });
    const midMs = (sentAtMs + wallTime()) / 2;
    const text = (await response.text()).trim().slice(0, longestText);
    const theirsMs = Date.parse(response.headers.get("date") ?? "") + 500; // told in whole seconds
    const aheadSeconds = Number.isNaN(theirsMs) ? undefined : Math.round((midMs - theirsMs) / 1000);
    return { status: response.status, text, aheadSeconds };
  } catch (error) {
    if (signal.aborted) throw error;
    const cause = error instanceof Error ? error.cause ?? error : error;
    const why = messageOf(cause).replace(/^error sending request for url \([^)]*\): /, "");
    throw new Error(`${new URL(url).origin} cannot be reached: ${why}`, { cause: error });
  }
}

/** The address for HTTP of a server that may be given as one for WebSockets. */
export const httpAddress = (url: string): string => url.replace(/^ws/, "http");
