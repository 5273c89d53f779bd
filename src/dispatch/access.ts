/** LiveKit access tokens: https://docs.livekit.io/home/get-started/authentication/ */
import { AccessToken, type VideoGrant } from "livekit-server-sdk";
import type { LiveKitConfig } from "../config.ts";

export interface TokenRequest {
  /** Whom the token is for. */
  readonly identity: string;
  /** Until when it may be used to join or ask with; whoever is in a room then stays. */
  readonly ttlSeconds: number;
  readonly grant: VideoGrant;
}

/** A token signed with the configuration's key pair. */
export function signToken(
  { apiKey, apiSecret }: LiveKitConfig,
  { identity, ttlSeconds, grant }: TokenRequest,
): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, { identity, ttl: ttlSeconds });
  token.addGrant(grant);
  return token.toJwt();
}
