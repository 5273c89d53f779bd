/**
 * OpenAI's /v1/audio/speech and /v1/audio/transcriptions on 127.0.0.1, with faults on demand.
 * https://github.com/openai/openai-openapi
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Clock, systemClock } from "../../src/clock.ts";
import { readWav, type WavAudio } from "../../src/audio/wav.ts";

/** What a request meets in place of what it asked for. */
export type AudioFault =
  /** An answer with this status and OpenAI's kind of error; a 401 shows some of the key, as OpenAI's does. */
  | { readonly type: "status"; readonly status: number; readonly retryAfter?: number }
  /** The connection is hung up at once. */
  | { readonly type: "refuse" }
  /** Headers, and then nothing. */
  | { readonly type: "headers-only" }
  /** No answer. */
  | { readonly type: "hang" }
  /** The connection is cut inside the answer. */
  | { readonly type: "die" }
  /** Nothing more comes inside the answer. */
  | { readonly type: "stall" }
  /** A piece of the answer every so many milliseconds of the clock. */
  | { readonly type: "slow"; readonly pieceMs: number }
  /** `data` as it stands, as an event inside the transcript. */
  | { readonly type: "malformed"; readonly data: string }
  /** Reads nothing of the request for so many milliseconds of the clock, and then goes on. */
  | { readonly type: "slow-reader"; readonly ms: number }
  /** The answer ends before it is whole, as if it were. */
  | { readonly type: "short" };

/** One request as the server saw it. */
export interface AudioRequest {
  readonly path: string;
  /** Its parameters, but for the file. */
  readonly body: Readonly<Record<string, unknown>>;
  /** What was to be transcribed. */
  readonly file?: WavAudio & { readonly name: string };
  /** Settles when the connection is free again: with whether the answer was taken whole. */
  readonly answered: Promise<boolean>;
}

export interface OpenAIAudioOptions {
  /** The key it takes (default "test-key"). */
  readonly apiKey?: string;
  /** What is spoken: 24 kHz mono (default: 10 ms a character, each sample the length of the text). */
  readonly voice?: (input: string) => Int16Array<ArrayBuffer>;
  /** The bytes of each piece of speech, again and again (default: 333, 4096, 1). */
  readonly pieces?: readonly number[];
  /** Each event of a transcript comes whole (default: in pieces of 61 and 8 bytes). */
  readonly wholeEvents?: boolean;
  /** What the recording says (default "Hello there."). */
  readonly hears?: (recording: WavAudio) => string;
  /** What goes wrong with the `n`th request, counted from 0. */
  readonly fault?: (n: number) => AudioFault | undefined;
  readonly clock?: Clock;
}

export interface OpenAIAudioEmulator extends AsyncDisposable {
  /** The base URL to give a client: http://127.0.0.1:port/v1. */
  readonly url: string;
  /** Every request that came, in order. */
  readonly requests: readonly AudioRequest[];
  /** How many connections were made by now. */
  readonly connections: number;
  /** How many requests are being answered. */
  readonly open: number;
  /** Settles when there are `count` requests. */
  came(count: number): Promise<void>;
}

const tone = (input: string) => new Int16Array(input.length * 240).fill(input.length);

