// Tokens that leave in a link only: 256 random bits; the database gets their sha256.

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The sha256 that the database knows a token by, in hexadecimal. */
export async function hashToken(token: string): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token))));
}

/** A new token and its hash. */
export async function createToken(): Promise<{ token: string; tokenSha256: string }> {
  const token = hex(crypto.getRandomValues(new Uint8Array(32)));
  return { token, tokenSha256: await hashToken(token) };
}
