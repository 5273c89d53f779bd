/**
 * The bridge to LiveKit's native client, shared by all rooms of the process.
 *
 * rtc-node takes its bridge from `globalThis._ffiClientInstance` and makes its own only when there is none
 * (https://github.com/livekit/node-sdks, packages/livekit-rtc/src/ffi_client.ts). Its own hands every event to every
 * listener, which costs the square of the number of rooms, and forwards the native log, tens of thousands of events
 * while rooms connect at the same time. This one brings audio, video and room events only to where they belong.
 */
import {
  FfiEvent,
  FfiHandle,
  type FfiOwnedHandle,
  FfiRequest,
  FfiResponse,
  livekitCopyBuffer,
  livekitFfiRequest,
  livekitInitialize,
  livekitRetrievePtr,
  type PartialMessage,
} from "@livekit/rtc-ffi-bindings";
import type { Log } from "../../log.ts";

/** What is called with an event; a promise it returns is watched. */
type Listener = (event: FfiEvent) => unknown;

/** What rtc-node calls on its bridge. */
export interface FfiClient {
  /** Sends `request` and returns the message of the response, whose type the caller knows. */
  request<T>(request: PartialMessage<FfiRequest>): T;
  /** Settles with the message of the first event that `predicate` holds for; rejects when `signal` aborts. */
  waitFor<T>(predicate: (event: FfiEvent) => boolean, options?: { signal?: AbortSignal }): Promise<T>;
  on(name: string, listener: Listener): void;
  off(name: string, listener: Listener): void;
  removeListener(name: string, listener: Listener): void;
  copyBuffer(pointer: bigint, length: number): Uint8Array;
  retrievePtr(data: Uint8Array): bigint;
  getNextRequestAsyncId(): bigint;
}

/** As rtc-node names itself to the server. */
const SDK_VERSION = "1.1.0";
/** The one name under which listeners are added. */
export const EVENT = "ffi_event";

/** Frees what the native client keeps under `handle`. */
export function letGo(handle: Pick<FfiOwnedHandle, "id"> | undefined): void {
  if (handle?.id !== undefined) new FfiHandle(handle.id).dispose();
}

let installed: FfiClient | undefined;

/** Puts the bridge in place, once; to be called before any object of rtc-node is made. */
export function installFfiClient(log: Log): FfiClient {
  if (installed) return installed;
  if (Reflect.has(globalThis, "_ffiClientInstance")) {
    throw new Error(
      "installFfiClient(): rtc-node has made its own client; expected to be called before it is used",
    );
  }
  installed = createFfiClient(log);
  Reflect.set(globalThis, "_ffiClientInstance", installed);
  return installed;
}

