// Who a token speaks for: an API key of this stack or a JWT that it signed.
import { decodeJwt, errors, jwtVerify } from "jose";
import type { Caller } from "../caller.ts";
import { type Keys, secretBytes } from "../keys.ts";

/** Why a join or a connection is refused; `code: message` is how clients are told. */
export class Refusal extends Error {
  constructor(readonly code: string, message: string) {
    super(message);
  }
  get reason(): string {
    return `${this.code}: ${this.message}`;
  }
}

export interface Token {
  text: string;
  caller: Caller;
  /** Seconds since 1970; a key does not expire. */
  expiresAt?: number;
}

const ROLES = new Set<string>(["anon", "authenticated", "service_role"]);
const roleOnly = (role: Caller["role"]): Caller => ({ role, claims: { role } });

/** Reads a token. Throws Refusal for one that is not good. */
export function tokenReader(keys: Keys): (text: string) => Promise<Token> {
  const secret = secretBytes(keys.jwtSecret);
  return async (text) => {
    if (text === keys.publishableKey) return { text, caller: roleOnly("anon") };
    if (text === keys.secretKey) return { text, caller: roleOnly("service_role") };
    try {
      const { payload } = await jwtVerify(text, secret, { algorithms: ["HS256"] });
      if (typeof payload.role !== "string" || payload.exp === undefined) {
        throw new Refusal("MalformedJWT", "Fields `role` and `exp` are required in JWT");
      }
      const role = ROLES.has(payload.role) ? payload.role as Caller["role"] : "anon";
      return { text, caller: { role, claims: payload }, expiresAt: payload.exp };
    } catch (thrown) {
      throw thrown instanceof Refusal ? thrown : explain(thrown, text);
    }
  };
}

function explain(thrown: unknown, text: string): Refusal {
  if (thrown instanceof errors.JWTExpired) return expired(decodeJwt(text).exp ?? 0);
  if (thrown instanceof errors.JWSSignatureVerificationFailed) {
    return new Refusal("JwtSignatureError", "Failed to validate JWT signature");
  }
  return new Refusal("MalformedJWT", "The token provided is not a valid JWT");
}

export function expired(expiresAt: number): Refusal {
  const seconds = Math.max(0, Math.floor(Date.now() / 1000 - expiresAt));
  return new Refusal("InvalidJWTToken", `Token has expired ${seconds} seconds ago`);
}
