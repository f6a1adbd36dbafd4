// Whom a client speaks as, read from its token, whose word nobody has to take: it names entries and filters rows, and
// decides nothing.
import { isAuthRetryableFetchError } from "@supabase/supabase-js";
import type { Client } from "./call.ts";
import { GenesisError } from "./error.ts";
import { inTime } from "./in_time.ts";

/** Is there a session that could not be renewed just now? Until Auth answers again such a client asks as nobody. */
async function isBetweenTokens(supabase: Client, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    const { data, error } = await inTime(() => supabase.auth.getSession(), signal);
    return data.session === null && error !== null && isAuthRetryableFetchError(error);
  } catch (thrown) {
    // A client with a callback for its token has no session of its own; Auth may also say nothing at all.
    return thrown instanceof GenesisError && thrown.isTransient;
  }
}

/**
 * What is refused to a client that asks as nobody, because its session cannot be renewed just now, is `unavailable`: it
 * says nothing about the person, who is not to be led to a login page.
 */
export async function asSomebody<Answer>(
  supabase: Client,
  request: () => PromiseLike<Answer>,
  signal?: AbortSignal,
): Promise<Answer> {
  try {
    return await request();
  } catch (thrown) {
    const isNobodys = thrown instanceof GenesisError && thrown.code === "unauthorized";
    if (!isNobodys || !await isBetweenTokens(supabase, signal)) throw thrown;
    const message = "The session cannot be renewed just now; try again.";
    throw new GenesisError("unavailable", message, {}, thrown.request_id, { cause: thrown });
  }
}

/** Whether the same request, sent again later, has a chance after this failure. */
export type MayPass = (error: GenesisError, signal?: AbortSignal) => Promise<boolean>;

/**
 * To be called before a request is sent: what is refused to a client that asks as nobody, because its session could not be
 * renewed, says nothing about the person, also where the session was renewed before the refusal came.
 */
export function asThePerson(supabase: Client): MayPass {
  const token = supabase.realtime.accessTokenValue;
  return async (error, signal) => {
    if (error.isTransient || await isBetweenTokens(supabase, signal)) return true;
    return token !== null && supabase.realtime.accessTokenValue !== token;
  };
}

/** Whose token it is that Realtime holds: the person's id; null for a worker, and for nobody. */
export function personNow(supabase: Client): string | null {
  try {
    const [, claims = ""] = supabase.realtime.accessTokenValue?.split(".") ?? [];
    const { sub } = JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/")));
    return typeof sub === "string" ? sub : null;
  } catch {
    // A key is no token.
    return null;
  }
}

/** The same, once the token was asked for: Realtime holds that of every client, with a session or a callback of its own. */
export async function personOf(supabase: Client): Promise<string | null> {
  await supabase.realtime.setAuth().catch(() => {});
  return personNow(supabase);
}

/**
 * Tells when somebody else speaks through the client than before: after a sign-in, and after a sign-out. A token that is
 * renewed is the same person's. The first who is known is told of, too, and is nobody else. Answers what ends it.
 */
export function onPersonChange(
  supabase: Client,
  changed: (person: string | null, isOther: boolean) => void,
): () => void {
  let known: string | null | undefined;
  try {
    const { data } = supabase.auth.onAuthStateChange((_event, session) => {
      const person = session?.user.id ?? null;
      const before = known;
      known = person;
      if (person !== before) changed(person, before !== undefined);
    });
    return () => data.subscription.unsubscribe();
  } catch {
    // A client with a callback for its token has no sessions to tell of.
    return () => {};
  }
}
