// Signed URLs: HS256 tokens bound to one object, one direction (download or upload) and one expiry.
import { jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import { invalidSignature, invalidToken } from "./errors.ts";

const payloadSchema = z.object({
  /** `<bucket>/<object name>`. */
  url: z.string(),
  /** Keeps a download link from being used to upload. */
  scope: z.enum(["download", "upload"]),
  owner: z.string().optional(),
  upsert: z.boolean().optional(),
  /** Of a link to an image: what it is made into. */
  transform: z.looseObject({}).optional(),
  exp: z.number(),
});
type Payload = z.infer<typeof payloadSchema>;

export class Tokens {
  readonly #key: Uint8Array;

  constructor(secret: string) {
    this.#key = new TextEncoder().encode(secret);
  }

  sign(payload: Omit<Payload, "exp">, expiresInSeconds: number): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT(payload)
      .setProtectedHeader({ alg: "HS256" })
      .setIssuedAt(now)
      .setExpirationTime(now + expiresInSeconds)
      .sign(this.#key);
  }

  /** Throws InvalidJWT for an expired or forged token, InvalidSignature for one that is for something else. */
  async verify(token: string, scope: Payload["scope"], url: string): Promise<Payload> {
    let claims: unknown;
    try {
      claims = (await jwtVerify(token, this.#key, { algorithms: ["HS256"] })).payload;
    } catch (cause) {
      throw invalidToken(cause instanceof Error ? cause.message : "Invalid JWT");
    }
    const payload = payloadSchema.safeParse(claims);
    if (!payload.success || payload.data.scope !== scope || payload.data.url !== url) throw invalidSignature();
    return payload.data;
  }
}
