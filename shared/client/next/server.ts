// The client for the server side of a Next.js app: Server Components, Route Handlers, Server Actions and the proxy
// (middleware). It speaks as the person whose session is in the request's cookies, so make one per request.
import { type CookieOptions, createServerClient } from "@supabase/ssr";
import type { Database } from "../../database.types.ts";
import { type Client, createGenesis, type Genesis } from "../mod.ts";
import type { Access } from "./browser.ts";

/** What `await cookies()` of next/headers is, and `request.cookies` of a NextRequest. */
export interface CookieStore {
  getAll(): { name: string; value: string }[];
  set(name: string, value: string, options: CookieOptions): unknown;
}

/**
 *     const genesis = createServerGenesis({ url, publishableKey }, await cookies());
 *     const { data } = await genesis.supabase.auth.getClaims();      // who it is, verified
 *     const { project, executions } = await genesis.project(id).read();
 */
export function createServerGenesis(access: Access, cookies: CookieStore): Genesis {
  const supabase = createServerClient<Database>(access.url, access.publishableKey, {
    cookies: {
      getAll: () => cookies.getAll(),
      setAll(changed) {
        try {
          for (const { name, value, options } of changed) cookies.set(name, value, options);
        } catch {
          // A Server Component may not write cookies; the proxy has renewed the session before it.
        }
      },
    },
  });
  // The same class, though TypeScript may see the package's CommonJS declarations on that side.
  return createGenesis(supabase as unknown as Client);
}

/**
 * Renews the session in the proxy of the app, before anything is rendered, and answers whose it is (null: nobody's). Both
 * stores are written: the request's for what renders next, the response's for the browser.
 *
 *     export async function proxy(request: NextRequest) {
 *       const response = NextResponse.next({ request });
 *       const person = await renewSession({ url, publishableKey }, request.cookies, response.cookies);
 *       return person || isPublic(request) ? response : NextResponse.redirect(new URL("/login", request.url));
 *     }
 */
export async function renewSession(
  access: Access,
  request: Pick<CookieStore, "getAll"> & { set(name: string, value: string): unknown },
  response: Pick<CookieStore, "set">,
): Promise<string | null> {
  const genesis = createServerGenesis(access, {
    getAll: () => request.getAll(),
    set(name, value, options) {
      request.set(name, value);
      response.set(name, value, options);
    },
  });
  const { data } = await genesis.supabase.auth.getUser();
  return data.user?.id ?? null;
}
