// Auth and the Data API: the one file that knows @supabase/lite, and everything it needs to behave like the platform.
import { App, type EmailMessage, getAuthSchemaSql } from "@supabase/lite";
import { createPostgresConnection, type PostgresConnection } from "@supabase/lite/postgres";
import { AsyncLocalStorage } from "node:async_hooks";
import { resolve } from "node:path";
import { accessTokenDresser } from "./access_tokens.ts";
import type { ProjectConfig } from "./config.ts";
import type { Keys } from "./keys.ts";
import { type DatabaseError, errorResponse } from "./postgrest_errors.ts";

export interface AuthDataOptions {
  /** A superuser's connection. */
  databaseUrl: string;
  /** The stack's own URL, which the links in messages lead to. */
  gatewayUrl: string;
  keys: Keys;
  config: ProjectConfig;
  deliver(message: EmailMessage): Promise<void>;
}

export interface AuthData {
  auth(request: Request): Promise<Response>;
  data(request: Request): Promise<Response>;
  /** Forgets what is known of the tables and functions; `notify pgrst` does the same. */
  reloadSchema(): Promise<void>;
  stop(): Promise<void>;
}

/** The auth schema's tables, as lite would create them. */
export function authSchemaSql(): string {
  return getAuthSchemaSql();
}

/** What a request met in the database, noted while lite handles it. */
const inside = new AsyncLocalStorage<{ error?: DatabaseError }>();

// Lite prints every refusal of the database to the terminal, although the caller gets it as an answer.
const printError = console.error;
console.error = (...values: unknown[]) => inside.getStore() ? undefined : printError(...values);

/** What lite calls a transaction: all that is used of it here is to run one statement. */
interface Transaction {
  executeQuery(query: unknown): Promise<unknown>;
}

function run(transaction: Transaction, sql: string): Promise<unknown> {
  const node = { kind: "RawNode", sqlFragments: [sql], parameters: [] };
  return transaction.executeQuery({ query: node, queryId: { queryId: "stack" }, sql, parameters: [] });
}

/** One round trip for any number of transaction-local settings. */
function applySettings(transaction: Transaction, settings: Record<string, string>): Promise<unknown> {
  const calls = Object.entries(settings).map(([name, value]) =>
    `set_config('${name}','${value.replaceAll("'", "''")}',true)`
  );
  return run(transaction, `select ${calls.join(",")}`);
}

/** Times as PostgREST writes them; lite passes on PostgreSQL's own spelling, `2026-01-31 12:00:00+00`. */
function isoTime(oid: number) {
  const parse = (text: string) => text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00");
  return { to: oid, from: [oid], serialize: (value: unknown) => value, parse };
}

/**
 * Auth and rpc() hand JSON over as text, table writes as values; lite's own serializer encodes the text again, and stores
 * one long string. A JSON string that reads as JSON itself ("5") cannot be told apart here, and is stored as what it says.
 */
function jsonText(oid: number) {
  const serialize = (value: unknown) => isJsonText(value) ? value : JSON.stringify(value);
  return { to: oid, from: [oid], serialize, parse: (text: string) => JSON.parse(text) };
}

function isJsonText(value: unknown): boolean {
  if (typeof value !== "string") return false;
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}

/** Lite writes argument names bare, so a door with an argument called `limit` would be a syntax error. */
function quoteArgumentNames(driver: PostgresConnection["driver"]): void {
  const reserve = driver.reserve;
  driver.reserve = async () => {
    const reserved = await reserve();
    const unsafe = reserved.unsafe;
    return Object.assign(reserved, {
      unsafe: (sql: string, ...rest: unknown[]) =>
        Reflect.apply(unsafe, reserved, [sql.replaceAll(/\b([a-z_][a-z0-9_$]*) := /g, '"$1" := '), ...rest]),
    });
  };
}

/** Statement timeouts of the API roles, in the platform's way. */
const PATIENCE: Record<string, string> = { anon: "3s" };

interface RequestAuth {
  auth?: { uid?: string | null; role?: string; jwt?: Record<string, unknown> | null };
}

interface RpcRequest {
  method: string;
  path: string;
  requestHeaders?: Record<string, string>;
}

/** Opens a connection pool whose requests get exactly the settings that PostgREST gives them. */
function openConnection(options: AuthDataOptions): PostgresConnection {
  const connection = createPostgresConnection({
    url: options.databaseUrl,
    // Unnamed statements: a named one would fail after a migration changed what it returns.
    postgresOptions: {
      max: 15,
      prepare: false,
      onnotice: () => {},
      connection: { application_name: "data" },
      types: { timestamp: isoTime(1114), timestamptz: isoTime(1184), json: jsonText(114), jsonb: jsonText(3802) },
    },
  });
  quoteArgumentNames(connection.driver);
  const searchPath = ["public", ...options.config.api.extra_search_path]
    .filter((schema, index, all) => all.indexOf(schema) === index)
    .map((schema) => `"${schema.replaceAll('"', '""')}"`).join(", ");
  return Object.assign(connection, {
    // Lite's own version grants every table of every schema with RLS to anon: it would undo the migrations' revokes.
    ensureRlsContext: () => Promise.resolve(true),
    applyJwtSessionContext(transaction: Transaction, context: RequestAuth) {
      const role = context.auth?.role ?? "anon";
      return applySettings(transaction, {
        "role": role,
        "search_path": searchPath,
        "statement_timeout": PATIENCE[role] ?? "8s",
        "request.jwt.claims": JSON.stringify(context.auth?.jwt ?? { role }),
        "request.jwt.claim.sub": context.auth?.jwt?.sub === undefined ? "" : String(context.auth.jwt.sub),
        "request.jwt.claim.role": role,
      });
    },
    applyRpcRequestGucs(transaction: Transaction, request: RpcRequest) {
      return applySettings(transaction, {
        "response.status": "",
        "response.headers": "",
        "request.method": request.method,
        "request.path": request.path,
        "request.headers": JSON.stringify(request.requestHeaders ?? {}),
      });
    },
    normalizeDbError(error: unknown) {
      const store = inside.getStore();
      const { code, message, detail, hint } = (error ?? {}) as Partial<DatabaseError>;
      if (store && typeof code === "string" && /^[0-9A-Z]{5}$/.test(code)) {
        store.error = { code, message: message ?? "", detail, hint };
      }
      return error;
    },
  });
}

