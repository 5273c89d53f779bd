/** The user's camera: off until they turn it on, and then shown to them, too. */

/** What a picture may have, in characters of base64: the server's MAX_PICTURE_CHARACTERS. */
const MAX_CHARACTERS = 64_000;
/** Ways to make a picture, the best first; longest side in pixels. */
const TRIES = [
  { side: 1_024, quality: 0.8 },
  { side: 1_024, quality: 0.6 },
  { side: 768, quality: 0.6 },
  { side: 512, quality: 0.5 },
];

/** `preview`: the video element that shows the user what the agent can see. `onChange` is told when it is on or off. */
export function createCamera({ preview, onChange }) {
  let stream;
  /** Counts what was asked for, so that a permission that comes too late opens nothing. */
  let wish = 0;

  const stop = () => {
    wish++;
    if (!stream) return;
    for (const track of stream.getTracks()) track.stop();
    stream = undefined;
    preview.srcObject = null;
    onChange(undefined);
  };
  return {
    get on() {
      return stream !== undefined;
    },
    /** Asks the user's permission; rejects as `getUserMedia` does. */
    async start() {
      const own = ++wish;
      const video = { width: { ideal: 1_280 }, height: { ideal: 720 } };
      const opened = await navigator.mediaDevices.getUserMedia({ video });
      const [track] = opened.getVideoTracks();
      if (own !== wish) return track.stop();
      stream = opened;
      track.addEventListener("ended", stop, { once: true }); // unplugged
      preview.srcObject = stream;
      onChange(track);
    },
    stop,
    /** What it shows now, as a JPEG file in base64; undefined while it is off. */
    async picture() {
      if (!stream || !preview.videoWidth) return undefined;
      for (const way of TRIES) {
        const file = await jpegOf(preview, way);
        if (file.length <= MAX_CHARACTERS) return file;
      }
    },
  };
}

async function jpegOf(video, { side, quality }) {
  const { videoWidth, videoHeight } = video;
  const scale = Math.min(1, side / Math.max(videoWidth, videoHeight));
  const canvas = new OffscreenCanvas(Math.round(videoWidth * scale), Math.round(videoHeight * scale));
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality });
  const url = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result), { once: true });
    reader.addEventListener("error", () => reject(reader.error), { once: true });
    reader.readAsDataURL(blob);
  });
  return url.slice(url.indexOf(",") + 1);
}
