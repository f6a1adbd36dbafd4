// The client for the server side of a Next.js app: Server Components, Route Handlers, Server Actions and the proxy
// (middleware). It speaks as the person whose session is in the request's cookies, so make one per request.
import { type CookieOptions, createServerClient } from "@supabase/ssr";
import type { Database } from "../../database.types.ts";
import { inTime } from "../in_time.ts";
import { type Client, createGenesis, type Genesis, GenesisError } from "../mod.ts";
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
  // What reads the cookies of next/headers is made for each request, and stored by nobody unless the app says so.
  return make(access, cookies, () => {});
}

function make(access: Access, cookies: CookieStore, sendWith: (headers: Record<string, string>) => void): Genesis {
  const supabase = createServerClient<Database>(access.url, access.publishableKey, {
    cookies: {
      getAll: () => cookies.getAll(),
      setAll(changed, headers) {
        try {
          sendWith(headers);
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

/** How long a page may wait for Auth, in milliseconds. */
const AUTH_MS = 10_000;

/**
 * Renews the session in the proxy of the app, before anything is rendered, and answers whose it is: null is nobody's, and
 * undefined means that Auth cannot be reached, which leads nobody to a login page. The cookies of both are written: the
 * request's for what renders next, the response's for the browser; and a response that carries a session says that nobody
 * may store it, also where its page is the same for everybody.
 *
 *     export async function proxy(request: NextRequest) {
 *       const response = NextResponse.next({ request });
 *       const person = await renewSession({ url, publishableKey }, request, response);
 *       return person !== null || isPublic(request) ? response : NextResponse.redirect(new URL("/login", request.url));
 *     }
 */
export async function renewSession(
  access: Access,
  request: { cookies: Pick<CookieStore, "getAll"> & { set(name: string, value: string): unknown } },
  response: { cookies: Pick<CookieStore, "set">; headers: Pick<Headers, "set"> },
): Promise<string | null | undefined> {
  const cookies: CookieStore = {
    getAll: () => request.cookies.getAll(),
    set(name, value, options) {
      request.cookies.set(name, value);
      response.cookies.set(name, value, options);
    },
  };
  const { supabase } = make(access, cookies, (headers) => {
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  });
  try {
    const { data, error } = await inTime(() => supabase.auth.getUser(), undefined, AUTH_MS);
    if (data.user) return data.user.id;
    // Auth has said so itself; too many requests (429) say nothing about the person.
    const { status = 0 } = error ?? {};
    return status >= 400 && status < 500 && status !== 429 ? null : undefined;
  } catch (thrown) {
    if (thrown instanceof GenesisError) return undefined;
    throw thrown;
  }
}