/** Starts one; disposing it ends its connections. */
export async function startOpenAIAudio(options: OpenAIAudioOptions = {}): Promise<OpenAIAudioEmulator> {
  const { apiKey = "test-key", voice = tone, pieces = [333, 4_096, 1], hears = () => "Hello there.", fault } =
    options;
  const { clock = systemClock, wholeEvents = false } = options;
  const requests: AudioRequest[] = [];
  const open = new Set<ServerResponse>();
  let came = 0;
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  const answer = async (message: IncomingMessage, response: ServerResponse) => {
    open.add(response);
    const answered = new Promise<boolean>((resolve) => {
      response.on("close", () => {
        open.delete(response);
        resolve(response.writableFinished);
      });
    });
    const wrong = fault?.(came++);
    if (wrong?.type === "slow-reader") await Promise.race([clock.sleep(wrong.ms), answered]);
    const request: AudioRequest = { ...await read(message), answered };
    requests.push(request);
    for (const { count, resolve } of waiting) if (requests.length >= count) resolve();
    if (wrong?.type === "hang") return;
    if (wrong?.type === "refuse") return void response.destroy();
    if (wrong?.type === "headers-only") return void response.writeHead(200).flushHeaders();
    const { path } = request;
    if (wrong?.type === "status" && wrong.retryAfter !== undefined) {
      response.setHeader("retry-after", wrong.retryAfter);
    }
    if (wrong?.type === "status") refuse(response, wrong.status);
    else if (message.headers.authorization !== `Bearer ${apiKey}`) refuse(response, 401);
    else if (path === "/v1/audio/speech") await speak(request, response, voice, pieces, { wrong, clock });
    else if (path === "/v1/audio/transcriptions") {
      await transcribe(request, response, hears, wholeEvents, { wrong, clock });
    } else refuse(response, 404);
  };

  let connections = 0;
  const server = createServer((message, response) => {
    if (message.method !== "POST") return refuse(response, 404);
    // Who hangs up before the request is complete gets no answer.
    answer(message, response).catch((error) =>
      error.code === "ECONNRESET" ? undefined : Promise.reject(error)
    );
  });
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    get connections() {
      return connections;
    },
    get open() {
      return open.size;
    },
    came: (count) =>
      new Promise((resolve) => requests.length >= count ? resolve() : void waiting.push({ count, resolve })),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function read(message: IncomingMessage): Promise<Omit<AudioRequest, "answered">> {
  const path = message.url ?? "";
  const bytes = new Uint8Array(await new Response(ReadableStream.from(message)).arrayBuffer());
  const type = message.headers["content-type"] ?? "";
  if (!type.startsWith("multipart/")) return { path, body: JSON.parse(new TextDecoder().decode(bytes)) };
  const form = await new Response(bytes, { headers: { "content-type": type } }).formData();
  const file = form.get("file");
  form.delete("file");
  const body = Object.fromEntries(form);
  if (!(file instanceof File)) return { path, body };
  const wav = readWav(new Uint8Array(await file.arrayBuffer()));
  return { path, body, file: { ...wav, name: file.name } };
}

function refuse(response: ServerResponse, status: number): void {
  const message = status === 401 ? "Incorrect API key provided: test-***key." : `The server said ${status}.`;
  response.writeHead(status, { "content-type": "application/json" })
    .end(JSON.stringify({ error: { message, type: "test", param: null, code: null } }));
}

async function speak(
  { body: { model, voice, input, response_format: format } }: AudioRequest,
  response: ServerResponse,
  voiced: (input: string) => Int16Array<ArrayBuffer>,
  pieces: readonly number[],
  trouble: Trouble,
): Promise<void> {
  if (typeof input !== "string" || input.length === 0 || input.length > 4_096) return refuse(response, 400);
  if (typeof model !== "string" || typeof voice !== "string" || format !== "pcm") {
    return refuse(response, 400);
  }
  response.writeHead(200, { "content-type": "audio/pcm" });
  await send(response, new Uint8Array(voiced(input).buffer), pieces, trouble);
}

async function transcribe(
  { body, file }: AudioRequest,
  response: ServerResponse,
  hears: (recording: WavAudio) => string,
  wholeEvents: boolean,
  trouble: Trouble,
): Promise<void> {
  if (!file || typeof body.model !== "string") return refuse(response, 400);
  if (file.samples.length < file.sampleRate / 10) return refuse(response, 400);
  const text = hears(file);
  const encode = (content: string) => new TextEncoder().encode(content);
  if (body.stream !== "true" || body.model === "whisper-1") {
    response.writeHead(200, { "content-type": "application/json" });
    return await send(response, encode(JSON.stringify({ text })), [7], trouble);
  }
  const deltas = text.match(/\S+\s*/g) ?? [];
  const events = [
    ...deltas.map((delta) => ({ type: "transcript.text.delta", delta })),
    ...(isCut(trouble) ? [] : [{ type: "transcript.text.done", text }]),
  ];
  response.writeHead(200, { "content-type": "text/event-stream" });
  const lines = events.map((event) => `data: ${JSON.stringify(event)}\n\n`);
  const sizes = wholeEvents || trouble.wrong?.type === "slow" ? lines.map(({ length }) => length) : [61, 8];
  await send(response, encode(lines.join("")), sizes, trouble);
}

interface Trouble {
  readonly wrong: AudioFault | undefined;
  readonly clock: Clock;
}

const isCut = ({ wrong }: Trouble) => wrong !== undefined && !wrong.type.startsWith("slow");

/** Sends `bytes` in pieces of `sizes`; only half of them when something goes wrong. */
async function send(
  response: ServerResponse,
  bytes: Uint8Array,
  sizes: readonly number[],
  trouble: Trouble,
): Promise<void> {
  const { wrong, clock } = trouble;
  const end = isCut(trouble) ? Math.floor(bytes.length / 2) : bytes.length;
  for (let at = 0, n = 0; at < end && !response.destroyed; n++) {
    const size = Math.min(sizes[n % sizes.length] ?? 1, end - at);
    await new Promise((sent) => response.write(bytes.subarray(at, at + size), sent));
    if (wrong?.type === "slow") await clock.sleep(wrong.pieceMs);
    at += size;
  }
  if (wrong?.type === "stall") return;
  if (wrong?.type === "malformed") response.write(`\n\ndata: ${wrong.data}\n\n`);
  if (wrong?.type === "die") response.destroy();
  else response.end();
}
