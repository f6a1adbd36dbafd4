// Lite's two connection pools, changed where lite would act unlike the platform: grants, settings, JSON, times, errors.
import { createPostgresConnection, type PostgresConnection } from "@supabase/lite/postgres";
import { databaseOf } from "./database_name.ts";
import { onDatabaseSocket } from "./database_socket.ts";
import { type DatabaseError, isSqlState } from "./postgrest_errors.ts";
import { callSettings, requestSettings, type RpcRequest, settingsSql } from "./request_settings.ts";

/** What lite calls a transaction: all that is used of it here is to run one statement. */
interface Transaction {
  executeQuery(query: unknown): Promise<unknown>;
}

function run(transaction: Transaction, sql: string): Promise<unknown> {
  const node = { kind: "RawNode", sqlFragments: [sql], parameters: [] };
  return transaction.executeQuery({ query: node, queryId: { queryId: "stack" }, sql, parameters: [] });
}

/** One round trip for all settings. */
function applySettings(transaction: Transaction, settings: Record<string, string>): Promise<unknown> {
  return run(transaction, settingsSql(settings));
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

/** The connection ended, and the statement with it: as postgres.js, PostgreSQL or the socket says it. */
const isLost = (thrown: unknown): boolean =>
  /^(CONNECTION_|57P|E[A-Z_]+$)/.test(String((thrown as { code?: unknown } | null)?.code));

/**
 * Lite writes argument names bare, so a door with an argument called `limit` would be a syntax error. And when a connection
 * ends in a transaction, postgres.js neither runs nor refuses the ROLLBACK; handed back once more, the connection would
 * stand among the open ones for good.
 */
function mendReserved(driver: PostgresConnection["driver"]): void {
  const reserve = driver.reserve;
  driver.reserve = async () => {
    const reserved = await reserve();
    const { unsafe, release } = reserved;
    let lost: unknown;
    return Object.assign(reserved, {
      unsafe(sql: string, ...rest: unknown[]) {
        if (lost) return Promise.reject(lost);
        const text = sql.replaceAll(/\b([a-z_][a-z0-9_$]*) := /g, '"$1" := ');
        const query: Promise<unknown> = Reflect.apply(unsafe, reserved, [text, ...rest]);
        query.catch((thrown) => {
          if (isLost(thrown)) lost = thrown;
        });
        return query;
      },
      release: () => lost ? undefined : release(),
    });
  };
}

interface RequestAuth {
  auth?: { uid?: string | null; role?: string; jwt?: Record<string, unknown> | null };
}

/** What unqualified names mean in a request. */
export function searchPathOf(extra: string[]): string {
  return ["public", ...extra]
    .filter((schema, index, all) => all.indexOf(schema) === index)
    .map((schema) => `"${schema.replaceAll('"', '""')}"`).join(", ");
}

/** Opens a connection pool whose requests get exactly the settings that PostgREST gives them. */
export function openDataConnection(
  url: string,
  searchPath: string,
  noteError: (error: DatabaseError) => void,
): PostgresConnection {
  const connection = createPostgresConnection({
    url,
    // Unnamed statements: a named one would fail after a migration changed what it returns.
    postgresOptions: {
      database: databaseOf(url),
      max: 15,
      // One request at a time on a connection, so that whoever waits for a lock keeps nobody else waiting. (An option that the
      // types do not know.)
      ...{ max_pipeline: 0 },
      prepare: false,
      onnotice: () => {},
      ...onDatabaseSocket,
      connection: { application_name: "data" },
      types: { timestamp: isoTime(1114), timestamptz: isoTime(1184), json: jsonText(114), jsonb: jsonText(3802) },
    },
  });
  mendReserved(connection.driver);
  return Object.assign(connection, {
    // Lite's own version grants every table of every schema with RLS to anon: it would undo the migrations' revokes.
    ensureRlsContext: () => Promise.resolve(true),
    applyJwtSessionContext(transaction: Transaction, context: RequestAuth) {
      const role = context.auth?.role ?? "anon";
      const claims = context.auth?.jwt ?? { role };
      return applySettings(transaction, requestSettings(role, claims, searchPath));
    },
    applyRpcRequestGucs(transaction: Transaction, request: RpcRequest) {
      return applySettings(transaction, callSettings(request));
    },
    normalizeDbError(error: unknown) {
      const { code, message, detail, hint } = (error ?? {}) as Partial<DatabaseError>;
      if (isSqlState(code)) noteError({ code, message: message ?? "", detail, hint });
      return error;
    },
  });
}

/** Auth writes as the role it has on the platform, so that a sign-up trigger with too few rights fails here as well. */
export function openAuthConnection(url: string): PostgresConnection {
  const connection = createPostgresConnection({
    url,
    postgresOptions: {
      database: databaseOf(url),
      max: 8,
      prepare: false,
      onnotice: () => {},
      ...onDatabaseSocket,
      connection: { application_name: "auth", role: "supabase_auth_admin", search_path: "auth" },
      types: { json: jsonText(114), jsonb: jsonText(3802) },
    },
  });
  mendReserved(connection.driver);
  return connection;
}
