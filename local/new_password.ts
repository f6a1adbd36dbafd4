// A new password ends the account's other sessions: whoever knew the old one is out. Lite keeps them.
import { decodeJwt } from "jose";
import type postgres from "postgres";

type Auth = (request: Request) => Promise<Response>;

function hasPassword(body: string): boolean {
  try {
    const { password } = Object(JSON.parse(body));
    return typeof password === "string" && password !== "";
  } catch {
    return false;
  }
}

/** Passes requests on to Auth. */
export function newPassword(sql: postgres.Sql, auth: Auth): Auth {
  return async (request) => {
    if (request.method !== "PUT" || !new URL(request.url).pathname.endsWith("/user")) return await auth(request);
    const { url, method, headers } = request;
    const body = await request.text();
    const response = await auth(new Request(url, { method, headers, body }));
    if (!response.ok || !hasPassword(body)) return response;
    // Auth has just taken it.
    const { sub = "", session_id } = decodeJwt(headers.get("authorization")?.replace(/^bearer\s+/i, "") ?? "");
    await sql`delete from auth.sessions where user_id = ${sub} and id <> ${String(session_id)}`;
    return response;
  };
}
