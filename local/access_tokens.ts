// Makes lite's access tokens the platform's: all the claims, the name of the signing key, and the project's own hook.
import { decodeJwt, type JWTPayload, SignJWT } from "jose";
import type postgres from "postgres";
import { AuthRefusal } from "./auth_refusal.ts";
import { KEY_ID, secretBytes } from "./keys.ts";

export interface AccessTokenOptions {
  /** A connection as the role that the platform's Auth uses. */
  sql: postgres.Sql;
  issuer: string;
  jwtSecret: string;
  /** `pg-functions://postgres/<schema>/<function>`, when the project has a custom access token hook. */
  hook?: string;
}

function methodOf(request: Request, url: URL): string {
  if (url.pathname.endsWith("/token")) {
    return url.searchParams.get("grant_type") === "refresh_token" ? "token_refresh" : "password";
  }
  return url.pathname.endsWith("/signup") && request.method === "POST" ? "password" : "otp";
}

/** Passes Auth's answers through, dressing the access tokens in them. */
export function accessTokenDresser(options: AccessTokenOptions) {
  const { sql } = options;
  const [, schema, name] = /^pg-functions:\/\/[^/]+\/([^/]+)\/([^/]+)$/.exec(options.hook ?? "") ?? [];

  async function applyHook(claims: JWTPayload, method: string): Promise<JWTPayload> {
    if (!schema) return claims;
    const event = JSON.stringify({ user_id: claims.sub, claims, authentication_method: method });
    const [row] = await sql`select ${sql(schema)}.${sql(name)}(${event}::jsonb) as answer`.catch((error: Error) => {
      throw new AuthRefusal(500, "hook_error", `Error running hook URI: ${options.hook}: ${error.message}`);
    });
    const { error, claims: changed } = row.answer ?? {};
    if (error) throw new AuthRefusal(error.http_code ?? 500, "hook_error", error.message ?? "The hook refused");
    return changed ?? claims;
  }

  async function dress(token: string, method: string): Promise<string> {
    const claims = decodeJwt(token);
    const [user] = await sql`
      select email, phone, raw_app_meta_data, raw_user_meta_data, is_anonymous,
        coalesce(banned_until > now(), false) as is_banned
      from auth.users where id = ${String(claims.sub)}`;
    // Lite does not ask.
    if (user?.is_banned) throw new AuthRefusal(400, "user_banned", "User is banned");
    const full = {
      iss: options.issuer,
      ...claims,
      email: user?.email ?? "",
      phone: user?.phone ?? "",
      app_metadata: user?.raw_app_meta_data ?? {},
      user_metadata: user?.raw_user_meta_data ?? {},
      aal: "aal1",
      amr: [{ method: method === "token_refresh" ? "password" : method, timestamp: claims.iat }],
      is_anonymous: user?.is_anonymous ?? false,
    };
    return await new SignJWT(await applyHook(full, method))
      .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: KEY_ID })
      .sign(secretBytes(options.jwtSecret));
  }

  return async (request: Request, response: Response): Promise<Response> => {
    const url = new URL(request.url);
    if (!/\/(token|signup|verify|callback)$/.test(url.pathname)) return response;
    const method = methodOf(request, url);
    const headers = new Headers(response.headers);
    try {
      // A confirmed link brings its tokens in the redirect's fragment.
      const location = headers.get("location") ?? "";
      const inLocation = /[#&]access_token=([^&]+)/.exec(location)?.[1];
      if (inLocation) {
        headers.set("location", location.replace(inLocation, await dress(inLocation, method)));
        return new Response(null, { status: response.status, headers });
      }
      if (!response.ok || !headers.get("content-type")?.includes("json")) return response;
      const session = await response.json();
      if (typeof session?.access_token === "string") session.access_token = await dress(session.access_token, method);
      headers.delete("content-length");
      return new Response(JSON.stringify(session), { status: response.status, headers });
    } catch (thrown) {
      if (thrown instanceof AuthRefusal) return thrown.response;
      throw thrown;
    }
  };
}
