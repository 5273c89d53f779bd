/** Stands between a store and its Redis, and loses an answer when it is told to. */

export interface RedisProxy extends AsyncDisposable {
  /** As that of the Redis behind it. */
  readonly url: string;
  /** Loses the answer to the next question with `text` in it, and whatever else comes on that connection. */
  loseAnswerTo(text: string): void;
  /** How many answers were lost. */
  readonly lost: number;
}

export function startRedisProxy(redisUrl: string): RedisProxy {
  const behind = new URL(redisUrl);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const carried: Promise<unknown>[] = [];
  let wanted: string | undefined;
  let lost = 0;

  const carry = async (client: Deno.TcpConn): Promise<void> => {
    const redis = await Deno.connect({ hostname: behind.hostname, port: Number(behind.port) });
    let silent = false;
    const asks = new TransformStream<Uint8Array, Uint8Array>({
      transform(bytes, controller) {
        if (wanted !== undefined && new TextDecoder().decode(bytes).includes(wanted)) {
          wanted = undefined;
          silent = true;
          lost++;
        }
        controller.enqueue(bytes);
      },
    });
    const answers = new TransformStream<Uint8Array, Uint8Array>({
      transform: (bytes, controller) => silent ? undefined : controller.enqueue(bytes),
    });
    // Either side may break off: the other is told by the end of its stream.
    await Promise.allSettled([
      client.readable.pipeThrough(asks).pipeTo(redis.writable),
      redis.readable.pipeThrough(answers).pipeTo(client.writable),
    ]);
  };
  const accept = async () => {
    for await (const client of listener) carried.push(carry(client));
  };
  const accepting = accept();

  const url = new URL(redisUrl);
  url.host = `127.0.0.1:${listener.addr.port}`;
  return {
    url: url.href,
    loseAnswerTo: (text) => void (wanted = text),
    get lost() {
      return lost;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      await Promise.all(carried);
    },
  };
}
