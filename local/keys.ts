// Keys and secrets of a stack: made once per state directory, kept there, and the tokens signed with them.
import { SignJWT } from "jose";
import { join } from "node:path";
import { z } from "zod";

const Secrets = z.object({
  publishableKey: z.string().startsWith("sb_publishable_"),
  secretKey: z.string().startsWith("sb_secret_"),
  jwtSecret: z.string().min(32),
});

export interface Keys extends z.infer<typeof Secrets> {
  /** The legacy keys: JWTs that say no more than a role. */
  anonKey: string;
  serviceRoleKey: string;
}

/** Names the signing key in the tokens that functions get; the platform's own tokens carry one too. */
export const KEY_ID = "local";

function random(bytes: number): string {
  return crypto.getRandomValues(new Uint8Array(bytes)).toBase64({ alphabet: "base64url", omitPadding: true });
}

/** Reads the keys of a state directory, making them the first time. */
export async function loadKeys(stateDirectory: string): Promise<Keys> {
  const file = join(stateDirectory, "secrets.json");
  const text = await Deno.readTextFile(file).catch(() => undefined);
  const secrets = text === undefined
    ? {
      publishableKey: `sb_publishable_${random(24)}`,
      secretKey: `sb_secret_${random(24)}`,
      jwtSecret: random(48),
    }
    : Secrets.parse(JSON.parse(text));
  if (text === undefined) await writePrivately(file, JSON.stringify(secrets, null, 2) + "\n");
  // Signed with fixed times, so that they too stay the same as long as the secret does.
  const sign = (role: string) =>
    new SignJWT({ iss: "supabase", ref: "local", role })
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .setIssuedAt(1_767_225_600)
      .setExpirationTime(2_398_377_600)
      .sign(secretBytes(secrets.jwtSecret));
  return { ...secrets, anonKey: await sign("anon"), serviceRoleKey: await sign("service_role") };
}

export function secretBytes(jwtSecret: string): Uint8Array {
  return new TextEncoder().encode(jwtSecret);
}

/** Writes a file that only its owner can read, and that is never seen half written. */
export async function writePrivately(file: string, text: string): Promise<void> {
  const unfinished = `${file}.${Deno.pid}.part`;
  await Deno.writeTextFile(unfinished, text, { mode: 0o600 });
  await Deno.rename(unfinished, file);
}
