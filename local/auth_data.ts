// Auth and the Data API: @supabase/lite over one database, with what it needs to behave like the platform.
import { App, type EmailMessage, getAuthSchemaSql } from "@supabase/lite";
import type { PostgresConnection } from "@supabase/lite/postgres";
import { AsyncLocalStorage } from "node:async_hooks";
import { resolve } from "node:path";
import { accessTokenDresser } from "./access_tokens.ts";
import { absent, withoutAbsent } from "./auth_absent.ts";
import { asAsked, preferred } from "./as_asked.ts";
import { authAdmin } from "./auth_admin.ts";
import { AuthRefusal } from "./auth_refusal.ts";
import type { ProjectConfig } from "./config.ts";
import { withoutCsv } from "./csv_rows.ts";
import { withEmbeddedNulls } from "./embedded_nulls.ts";
import { emailLinks } from "./email_links.ts";
import { withHints } from "./embeddings.ts";
import { withPlainFilters } from "./filters.ts";
import { type FunctionCalls, functionCalls } from "./function_calls.ts";
import { openAuthConnection, openDataConnection, searchPathOf } from "./lite_connection.ts";
import type { Keys } from "./keys.ts";
import { checkSelect } from "./malformed.ts";
import { meaning } from "./meant.ts";
import { withAllColumns } from "./missing_columns.ts";
import { newPassword } from "./new_password.ts";
import { type DatabaseError, errorResponse, Refused } from "./postgrest_errors.ts";
import { changing } from "./representation.ts";
import { located } from "./unknown_column.ts";
import { mustBeRestricted } from "./unrestricted.ts";
import { verifyEmail } from "./verify_email.ts";

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
  /** @param claims of the bearer, when the gateway has verified one */
  data(request: Request, claims?: Record<string, unknown>): Promise<Response>;
  /** Answers what needs no more than a call of a function, and gives everything else back. */
  call: FunctionCalls["answer"];
  /** Forgets what is known of the tables and functions; `notify pgrst` does the same. */
  reloadSchema(): Promise<void>;
  stop(): Promise<void>;
}

/** The auth schema's tables, as lite would create them. */
export function authSchemaSql(): string {
  return getAuthSchemaSql();
}

/** What a request brings and what it met in the database, noted while lite handles it. */
interface Noted {
  claims?: Record<string, unknown>;
  error?: DatabaseError;
}

const inside = new AsyncLocalStorage<Noted>();

function noteError(error: DatabaseError): void {
  const store = inside.getStore();
  if (store) store.error = error;
}

// Lite prints every refusal of the database to the terminal, although the caller gets it as an answer.
const printError = console.error;
console.error = (...values: unknown[]) => inside.getStore() ? undefined : printError(...values);

/** Where a site is developed, beside the stack. */
const LOCAL_SITES = ["http://127.0.0.1:3000/**", "http://localhost:3000/**"];

/** The providers whose credentials are there. */
function providers(external: ProjectConfig["auth"]["external"]) {
  return Object.fromEntries(
    Object.entries(external).filter(([, provider]) => provider?.enabled && provider.client_id && provider.secret),
  );
}

/** The templates of messages, with the paths as they are found from anywhere. */
function templatesOf({ auth, directory }: ProjectConfig) {
  return Object.fromEntries(
    Object.entries(auth.email.template ?? {}).map(([name, { content_path, ...rest }]) => [name, {
      ...rest,
      ...(content_path === undefined ? {} : { content_path: resolve(directory, "..", content_path) }),
    }]),
  );
}

