// Whom a client speaks as, read from its token, whose word nobody has to take: it names entries and filters rows, and
// decides nothing.
import type { Client } from "./call.ts";

/** The person's id; null for a worker, and for nobody. */
export async function personOf(supabase: Client): Promise<string | null> {
  try {
    // Realtime holds the token of every client, with a session or with a callback of its own.
    await supabase.realtime.setAuth();
    const [, claims = ""] = supabase.realtime.accessTokenValue?.split(".") ?? [];
    const { sub } = JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/")));
    return typeof sub === "string" ? sub : null;
  } catch {
    // A key is no token.
    return null;
  }
}
