/** A real Chromium for tests, with a microphone that plays a recording, and a camera that plays a video. */
import type { Browser, Page } from "playwright-core";

export interface TestBrowser extends AsyncDisposable {
  /** A page of its own profile; `problems` collects what it complains of. */
  open(options?: PageOptions): Promise<{ readonly page: Page; readonly problems: string[] }>;
}

export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  readonly reducedMotion?: boolean;
}

const HOW = "set CHROMIUM_BIN, or put chromium, chromium-browser or google-chrome on PATH";
const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-ui-for-media-stream",
  "--use-fake-device-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
];

/**
 * Starts Chromium; its microphone plays `microphone` (a WAV file), its camera `camera` (Y4M), over and over. Returns undefined when there is none,
 * and says how to get it; throws then when `CI` is set.
 */
export async function startBrowser(
  { microphone, camera }: { readonly microphone?: string; readonly camera?: string } = {},
): Promise<TestBrowser | undefined> {
  const executablePath = await findBinary();
  if (!executablePath) {
    if (Deno.env.get("CI") === "true") throw new Error(`Chromium is missing: ${HOW}`);
    console.log(`skipped, Chromium is missing: ${HOW}`);
    return undefined;
  }
  // Or the driver looks for signs of Windows in /proc as it is loaded, which Deno allows only with --allow-all.
  Deno.env.set("__IS_WSL_TEST__", "1");
  const { chromium } = await import("playwright-core");
  const recordings = [
    ...microphone ? [`--use-file-for-fake-audio-capture=${microphone}`] : [],
    ...camera ? [`--use-file-for-fake-video-capture=${camera}`] : [],
  ];
  const browser: Browser = await chromium.launch({ executablePath, args: [...FLAGS, ...recordings] });
  return {
    async open({ width = 1280, height = 800, dark = false, reducedMotion = false } = {}) {
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme: dark ? "dark" : "light",
        reducedMotion: reducedMotion ? "reduce" : "no-preference",
        permissions: ["microphone", "camera"],
        deviceScaleFactor: width < 600 ? 2 : 1,
      });
      const page = await context.newPage();
      const problems: string[] = [];
      page.on("pageerror", (error) => problems.push(error.message));
      page.on("console", (message) => {
        if (message.type() === "error") problems.push(message.text());
      });
      return { page, problems };
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

/** A page with nothing but LiveKit's client on it, as `LivekitClient`. */
export async function openClient(
  browser: TestBrowser,
): Promise<AsyncDisposable & Awaited<ReturnType<TestBrowser["open"]>>> {
  const site = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () =>
      new Response("<!doctype html><title>Client</title><link rel=icon href=data:,>", {
        headers: { "content-type": "text/html" },
      }),
  );
  const opened = await browser.open();
  await opened.page.goto(`http://127.0.0.1:${site.addr.port}`);
  const module = import.meta.resolve("livekit-client");
  const client = module.replace(/livekit-client\.\w+\.\w+$/, "livekit-client.umd.js");
  await opened.page.addScriptTag({ path: new URL(client).pathname });
  return { ...opened, [Symbol.asyncDispose]: () => site.shutdown() };
}

async function findBinary(): Promise<string | undefined> {
  const named = Deno.env.get("CHROMIUM_BIN");
  if (named) return named;
  for (const folder of Deno.env.get("PATH")?.split(":") ?? []) {
    for (const name of NAMES) {
      try {
        if ((await Deno.stat(`${folder}/${name}`)).isFile) return `${folder}/${name}`;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) {
          throw error;
        }
      }
    }
  }
  return undefined;
}
