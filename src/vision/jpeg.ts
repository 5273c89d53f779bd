/** Frames of a video as JPEG files of a bounded size, which models take, and back. */
import { messageOf, StageError } from "../errors.ts";
import type { ImagePart } from "../llm/llm.ts";
import type { VideoFrame } from "../room/room.ts";

const quality = 80;
/** A file of more pixels is not taken apart: a small one can hold very many. */
const mostPixels = 2_048 * 2_048;

/**
 * `frame`, upright, neither side longer than `longestSide` pixels. The work is done in native threads
 * (https://sharp.pixelplumbing.com), which are loaded with the first picture. Rejects with a StageError of stage "room" when
 * the frame is no picture.
 */
export async function jpegOf(
  { rgb, width, height, rotation }: VideoFrame,
  { longestSide }: { readonly longestSide: number },
): Promise<ImagePart> {
  const { default: sharp } = await import("sharp");
  try {
    const file = await sharp(rgb, { raw: { width, height, channels: 3 } })
      .rotate(rotation)
      .resize({ width: longestSide, height: longestSide, fit: "inside", withoutEnlargement: true })
      .jpeg({ quality })
      .toBuffer();
    return { type: "image", mimeType: "image/jpeg", data: file.toString("base64") };
  } catch (error) {
    throw new StageError("room", `a frame of the video is no picture: ${messageOf(error)}`, { cause: error });
  }
}

/** The pixels of a JPEG file, upright. Rejects with a StageError of stage "room" when it is none, or of over 4 megapixels. */
export async function pixelsOf(file: Uint8Array): Promise<VideoFrame> {
  const { default: sharp } = await import("sharp");
  try {
    const { data, info } = await sharp(file, { limitInputPixels: mostPixels })
      .rotate().toColourspace("srgb").removeAlpha().raw().toBuffer({ resolveWithObject: true });
    return { rgb: data, width: info.width, height: info.height, rotation: 0 };
  } catch (error) {
    throw new StageError("room", `what the camera took is no picture: ${messageOf(error)}`, { cause: error });
  }
}
