/** Connections of voices that a session has left, kept for the next: it need not wait for a handshake at all. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock } from "../clock.ts";
import type { TextToSpeech } from "./tts.ts";

/** Shorter than what servers allow an idle connection: ElevenLabs 180 s, Cartesia 300 s. */
const keptMs = 150_000;
/** So many of a kind are kept at the most. */
const most = 2;

/** What voices are spoken on. */
export interface PooledLine {
  /** Whether it is open, all that was asked of it has come or is known never to come, and nothing has failed on it. */
  readonly reusable: boolean;
  /** From now on what comes is told in the caller's async context: an error is that session's. */
  adopt(): void;
  /** Opens it, unless it is open; one that was idle is replaced if it does not answer. */
  ready(): void;
  /** Hangs up for good. */
  close(): void;
}

export interface VoicePool extends Disposable {
  /**
   * A voice until `signal` aborts, on a connection that a session has left or on one that `make` makes. `kind`: the same for
   * what may stand in for each other.
   */
  lend(
    kind: string,
    make: () => ConnectedVoice,
    session: { readonly signal: AbortSignal },
  ): TextToSpeech;
}

interface Idle {
  readonly kind: string;
  readonly connected: ConnectedVoice;
  readonly expiry: Disposable;
}

/** A voice, and the connection that is its own. */
export interface ConnectedVoice {
  readonly voice: TextToSpeech;
  readonly line: PooledLine;
}

/** Disposing it closes what is idle; what is lent is closed by its session then. */
export function createVoicePool({ clock }: { readonly clock: Clock }): VoicePool {
  const idle = new Set<Idle>();
  /** Timers and sockets that outlive a session belong to none. */
  const outside = AsyncLocalStorage.snapshot();
  let closed = false;

  const ofKind = (kind: string) => [...idle].filter((one) => one.kind === kind);
  const remove = (one: Idle) => {
    one.expiry[Symbol.dispose]();
    idle.delete(one);
    return one.connected;
  };
  const take = (kind: string) => {
    const latest = ofKind(kind).at(-1);
    return latest && remove(latest);
  };
  const giveBack = (kind: string, connected: ConnectedVoice) => {
    const { line } = connected;
    if (closed || !line.reusable || ofKind(kind).length >= most) return line.close();
    line.adopt();
    const expiry = clock.after(keptMs, () => remove(one).line.close());
    const one = { kind, connected, expiry };
    idle.add(one);
  };
  return {
    lend(kind, make, { signal }) {
      const connected = take(kind) ?? make();
      const { voice, line } = connected;
      line.adopt();
      outside(line.ready);
      const end = () => outside(giveBack, kind, connected);
      if (signal.aborted) end();
      else signal.addEventListener("abort", end, { once: true });
      return {
        ...voice,
        // Whoever speaks too late must not be heard in another session.
        synthesize: (text, how) =>
          voice.synthesize(text, { ...how, signal: AbortSignal.any([how.signal, signal]) }),
      };
    },
    [Symbol.dispose]() {
      closed = true;
      for (const one of idle) remove(one).line.close();
    },
  };
}