function createApp(options: AuthDataOptions, connection: PostgresConnection, tokensAreVerified: boolean) {
  const { api, auth } = options.config;
  const { template: _, enabled, ...email } = auth.email;
  const takesEmail = enabled ?? email.enable_signup ?? true;
  return new App({
    connection,
    api,
    auth: {
      enabled: true,
      jwt_secret: options.keys.jwtSecret,
      publishable_key: options.keys.publishableKey,
      secret_key: options.keys.secretKey,
      site_url: auth.site_url,
      additional_redirect_urls: [...auth.additional_redirect_urls, ...LOCAL_SITES],
      external: providers(auth.external),
      jwt_expiry: auth.jwt_expiry,
      enable_signup: auth.enable_signup,
      enable_refresh_token_rotation: auth.enable_refresh_token_rotation,
      refresh_token_reuse_interval: auth.refresh_token_reuse_interval,
      minimum_password_length: auth.minimum_password_length,
      ...(auth.password_requirements ? { password_requirements: auth.password_requirements } : {}),
      email: {
        ...email,
        enable_signup: takesEmail,
        template: templatesOf(options.config),
        // Of the two messages lite sends and asks for the old address's alone: anybody could have taken any address.
        double_confirm_changes: false,
      },
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
            const { claims } = inside.getStore() ?? {};
            // Nor is the signature worth another look, unless lite may have something to say about it.
            if (claims && Number(claims.iat ?? 0) * 1000 <= Date.now()) {
              context.set("jwt", claims);
              context.set("ignoreAuthorization", true);
            }
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

/** What lite refuses, or does otherwise than PostgREST, asked in another way. */
function inLitesWords(request: Request): Request {
  const headers = new Headers(request.headers);
  const prefer = headers.get("prefer");
  if (prefer) headers.set("prefer", preferred(prefer));
  // The head of a function's answer: what serves it leaves the body out.
  const isCall = request.method === "HEAD" && new URL(request.url).pathname.includes("/rpc/");
  return new Request(request.url, { method: isCall ? "GET" : request.method, headers, body: request.body });
}

/** What lite's Auth does not have, or did not foresee, it leaves to its server, whose words no client can read. */
function inWords(response: Response, error?: DatabaseError): Response {
  const isJson = response.headers.get("content-type")?.includes("json");
  if (response.status === 404 && !isJson) return absent();
  if (response.status < 500 || error === undefined) return response;
  return error.code === "23505"
    ? new AuthRefusal(422, "user_already_exists", "User already registered").response
    : new AuthRefusal(500, "unexpected_failure", `Database error: ${error.message}`).response;
}

/** Starts Auth and the Data API over one database. Needs the platform's objects to be there. */
export async function startAuthData(options: AuthDataOptions): Promise<AuthData> {
  Deno.env.set("LITE_TELEMETRY", "0");
  const searchPath = searchPathOf(options.config.api.extra_search_path);
  const connection = openDataConnection(options.databaseUrl, searchPath, noteError);
  const isPublicFirst = options.config.api.schemas[0] === "public";
  const calls = functionCalls(connection.driver, searchPath);
  const authConnection = openAuthConnection(options.databaseUrl, noteError);
  const links = emailLinks(authConnection.driver);
  const deliver = async (message: EmailMessage) => await options.deliver(await links.lead(message));
  const data = createApp(options, connection, true);
  const auth = createApp({ ...options, deliver }, authConnection, false);
  await Promise.all([data.init(), auth.init()]);
  await connection.introspect({ useCache: true });
  const reloadSchema = () => {
    calls.reload();
    return connection.clearSchemaCache();
  };
  const listener = await connection.driver.listen("pgrst", () => void reloadSchema());

  // So that lite does what PostgREST would.
  const asMeant = async (request: Request) => {
    const known = await connection.introspect({ useCache: true });
    const asked = await withoutCsv(inLitesWords(request));
    checkSelect(new URL(asked.url).searchParams.get("select") ?? "");
    await mustBeRestricted(asked, known);
    const name = asked.method === "GET" ? /\/rpc\/([^/?]+)/.exec(asked.url)?.[1] : undefined;
    const called = known.functions?.filter((known) => known.schema === "public" && known.name === name) ?? [];
    const isArgument = (key: string) => called.some(({ arg_names }) => arg_names.includes(key));
    const hinted = isPublicFirst ? withHints(withEmbeddedNulls(asked, known), known) : asked;
    return await withAllColumns(withPlainFilters(hinted, isArgument));
  };
  const handle = (app: typeof data) => async (request: Request, claims?: Noted["claims"]) => {
    const noted: Noted = { claims };
    const response = await inside.run(
      noted,
      () => meaning(() => changing(request, async () => await app.fetch(await asMeant(request)))),
    )
      .catch((thrown) => {
        if (thrown instanceof Refused) return thrown.response;
        throw thrown;
      });
    if (response.status < 400 || noted.error === undefined) return asAsked(request, response);
    await response.body?.cancel();
    const isAnonymous = !request.headers.has("authorization") &&
      request.headers.get("apikey") !== options.keys.secretKey;
    const error = located(noted.error, request, await connection.introspect({ useCache: true }));
    return errorResponse(error, isAnonymous, response.headers);
  };
  const hook = options.config.auth.hook.custom_access_token;
  const dress = accessTokenDresser({
    sql: authConnection.driver,
    issuer: `${options.gatewayUrl}/auth/v1`,
    jwtSecret: options.keys.jwtSecret,
    ...(hook?.enabled ? { hook: hook.uri } : {}),
  });
  const admin = authAdmin({
    sql: authConnection.driver,
    gatewayUrl: options.gatewayUrl,
    siteUrl: options.config.auth.site_url,
    invite: templatesOf(options.config).invite,
    deliver: options.deliver,
  });
  const isAdmin = ({ headers }: Request) =>
    headers.get("apikey") === options.keys.secretKey && !headers.has("authorization");
  const lite = newPassword(authConnection.driver, (request) => Promise.resolve(auth.fetch(request)));
  const answer = withoutAbsent(links.over(verifyEmail(lite)));
  return {
    data: handle(data),
    async auth(request) {
      const administered = await admin(request, isAdmin(request));
      if (administered) return administered;
      const noted: Noted = {};
      return await dress(request, inWords(await inside.run(noted, () => answer(request)), noted.error));
    },
    call: isPublicFirst ? calls.answer : (request) => Promise.resolve(request),
    reloadSchema,
    async stop() {
      await listener.unlisten().catch(() => {});
      await Promise.all([connection.driver.end({ timeout: 2 }), authConnection.driver.end({ timeout: 2 })]);
    },
  };
}
