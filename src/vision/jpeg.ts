/** Frames of a video as models take them: JPEG of a bounded size. */
import { messageOf, StageError } from "../errors.ts";
import type { ImagePart } from "../llm/llm.ts";
import type { VideoFrame } from "../room/room.ts";

const quality = 80;

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