function createFfiClient(log: Log): FfiClient {
  const anyEvent = new Set<Listener>();
  const byStream = new Map<bigint, Listener>();
  /** Who waits for the answer to a request, by its asyncId. */
  const byAnswer = new Map<bigint, Listener>();
  const connecting = new Map<bigint, Listener>();
  const byRoom = new Map<bigint, Listener>();
  const routes = [byStream, connecting, byRoom];
  /** The stream whose listener is added next, and the request whose answer is awaited next: in the same breath. */
  let opened: bigint | undefined;
  let asked: bigint | undefined;
  let added: Listener | undefined;
  let lastAsyncId = 0n;

  const failed = (error: unknown) => log.error({ error }, "a LiveKit event could not be handled");
  const call = (listener: Listener | undefined, event: FfiEvent) => {
    try {
      const result = listener?.(event);
      if (result instanceof Promise) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
  const callAll = (listeners: Iterable<Listener>, event: FfiEvent) => {
    for (const listener of [...listeners]) call(listener, event);
  };

  const deliver = (stream: bigint | undefined, event: FfiEvent, owned: FfiOwnedHandle | undefined) => {
    const listener = byStream.get(stream ?? 0n);
    if (listener) call(listener, event);
    else letGo(owned);
  };
  /** An answer goes to who waits for it; one that nobody is known to wait for, to all who wait. */
  const answered = (asyncId: bigint | undefined, event: FfiEvent) => {
    const listener = byAnswer.get(asyncId ?? 0n);
    callAll([...anyEvent, ...(listener ? [listener] : byAnswer.values())], event);
  };
  const dispatch = (event: FfiEvent) => {
    const { case: kind, value } = event.message;
    switch (kind) {
      // Nobody else lets go of a frame that was on its way when its stream was closed.
      case "audioStreamEvent": {
        const { frame } = value.message.case === "frameReceived" ? value.message.value : {};
        return deliver(value.streamHandle, event, frame?.handle);
      }
      case "videoStreamEvent": {
        const { buffer } = value.message.case === "frameReceived" ? value.message.value : {};
        return deliver(value.streamHandle, event, buffer?.handle);
      }
      case "roomEvent":
        call(byRoom.get(value.roomHandle ?? 0n), event);
        // after it a room hears nothing more, and rtc-node forgets its listener when the server closed the room
        if (value.message.case === "disconnected") byRoom.delete(value.roomHandle ?? 0n);
        return;
      case "connect": {
        const asyncId = value.asyncId ?? 0n;
        const listener = connecting.get(asyncId);
        connecting.delete(asyncId);
        const room = value.message.case === "result" ? value.message.value.room?.handle?.id : undefined;
        if (listener && room !== undefined) byRoom.set(room, listener);
        return answered(asyncId, event);
      }
      case "rpcMethodInvocation": // names a participant, not a room
        return callAll(byRoom.values(), event);
      case "panic":
        log.error({ detail: value.message }, "LiveKit's native client panicked");
        return;
      default:
        answered(value && "asyncId" in value ? value.asyncId : undefined, event);
    }
  };
  livekitInitialize((data) => dispatch(FfiEvent.fromBinary(data)), false, SDK_VERSION);

  const on = (_name: string, listener: Listener) => {
    if (opened === undefined) anyEvent.add(listener);
    else byStream.set(opened, listener);
    opened = undefined;
    added = listener;
  };
  const off = (_name: string, listener: Listener) => {
    anyEvent.delete(listener);
    for (const listeners of routes) {
      for (const [key, one] of listeners) if (one === listener) listeners.delete(key);
    }
  };

  return {
    on,
    off,
    removeListener: off,
    request<T>(request: PartialMessage<FfiRequest>): T {
      const data = livekitFfiRequest(new FfiRequest(request).toBinary());
      const { case: kind, value } = FfiResponse.fromBinary(data).message;
      asked = value && "asyncId" in value ? value.asyncId : undefined;
      opened = kind === "newAudioStream" || kind === "newVideoStream" ? value.stream?.handle?.id : undefined;
      if (kind === "connect" && added) {
        anyEvent.delete(added);
        connecting.set(value.asyncId ?? 0n, added);
      }
      return value as T;
    },
    waitFor<T>(
      predicate: (event: FfiEvent) => boolean,
      { signal }: { signal?: AbortSignal } = {},
    ): Promise<T> {
      return new Promise((resolve, reject) => {
        const asyncId = asked;
        asked = undefined;
        if (signal?.aborted) return reject(signal.reason);
        const listener = (event: FfiEvent) => {
          if (!predicate(event)) return;
          stop();
          resolve(event.message.value as T);
        };
        const onAbort = () => {
          stop();
          reject(signal?.reason);
        };
        const stop = () => {
          if (asyncId === undefined) anyEvent.delete(listener);
          else byAnswer.delete(asyncId);
          signal?.removeEventListener("abort", onAbort);
        };
        signal?.addEventListener("abort", onAbort, { once: true });
        if (asyncId === undefined) anyEvent.add(listener);
        else byAnswer.set(asyncId, listener);
      });
    },
    copyBuffer: livekitCopyBuffer,
    retrievePtr: livekitRetrievePtr,
    getNextRequestAsyncId: () => ++lastAsyncId,
  };
}
