/** Cameras that show one colour: in a LiveKit room, and Chromium's. */
import {
  LocalVideoTrack,
  type Room,
  TrackPublishOptions,
  TrackSource,
  VideoBufferType,
  VideoFrame,
  VideoSource,
} from "@livekit/rtc-node";
import { installFfiClient } from "../../src/room/livekit/ffi.ts";
import { fakeLog } from "../fakes/log.ts";
import type { Colour } from "../fixtures/pictures.ts";

export interface Camera extends AsyncDisposable {
  /** What is shown from now on. */
  colour: Colour;
  /** How many frames were shown. */
  readonly frames: number;
  /** Turns it off and on, as a client's button does. */
  mute(muted: boolean): void;
}

/** Publishes one in `room`, `fps` frames a second. */
export async function publishCamera(
  room: Room,
  { source = "camera", colour, width = 640, height = 360, fps = 15 }: {
    readonly source?: "camera" | "screen";
    readonly colour: Colour;
    readonly width?: number;
    readonly height?: number;
    readonly fps?: number;
  },
): Promise<Camera> {
  const video = new VideoSource(width, height);
  const track = LocalVideoTrack.createVideoTrack(source, video);
  let frames = 0;
  const camera = { colour };
  const show = () => {
    const rgba = new Uint8Array(width * height * 4);
    new Uint32Array(rgba.buffer).fill(
      camera.colour.reduce((sum, value, i) => sum | value << 8 * i, 0xff000000),
    );
    video.captureFrame(new VideoFrame(rgba, width, height, VideoBufferType.RGBA));
    frames++;
  };
  const timer = setInterval(show, 1_000 / fps);
  const publication = await room.localParticipant?.publishTrack(
    track,
    new TrackPublishOptions({
      source: source === "camera" ? TrackSource.SOURCE_CAMERA : TrackSource.SOURCE_SCREENSHARE,
      simulcast: false,
    }),
  );
  return {
    get colour() {
      return camera.colour;
    },
    set colour(next) {
      camera.colour = next;
    },
    get frames() {
      return frames;
    },
    mute(mute) {
      const trackHandle = track.ffi_handle.handle;
      installFfiClient(fakeLog()).request({
        message: { case: "localTrackMute", value: { trackHandle, mute } },
      });
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      if (room.isConnected && publication?.sid) await room.localParticipant?.unpublishTrack(publication.sid);
      await video.close();
    },
  };
}

/** What Chromium's camera is to show: 640 × 480 of blue, as Y4M (https://wiki.multimedia.cx/index.php/YUV4MPEG2). */
export async function blueVideo(): Promise<AsyncDisposable & { readonly file: string }> {
  const file = await Deno.makeTempFile({ suffix: ".y4m" });
  await Deno.writeFile(file, y4m(640, 480, [50, 211, 111]));
  return { file, [Symbol.asyncDispose]: () => Deno.remove(file) };
}

function y4m(width: number, height: number, [y, u, v]: readonly [number, number, number]): Uint8Array {
  const text = (line: string) => new TextEncoder().encode(line);
  const plane = (size: number, value: number) => new Uint8Array(size).fill(value);
  const chroma = width * height / 4;
  const frame = [text("FRAME\n"), plane(width * height, y), plane(chroma, u), plane(chroma, v)];
  const parts = [text(`YUV4MPEG2 W${width} H${height} F20:1 Ip A1:1 C420jpeg\n`), ...frame, ...frame];
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
