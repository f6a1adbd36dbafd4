// rpc() of functions that answer JSON, as PostgREST runs them: one message to the database and one back. Through lite such a
// call is a round trip for every step of its transaction, and a parse, a check and a print of everything, which a page that
// many people watch would feel. Whatever is not such a call is left to lite.
import type postgres from "postgres";
import type { Credentials } from "./caller_of.ts";
import { callSettings, literal, requestSettings, settingsSql } from "./request_settings.ts";
import { type DatabaseError, errorResponse, isSqlState } from "./postgrest_errors.ts";

interface DatabaseFunction {
  /** Names with types, in the order of the declaration; the last `optional` have defaults. */
  parameters: Map<string, { type: string; isRequired: boolean }>;
}

export interface FunctionCalls {
  /** The answer, or, where another has to give it, the request with its body unread. */
  answer(request: Request, url: URL, credentials: Credentials): Promise<Response | Request>;
  /** Forgets which functions there are. */
  reload(): void;
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** The functions whose answer is JSON as it is: one of their name, with named arguments alone. */
async function readFunctions(sql: postgres.Sql): Promise<Map<string, DatabaseFunction>> {
  const rows = await sql<{ name: string; names: string[] | null; types: string[]; defaults: number }[]>`
    select p.proname as name, p.proargnames as names, p.pronargdefaults as defaults,
      array(select format_type(t.oid, null) from unnest(p.proargtypes) with ordinality as t (oid, n) order by t.n) as types
    from pg_proc as p
    where p.pronamespace = 'public'::regnamespace and p.prokind = 'f' and not p.proretset and p.provariadic = 0
      and p.prorettype in ('json'::regtype, 'jsonb'::regtype) and p.proargmodes is null
      and (select count(*) from pg_proc as o where o.pronamespace = p.pronamespace and o.proname = p.proname) = 1`;
  const functions = new Map<string, DatabaseFunction>();
  for (const { name, names, types, defaults } of rows) {
    if (types.some((_, at) => !names?.[at])) continue;
    const parameters = types.map((type, at) =>
      [names?.[at] ?? "", { type, isRequired: at < types.length - defaults }] as const
    );
    functions.set(name, { parameters: new Map(parameters) });
  }
  return functions;
}

/** What the function has said of its answer, read after it has run. */
const SAID = "current_setting('response.status', true) as status, current_setting('response.headers', true) as headers";

/** The call with the arguments that the body has; undefined when they are not this function's. */
function callSql(name: string, { parameters }: DatabaseFunction, body: string): string | undefined {
  let given: unknown;
  try {
    given = JSON.parse(body === "" ? "{}" : body);
  } catch {
    return;
  }
  if (typeof given !== "object" || given === null || Array.isArray(given)) return;
  const keys = Object.keys(given);
  if (keys.some((key) => !parameters.has(key))) return;
  for (const [key, { isRequired }] of parameters) if (isRequired && !Object.hasOwn(given, key)) return;
  const call = `public.${quoted(name)}(${keys.map((key) => `${quoted(key)} => a.${quoted(key)}`).join(",")})`;
  const answer = `select ${call}::text as answer, ${SAID}`;
  if (keys.length === 0) return answer;
  const columns = keys.map((key) => `${quoted(key)} ${parameters.get(key)?.type}`).join(",");
  return `${answer} from json_to_record(${literal(body)}) as a (${columns})`;
}

/** Lite refuses secret keys that a browser sends; `key` is what the apikey alone says. */
function isSecretInBrowser({ headers }: Request, { key, caller }: Credentials): boolean {
  return (key === "service_role" || caller.role === "service_role") &&
    /^\s*Mozilla\s*\//i.test(headers.get("user-agent") ?? "");
}

const ANY_JSON = /^\s*application\/json\s*(;|$)/i;

/** Whether it asks for nothing but the call: no filter, no count, no other format or schema. */
function isPlain({ method, headers }: Request, { searchParams }: URL): boolean {
  const accept = headers.get("accept") ?? "*/*";
  return method === "POST" && searchParams.size === 0 && !headers.has("prefer") && !headers.has("range") &&
    (accept === "*/*" || accept === "application/json") && ANY_JSON.test(headers.get("content-type") ?? "") &&
    (headers.get("content-profile") ?? "public") === "public" &&
    (headers.get("accept-profile") ?? "public") === "public";
}

/** The answer, as the function itself wants it. */
function dressed(body: string, status: string | null, said: string | null): Response {
  const headers = new Headers({ "content-type": "application/json; charset=utf-8", "content-range": "0-0/*" });
  for (const pair of said ? JSON.parse(said) as Record<string, string>[] : []) {
    for (const [name, value] of Object.entries(pair)) headers.append(name, value);
  }
  return new Response(body, { status: Number(status || 200), headers });
}

/** @param searchPath what unqualified names in functions mean, as PostgREST sets it */
export function functionCalls(sql: postgres.Sql, searchPath: string): FunctionCalls {
  let known: Promise<Map<string, DatabaseFunction>> | undefined;

  async function find(name: string): Promise<DatabaseFunction | undefined> {
    known ??= readFunctions(sql);
    try {
      return (await known).get(name);
    } catch (thrown) {
      known = undefined;
      throw thrown;
    }
  }

  return {
    reload: () => void (known = undefined),
    async answer(request, url, credentials) {
      const { caller } = credentials;
      const name = /^\/rest\/v1\/rpc\/([a-z0-9_]+)$/.exec(url.pathname)?.[1];
      if (name === undefined || !isPlain(request, url) || isSecretInBrowser(request, credentials)) return request;
      // Lite refuses what says another role, or that it was made in the future.
      const { role, iat } = caller.claims;
      if (role !== caller.role || Number(iat ?? 0) * 1000 > Date.now()) return request;
      const called = await find(name);
      if (!called) return request;
      const body = await request.text();
      const call = callSql(name, called, body);
      if (call === undefined) return new Request(request, { body });
      const settings = {
        ...requestSettings(caller.role, caller.claims, searchPath),
        ...callSettings({ method: "POST", path: `/rpc/${name}`, requestHeaders: Object.fromEntries(request.headers) }),
      };
      try {
        // Statements of one message are one transaction, undone as a whole.
        const [, [{ answer, status, headers }]] = await sql.unsafe(`${settingsSql(settings)};${call}`).simple();
        return dressed(answer ?? "null", status, headers);
      } catch (thrown) {
        const error = thrown as Partial<DatabaseError>;
        if (!isSqlState(error.code)) throw thrown;
        return errorResponse(error as DatabaseError, caller.role === "anon", new Headers());
      }
    },
  };
}
