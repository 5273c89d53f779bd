import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import sharp from "sharp";
import type { ImagePart } from "../../src/llm/llm.ts";
import type { VideoFrame } from "../../src/room/room.ts";
import { jpegOf, pixelsOf } from "../../src/vision/jpeg.ts";

/** A picture whose left half is red, and whose right half is blue. */
function halves(width: number, height: number): VideoFrame {
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    rgb.set(i % width < width / 2 ? [250, 10, 10] : [10, 10, 250], i * 3);
  }
  return { rgb, width, height, rotation: 0 };
}

/** Size and colours of a picture: where red is, and where blue is. */
async function seen({ mimeType, data }: ImagePart) {
  assertEquals(mimeType, "image/jpeg");
  const file = Uint8Array.fromBase64(data);
  const { data: pixels, info: { width, height, channels } } = await sharp(file).raw()
    .toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number) => {
    const [r = 0, g = 255, b = 0] = pixels.subarray((y * width + x) * channels);
    if (g > 60) return "neither";
    return r > 200 && b < 60 ? "red" : b > 200 && r < 60 ? "blue" : "neither";
  };
  const [x, y] = [Math.floor(width / 8), Math.floor(height / 8)];
  return {
    width,
    height,
    corners: [at(x, y), at(width - x, y), at(x, height - y), at(width - x, height - y)],
  };
}

describe("jpegOf", () => {
  const upright = ["red", "blue", "red", "blue"];
  const sizes: [width: number, height: number, longestSide: number, size: [number, number]][] = [
    [640, 360, 1_024, [640, 360]],
    [1_280, 720, 1_024, [1_024, 576]],
    [720, 1_280, 512, [288, 512]],
    [33, 17, 16, [16, 8]],
  ];
  for (const [width, height, longestSide, size] of sizes) {
    it(`brings ${width} × ${height} into ${longestSide} as ${size.join(" × ")}`, async () => {
      const picture = await seen(await jpegOf(halves(width, height), { longestSide }));
      assertEquals([picture.width, picture.height, picture.corners], [...size, upright]);
    });
  }

  const turned: [rotation: 0 | 90 | 180 | 270, corners: string[]][] = [
    [0, upright],
    [90, ["red", "red", "blue", "blue"]],
    [180, ["blue", "red", "blue", "red"]],
    [270, ["blue", "blue", "red", "red"]],
  ];
  for (const [rotation, corners] of turned) {
    it(`turns a frame clockwise by ${rotation} degrees`, async () => {
      const picture = await seen(await jpegOf({ ...halves(160, 80), rotation }, { longestSide: 1_024 }));
      const size = rotation % 180 === 0 ? [160, 80] : [80, 160];
      assertEquals([picture.width, picture.height, picture.corners], [...size, corners]);
    });
  }

  it("says so when it is no picture", async () => {
    await assertRejects(
      () => jpegOf({ ...halves(8, 8), width: 16 }, { longestSide: 100 }),
      /a frame of the video is no picture: /,
    );
  });
});

describe("pixelsOf", () => {
  const longestSide = 1_024;
  const file = async (picture: ReturnType<typeof sharp>) => new Uint8Array(await picture.toBuffer());

  it("is what a JPEG file shows", async () => {
    const { data } = await jpegOf(halves(640, 360), { longestSide });
    const frame = await pixelsOf(Uint8Array.fromBase64(data));
    assertEquals([frame.width, frame.height, frame.rgb.length, frame.rotation], [640, 360, 640 * 360 * 3, 0]);
    assertEquals((await seen(await jpegOf(frame, { longestSide }))).corners, ["red", "blue", "red", "blue"]);
  });

  it("has three channels where the file has one", async () => {
    const grey = sharp(new Uint8Array(64), { raw: { width: 8, height: 8, channels: 1 } });
    assertEquals((await pixelsOf(await file(grey.toColourspace("b-w").jpeg()))).rgb.length, 8 * 8 * 3);
  });

  it("refuses what is no picture, and one of very many pixels", async () => {
    const create = { width: 4_000, height: 4_000, channels: 3, background: "black" } as const;
    for (const bad of [new Uint8Array([255, 216, 255, 0]), await file(sharp({ create }).jpeg())]) {
      await assertRejects(() => pixelsOf(bad), /what the camera took is no picture/);
    }
  });
});
