// Links in messages as the platform makes them: they lead back to where the request asked for, and for a client of the flow
// "pkce" (the default of @supabase/ssr) with a code that nobody else can exchange. Lite has that exchange, for OAuth alone;
// what it keeps for it in auth.flow_state is kept here for messages.
import type { EmailMessage } from "@supabase/lite";
import { decodeJwt } from "jose";
import { AsyncLocalStorage } from "node:async_hooks";
import { createHash } from "node:crypto";
import type postgres from "postgres";

type Handler = (request: Request) => Promise<Response>;

/** What a request wants of the links that it makes Auth send. */
interface Wanted {
  redirectTo?: string;
  challenge?: { text: string; method: string };
}

/** A token hash, which is what lite's links carry, and how one that belongs to a flow begins. */
const HASH = /\b[0-9a-f]{64}\b/g;
const PREFIX = "pkce_";

const REDIRECT = /(\/auth\/v1\/verify\?[^\s"'<>]*?\bredirect_to=)[^\s"'<>&]*/g;

/** The flow of a link, found again by the link alone. */
const flowOf = (hash: string) => createHash("md5").update(hash).digest("hex");

function wantedBy(url: URL, body: string): Wanted {
  let given: Record<string, unknown>;
  try {
    given = Object(JSON.parse(body));
  } catch {
    given = {};
  }
  const redirectTo = url.searchParams.get("redirect_to") ?? undefined;
  const { code_challenge: text, code_challenge_method: method } = given;
  return typeof text === "string" && /^(s256|plain)$/i.test(String(method))
    ? { redirectTo, challenge: { text, method: String(method).toLowerCase() } }
    : { redirectTo };
}

/** @param sql a connection as the role that the platform's Auth uses */
export function emailLinks(sql: postgres.Sql) {
  const wanted = new AsyncLocalStorage<Wanted>();

  /** Answers a link of a flow: not with the session itself, but with the code for it. */
  async function giveCode(hash: string, response: Response): Promise<Response> {
    const [to, fragment] = (response.headers.get("location") ?? "").split("#");
    const said = new URLSearchParams(fragment);
    const target = new URL(to);
    const token = said.get("access_token");
    if (token === null) {
      for (const [name, value] of said) target.searchParams.set(name, value);
    } else {
      const { sub, session_id } = decodeJwt(token);
      const [flow] = await sql`
        update auth.flow_state set user_id = ${sub ?? null}, auth_code_issued_at = now(), created_at = now()
        where id = ${flowOf(hash)} returning auth_code`;
      if (!flow) return response;
      await sql`delete from auth.sessions where id = ${String(session_id)}`;
      target.searchParams.set("code", flow.auth_code);
    }
    const headers = new Headers(response.headers);
    headers.set("location", target.href);
    return new Response(null, { status: response.status, headers });
  }

  async function verify(request: Request, url: URL, auth: Handler): Promise<Response> {
    if (request.method === "POST") {
      const body = (await request.text()).replace(/("token_hash"\s*:\s*")pkce_/, "$1");
      return await auth(new Request(url, { method: "POST", headers: request.headers, body }));
    }
    const token = url.searchParams.get("token");
    if (!token?.startsWith(PREFIX)) return await auth(request);
    const hash = token.slice(PREFIX.length);
    url.searchParams.set("token", hash);
    const response = await auth(new Request(url, request));
    return response.headers.has("location") ? await giveCode(hash, response) : response;
  }

  return {
    /** Auth, with links of this kind. */
    over: (auth: Handler): Handler => async (request) => {
      const url = new URL(request.url);
      if (url.pathname.endsWith("/verify")) return await verify(request, url, auth);
      if (request.method !== "POST" && request.method !== "PUT") return await auth(request);
      const body = await request.text();
      const same = new Request(url, { method: request.method, headers: request.headers, body });
      return await wanted.run(wantedBy(url, body), () => auth(same));
    },

    /** The message that Auth wants to send, with the links that the request wants. */
    async lead(message: EmailMessage): Promise<EmailMessage> {
      const { redirectTo, challenge } = wanted.getStore() ?? {};
      const hashes = new Set(`${message.text} ${message.html}`.match(HASH));
      for (const hash of challenge ? hashes : []) {
        const flow = {
          id: flowOf(hash),
          auth_code: crypto.randomUUID(),
          authentication_method: "email",
          provider_type: "email",
          code_challenge: challenge?.text ?? "",
          code_challenge_method: challenge?.method ?? "",
        };
        await sql`insert into auth.flow_state ${sql(flow)} on conflict (id) do update set ${sql(flow)}`;
      }
      const lead = (text?: string) => {
        // First the hashes: the page that the link leads to may carry a token that looks like one.
        const flows = challenge ? text?.replace(HASH, (hash) => PREFIX + hash) : text;
        return redirectTo === undefined
          ? flows
          : flows?.replace(REDIRECT, (_, link) => link + encodeURIComponent(redirectTo));
      };
      return { ...message, text: lead(message.text), html: lead(message.html) };
    },
  };
}