function createApp(options: AuthDataOptions, connection: PostgresConnection, tokensAreVerified: boolean) {
  const { api, auth } = options.config;
  const { template = {}, ...email } = auth.email;
  const templates = Object.fromEntries(
    Object.entries(template).map(([name, { content_path, ...rest }]) => [name, {
      ...rest,
      ...(content_path === undefined ? {} : { content_path: resolve(options.config.directory, content_path) }),
    }]),
  );
  return new App({
    connection,
    api,
    auth: {
      enabled: true,
      jwt_secret: options.keys.jwtSecret,
      publishable_key: options.keys.publishableKey,
      secret_key: options.keys.secretKey,
      site_url: auth.site_url,
      additional_redirect_urls: auth.additional_redirect_urls,
      jwt_expiry: auth.jwt_expiry,
      enable_signup: auth.enable_signup,
      enable_refresh_token_rotation: auth.enable_refresh_token_rotation,
      refresh_token_reuse_interval: auth.refresh_token_reuse_interval,
      minimum_password_length: auth.minimum_password_length,
      ...(auth.password_requirements ? { password_requirements: auth.password_requirements } : {}),
      email: { ...email, template: templates },
    },
    storage: { enabled: false },
    studio: { enabled: false },
    options: {
      server: {
        admin: false,
        disableStudio: true,
        middlewares: [async (context, next) => {
          // The gateway has verified the token; PostgREST does not ask the database about the session either.
          if (tokensAreVerified && context.req.header("authorization")) {
            context.set("userId", "verified");
            context.set("sessionId", "verified");
          }
          await next();
        }],
      },
      drivers: {
        email: {
          send(message) {
            // Lite leads its links to the site, where nothing answers /auth/v1 during development.
            const lead = (text?: string) =>
              text?.replaceAll(`${auth.site_url.replace(/\/$/, "")}/auth/v1/`, `${options.gatewayUrl}/auth/v1/`);
            return options.deliver({ ...message, text: lead(message.text), html: lead(message.html) });
          },
        },
      },
    },
  });
}

/** Starts Auth and the Data API over one database. Needs the platform's objects to be there. */
export async function startAuthData(options: AuthDataOptions): Promise<AuthData> {
  Deno.env.set("LITE_TELEMETRY", "0");
  const connection = openConnection(options);
  // Auth writes as the role it has on the platform, so that a sign-up trigger with too few rights fails here as well.
  const authConnection = createPostgresConnection({
    url: options.databaseUrl,
    postgresOptions: {
      max: 8,
      prepare: false,
      onnotice: () => {},
      connection: { application_name: "auth", role: "supabase_auth_admin", search_path: "auth" },
      types: { json: jsonText(114), jsonb: jsonText(3802) },
    },
  });
  const data = createApp(options, connection, true);
  const auth = createApp(options, authConnection, false);
  await Promise.all([data.init(), auth.init()]);
  await connection.introspect({ useCache: true });
  const listener = await connection.driver.listen("pgrst", () => void connection.clearSchemaCache());

  const handle = (app: typeof data) => async (request: Request) => {
    const noted: { error?: DatabaseError } = {};
    const response = await inside.run(noted, () => app.fetch(request));
    if (response.status < 400 || noted.error === undefined) return response;
    await response.body?.cancel();
    const isAnonymous = !request.headers.has("authorization") &&
      request.headers.get("apikey") !== options.keys.secretKey;
    return errorResponse(noted.error, isAnonymous, response.headers);
  };
  const hook = options.config.auth.hook.custom_access_token;
  const dress = accessTokenDresser({
    sql: authConnection.driver,
    issuer: `${options.gatewayUrl}/auth/v1`,
    jwtSecret: options.keys.jwtSecret,
    ...(hook?.enabled ? { hook: hook.uri } : {}),
  });
  return {
    data: handle(data),
    auth: async (request) => dress(request, await inside.run({}, () => auth.fetch(request))),
    reloadSchema: () => connection.clearSchemaCache(),
    async stop() {
      await listener.unlisten().catch(() => {});
      await Promise.all([connection.driver.end({ timeout: 2 }), authConnection.driver.end({ timeout: 2 })]);
    },
  };
}
