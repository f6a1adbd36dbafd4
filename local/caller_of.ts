// Finds out who a request speaks as, from its key (header or query) and its bearer token, the way the platform's gateway does.
import { errors, jwtVerify } from "jose";
import type { Caller } from "./caller.ts";
import { type Keys, secretBytes } from "./keys.ts";

export interface Credentials {
  /** What the key alone says; absent when there is no key or a wrong one. */
  key?: "anon" | "service_role";
  /** Set when a key was sent that this stack did not hand out. */
  wrongKey: boolean;
  /** The user's verified token. */
  token?: { text: string; claims: Record<string, unknown> };
  /** Whether the bearer is a valid JWT of this stack: a user's token or a legacy key. */
  hasJwt: boolean;
  /** Why the bearer token is no good. */
  tokenError?: "expired" | "invalid";
  caller: Caller;
}

const ROLES = new Set(["anon", "authenticated", "service_role"]);

export function credentialsReader(keys: Keys): (request: Request, url: URL) => Promise<Credentials> {
  const secret = secretBytes(keys.jwtSecret);
  const roles = new Map<string, "anon" | "service_role">([
    [keys.publishableKey, "anon"],
    [keys.anonKey, "anon"],
    [keys.secretKey, "service_role"],
    [keys.serviceRoleKey, "service_role"],
  ]);

  // A client sends the same token again and again until it expires.
  const verified = new Map<string, Record<string, unknown>>();
  async function verify(token: string): Promise<Record<string, unknown>> {
    const known = verified.get(token);
    if (known && Number(known.exp ?? Infinity) * 1000 > Date.now()) return known;
    const { payload } = await jwtVerify(token, secret, { algorithms: ["HS256"] });
    if (
      payload.aud !== undefined && payload.role === "authenticated" && ![payload.aud].flat().includes("authenticated")
    ) {
      throw new errors.JWTClaimValidationFailed("unexpected audience", payload, "aud");
    }
    // The Data API takes a role at its word; what signs in to it on the platform may take on these three alone.
    if (payload.role !== undefined && !ROLES.has(payload.role as string)) {
      throw new errors.JWTClaimValidationFailed("unexpected role", payload, "role");
    }
    if (verified.size > 1000) verified.clear();
    verified.set(token, payload);
    return payload;
  }

  return async (request, url) => {
    const sent = request.headers.get("apikey") ?? url.searchParams.get("apikey");
    const bearer = /^Bearer\s+(.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1]?.trim();
    // A key is also taken from the bearer's place; it is then no user's token.
    const bearerKey = bearer === undefined ? undefined : roles.get(bearer);
    const key = sent === null ? bearerKey : roles.get(sent);
    const credentials: Credentials = {
      key,
      wrongKey: sent !== null && key === undefined,
      hasJwt: bearer !== undefined && (bearer === keys.anonKey || bearer === keys.serviceRoleKey),
      caller: { role: key ?? "anon", claims: { role: key ?? "anon" } },
    };
    if (bearer === undefined) return credentials;
    if (bearerKey !== undefined) {
      // A secret key beside a publishable one speaks for the bearer, as on the platform.
      return { ...credentials, caller: { role: bearerKey, claims: { role: bearerKey } } };
    }
    try {
      const claims = await verify(bearer);
      const role = (claims.role ?? "anon") as Caller["role"];
      return { ...credentials, hasJwt: true, token: { text: bearer, claims }, caller: { role, claims } };
    } catch (thrown) {
      return { ...credentials, tokenError: thrown instanceof errors.JWTExpired ? "expired" : "invalid" };
    }
  };
}
