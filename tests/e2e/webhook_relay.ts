/** What stands between LiveKit and the server: webhooks pass through it, or wait in it to be sent as a test likes. */

/** A webhook as it came. */
export interface RelayedWebhook {
  readonly event: string;
  readonly room: string | undefined;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly authorization: string;
}

export interface WebhookRelay extends AsyncDisposable {
  /** Where LiveKit is to send them. */
  readonly url: string;
  /** The server they are passed on to, once there is one. */
  target: string | undefined;
  /** Whether they wait: LiveKit is answered 200, as it would be. */
  holding: boolean;
  /** All that came, in order. */
  readonly webhooks: readonly RelayedWebhook[];
  /** The status of each answer of the server's. */
  readonly answers: readonly number[];
  /** Sends one to the server; its answer's status. */
  send(webhook: RelayedWebhook): Promise<number>;
}

export function startWebhookRelay(): WebhookRelay {
  const webhooks: RelayedWebhook[] = [];
  const answers: number[] = [];
  const send = async ({ body, authorization }: RelayedWebhook) => {
    const headers = { authorization, "content-type": "application/webhook+json" };
    const response = await fetch(`${relay.target}/webhooks/livekit`, { method: "POST", body, headers });
    await response.body?.cancel();
    answers.push(response.status);
    return response.status;
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const body = new Uint8Array(await request.arrayBuffer());
    const { event, room } = JSON.parse(new TextDecoder().decode(body));
    const webhook = {
      event,
      room: room?.name,
      body,
      authorization: request.headers.get("authorization") ?? "",
    };
    webhooks.push(webhook);
    const status = relay.holding || relay.target === undefined ? 200 : await send(webhook);
    return new Response(null, { status });
  });
  const relay: WebhookRelay = {
    url: `http://127.0.0.1:${server.addr.port}`,
    target: undefined,
    holding: false,
    webhooks,
    answers,
    send,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
  return relay;
}
