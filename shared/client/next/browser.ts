// The client for the browser side of a Next.js app: the session lives in cookies, where the server side finds it.
import { createBrowserClient } from "@supabase/ssr";
import type { Database } from "../../database.types.ts";
import { type Client, createGenesis, type Genesis } from "../mod.ts";

export interface Access {
  /** NEXT_PUBLIC_SUPABASE_URL: given by the app, because Next.js fills it in only where the app itself names it. */
  url: string;
  /** NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY. */
  publishableKey: string;
}

let made: { access: Access; genesis: Genesis } | undefined;

/**
 * The one client of the page, for Client Components.
 *
 *     const genesis = createBrowserGenesis({ url, publishableKey });
 */
export function createBrowserGenesis(access: Access): Genesis {
  if (made?.access.url !== access.url || made.access.publishableKey !== access.publishableKey) {
    // The same class, though TypeScript may see the package's CommonJS declarations on that side.
    const supabase = createBrowserClient<Database>(access.url, access.publishableKey) as unknown as Client;
    made = { access, genesis: createGenesis(supabase) };
  }
  return made.genesis;
}
