// Whom a client speaks as, read from its token, whose word nobody has to take: it names entries and filters rows, and
// decides nothing.
import { isAuthRetryableFetchError } from "@supabase/supabase-js";
import type { Client } from "./call.ts";

/**
 * Is there a session that could not be renewed just now? Until Auth answers again such a client asks as nobody, and what it
 * is refused says nothing about the person.
 */
export async function isBetweenTokens(supabase: Client): Promise<boolean> {
  try {
    const { data, error } = await supabase.auth.getSession();
    return data.session === null && error !== null && isAuthRetryableFetchError(error);
  } catch {
    // A client with a callback for its token has no session of its own.
    return false;
  }
}

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
