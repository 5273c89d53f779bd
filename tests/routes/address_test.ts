import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { networkOf } from "../../routes/address.ts";
import { setUpPage } from "../fakes/page_app.ts";

const livekit = { url: "ws://127.0.0.1:1", apiKey: "key", apiSecret: "a-secret-of-at-least-32-characters" };
const header = "Fly-Client-IP";

/** How many of 21 requests without a token pass the limit of 20 when they are made so. */
async function passed(
  request: (n: number) => { readonly peer?: string; readonly headers?: Record<string, string> },
  clientAddressHeader?: string,
): Promise<number> {
  const { app } = setUpPage({ livekit, clientAddressHeader });
  let count = 0;
  for (let n = 0; n < 21; n++) {
    const { peer = "10.0.0.1", headers = {} } = request(n);
    const response = await app.request("/dispatch", { method: "POST", headers }, {
      remoteAddr: { hostname: peer },
    });
    if (response.status === 429) assertEquals(response.headers.get("retry-after"), "1");
    else count++;
  }
  return count;
}

describe("limits per address", () => {
  it("count by the connection's own", async () => {
    assertEquals(await passed(() => ({})), 20);
    assertEquals(await passed((n) => ({ peer: `10.0.0.${n}` })), 21);
  });

  it("believe no header unless one is named: any client can write it", async () => {
    assertEquals(
      await passed((n) => ({ headers: { [header]: `10.0.0.${n}`, "x-forwarded-for": `10.0.0.${n}` } })),
      20,
    );
  });

  it("count by what the proxy says, behind one that is named", async () => {
    assertEquals(await passed((n) => ({ headers: { [header]: `10.0.0.${n}` } }), header), 21);
    assertEquals(
      await passed((n) => ({ peer: `10.0.0.${n}`, headers: { [header]: "1.2.3.4" } }), header),
      20,
    );
  });

  it("believe of a list the last alone, which the proxy itself wrote", async () => {
    const list = (n: number) => ({ headers: { "x-forwarded-for": `9.9.9.${n}, 1.2.3.4` } });
    assertEquals(await passed(list, "X-Forwarded-For"), 20);
  });

  it("count by the connection's when the proxy says nothing sensible", async () => {
    assertEquals(await passed((n) => ({ headers: { [header]: `caller ${n}` } }), header), 20);
    assertEquals(await passed((n) => ({ peer: `10.0.0.${n}` }), header), 21);
  });
});

describe("networkOf", () => {
  for (
    const [address, network] of [
      ["1.2.3.4", "1.2.3.4"],
      ["::ffff:1.2.3.4", "1.2.3.4"],
      ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
      ["2001:0DB8:0001:0002::1", "2001:db8:1:2::/64"],
      ["2001:db8::1", "2001:db8:0:0::/64"],
      ["fe80::1%eth0", "fe80:0:0:0::/64"],
      ["::1", "0:0:0:0::/64"],
      ["2001:db8:1:2::", "2001:db8:1:2::/64"],
      ["unknown", "unknown"],
    ] as const
  ) {
    it(`of ${address} is ${network}`, () => assertEquals(networkOf(address), network));
  }
});
