import type { RemoteVideoTrack } from "@livekit/rtc-node";
import {
  type FfiEvent,
  FfiHandle,
  type NewVideoStreamResponse,
  type OwnedVideoBuffer,
  VideoBufferType,
  type VideoConvertResponse,
  VideoRotation,
  VideoStreamType,
} from "@livekit/rtc-ffi-bindings";
import { StageError } from "../../errors.ts";
import type { VideoFrame } from "../room.ts";
import { EVENT, type FfiClient, letGo } from "./ffi.ts";

/** The newest frame of a track. Disposing of it ends it. */
export interface LatestFrame extends Disposable {
  /** Settles when there is a frame, or there will be none. */
  readonly ready: Promise<void>;
  /** The newest frame, if there is one. Throws a StageError of stage "room" when it cannot be converted. */
  read(): VideoFrame | undefined;
}

/** What has come last, in the native client's memory. */
interface Kept {
  readonly buffer: OwnedVideoBuffer;
  readonly rotation: (typeof degrees)[VideoRotation];
}

const degrees = {
  [VideoRotation.VIDEO_ROTATION_0]: 0,
  [VideoRotation.VIDEO_ROTATION_90]: 90,
  [VideoRotation.VIDEO_ROTATION_180]: 180,
  [VideoRotation.VIDEO_ROTATION_270]: 270,
} as const;
const bytesPerPixel = 3;

/**
 * Keeps the newest frame of `track`. rtc-node's own VideoStream copies every frame and queues them without bound
 * (https://github.com/livekit/node-sdks, packages/livekit-rtc/src/video_stream.ts); here the frames stay in the native
 * client, and one is converted and copied when it is read.
 */
export function keepLatest(track: RemoteVideoTrack, client: FfiClient): LatestFrame {
  const { stream } = client.request<NewVideoStreamResponse>({
    message: {
      case: "newVideoStream",
      value: { trackHandle: track.ffi_handle.handle, type: VideoStreamType.VIDEO_STREAM_NATIVE },
    },
  });
  const handle = new FfiHandle(stream?.handle?.id ?? 0n);
  const ready = Promise.withResolvers<void>();
  let latest: Kept | undefined;
  let over = false;

  const keep = (next: Kept | undefined) => {
    letGo(latest?.buffer.handle);
    latest = next;
  };
  const end = () => {
    if (over) return;
    over = true;
    client.off(EVENT, onEvent);
    handle.dispose();
    keep(undefined);
    ready.resolve();
  };
  const onEvent = ({ message: { case: kind, value } }: FfiEvent) => {
    if (kind !== "videoStreamEvent") return;
    if (value.message.case === "eos") return end();
    const { buffer, rotation = VideoRotation.VIDEO_ROTATION_0 } = value.message.value ?? {};
    if (!buffer) return;
    keep({ buffer, rotation: degrees[rotation] });
    ready.resolve();
  };
  client.on(EVENT, onEvent);

  return {
    ready: ready.promise,
    read: () => latest && { ...pixelsOf(latest.buffer, client), rotation: latest.rotation },
    [Symbol.dispose]: end,
  };
}

/** `buffer` as pixels in our own memory. */
function pixelsOf({ info }: OwnedVideoBuffer, client: FfiClient) {
  const { message: { case: kind, value } } = client.request<VideoConvertResponse>({
    message: {
      case: "videoConvert",
      value: { ...(info && { buffer: info }), dstType: VideoBufferType.RGB24 },
    },
  });
  if (kind !== "buffer") {
    throw new StageError("room", `LiveKit: a video's frame could not be converted: ${value ?? "no answer"}`);
  }
  const { width = 0, height = 0, dataPtr = 0n } = value.info ?? {};
  try {
    const rgb = client.copyBuffer(dataPtr, width * height * bytesPerPixel);
    return { rgb, width, height };
  } finally {
    letGo(value.handle);
  }
}
