// Lite's two connection pools, changed where lite would act unlike the platform: grants, settings, JSON, times, errors.
import { createPostgresConnection, type PostgresConnection } from "@supabase/lite/postgres";
import postgres from "postgres";
import { arrayOf } from "./array_type.ts";
import { databaseOf } from "./database_name.ts";
import { onDatabaseSocket } from "./database_socket.ts";
import { asMeant } from "./meant.ts";
import { type DatabaseError, isSqlState } from "./postgrest_errors.ts";
import { noteRead, noteStatement, represented, Unchanged } from "./representation.ts";
import { callSettings, requestSettings, type RpcRequest, settingsSql } from "./request_settings.ts";
import { ofFirstTable } from "./spreads.ts";

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
function jsonText(oid: number, parse = (text: string) => JSON.parse(text)) {
  const serialize = (value: unknown) => isJsonText(value) ? value : JSON.stringify(value);
  return { to: oid, from: [oid], serialize, parse };
}

/** A string in JSON that may read as JSON itself. */
const MAY_HOLD_JSON = /"\s*(?:(?:-?\d[\d.eE+-]*|true|false|null)\s*"|[{[]|\\")/;

/** Lite reads a string that comes out of JSON as JSON once more: one that would become something else is boxed. */
function parseJson(text: string): unknown {
  // To look at each value takes several times as long as to read them.
  if (!MAY_HOLD_JSON.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value) => isJsonText(value) ? Object(value) : value);
}

/** A number of JSON, and what JSON has no number for as text, as PostgreSQL's to_json has it. */
function number(oid: number) {
  const parse = (text: string) => Number.isFinite(Number(text)) ? Number(text) : text;
  return { to: oid, from: [oid], serialize: String, parse };
}

function isJsonText(value: unknown): boolean {
  if (typeof value !== "string" || !/^\s*[-\d"tfn{[]/.test(value)) return false;
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}

/** What a request says is for the database to read: postgres.js takes every text for false. */
const booleans = { to: 16, from: [16], serialize: String, parse: (text: string) => text === "t" };

/** JSON in a column of text is its text, not `[object Object]`. */
function text(oid: number) {
  const serialize = (value: unknown) => typeof value === "object" ? JSON.stringify(value) : String(value);
  return { to: oid, from: [oid], serialize, parse: (text: string) => text };
}

/** Types that postgres.js, or lite, would read or write otherwise than PostgREST. */
const TYPES = {
  timestamp: isoTime(1114),
  timestamptz: isoTime(1184),
  json: jsonText(114, parseJson),
  jsonb: jsonText(3802, parseJson),
  numeric: number(1700),
  float4: number(700),
  float8: number(701),
  booleans,
  text: text(25),
  varchar: text(1043),
  bytea: text(17),
};

const ARRAYS = {
  timestamps: arrayOf(1115, TYPES.timestamp),
  timestamptzs: arrayOf(1185, TYPES.timestamptz),
  jsons: arrayOf(199, TYPES.json),
  jsonbs: arrayOf(3807, TYPES.jsonb),
  int2s: arrayOf(1005, number(21)),
  int4s: arrayOf(1007, number(23)),
  numerics: arrayOf(1231, TYPES.numeric),
  float4s: arrayOf(1021, TYPES.float4),
  float8s: arrayOf(1022, TYPES.float8),
  bools: arrayOf(1000, TYPES.booleans),
  texts: arrayOf(1009, TYPES.text),
  varchars: arrayOf(1015, TYPES.varchar),
  uuids: arrayOf(2951, text(2950)),
};

const EMPTY_ROWS = /^(insert into (?:"(?:[^"]|"")+"\.?)+) \(\) values (\(\)(?:, \(\))*)/;

/** Rows without a column, for which SQL has other words than lite. */
function ofDefaults(statement: string): string {
  return statement.replace(
    EMPTY_ROWS,
    (_all, insert: string, rows: string) => `${insert} select from generate_series(1, ${rows.split(",").length})`,
  );
}

/** The connection ended, and the statement with it: as postgres.js, PostgreSQL or the socket says it. */
const isLost = (thrown: unknown): boolean =>
  /^(CONNECT|57P|E[A-Z_]+$)/.test(String((thrown as { code?: unknown } | null)?.code));

/** Where one request at a time has a connection to itself. */
class Place {
  #sql: postgres.Sql;
  #lost: unknown;

  constructor(private readonly options: postgres.ParsedOptions) {
    this.#sql = this.#open();
  }

  #open(): postgres.Sql {
    const onclose = () => {
      if (this.#sql === sql) {
        this.#lost ??= Object.assign(new Error("The connection ended"), { code: "CONNECTION_CLOSED" });
      }
    };
    // Options that were read already are taken as they are, whatever the types say. None ends in the middle of a request
    // because it has grown old.
    const options: Record<string, unknown> = { ...this.options, max: 1, max_lifetime: null, onclose };
    const sql = postgres(options);
    return sql;
  }

  /** A request begins: what the one before it met is not its own. */
  begin(): void {
    if (this.#lost) {
      void this.end();
      this.#sql = this.#open();
    }
    this.#lost = undefined;
  }

  /** After a connection was lost its request gets no other: what it has still to say would be said outside its transaction. */
  unsafe(text: string, ...rest: unknown[]): Promise<unknown> {
    if (this.#lost) return Promise.reject(this.#lost);
    const query: Promise<unknown> = Reflect.apply(this.#sql.unsafe, undefined, [text, ...rest]);
    query.catch((thrown) => {
      if (isLost(thrown)) this.#lost = thrown;
    });
    return query;
  }

  end(options = { timeout: 0 }): Promise<void> {
    return this.#sql.end(options);
  }
}

/**
 * The connections that lite takes for its requests. postgres.js's own reserve() refuses, or forgets, who waits for one
 * when others end.
 */
function keepPlaces(driver: PostgresConnection["driver"], onError: (error: unknown) => void = () => {}): void {
  const places = Array.from({ length: driver.options.max }, () => new Place(driver.options));
  const free = [...places];
  const waiting: ((place: Place) => void)[] = [];
  const { end } = driver;
  // With a type, as nothing in the statement tells one.
  const unused = driver.typed("", 25);
  // postgres.js declares a boolean as one, and a list of them too, also where a text or JSON is to be.
  const undeclared = (value: unknown) => {
    if (typeof value === "boolean") return String(value);
    return Array.isArray(value) && typeof value[0] === "boolean" ? driver.typed(value as never, 0) : value;
  };
  Object.assign(driver, {
    async reserve() {
      const place = free.pop() ?? await new Promise<Place>((resolve) => waiting.push(resolve));
      place.begin();
      return {
        // Lite writes argument names bare, so a door with an argument called `limit` would be a syntax error.
        unsafe: (text: string, parameters: unknown[] = [], ...rest: unknown[]) => {
          const query = place.unsafe(
            ...asMeant(
              ofFirstTable(ofDefaults(text)).replaceAll(/\b([a-z_][a-z0-9_$]*) := /g, '"$1" := '),
              parameters.map(undeclared),
              unused,
            ),
            ...rest,
          );
          query.catch(onError);
          noteStatement(text);
          return query;
        },
        release() {
          const next = waiting.shift();
          if (next) next(place);
          else free.push(place);
        },
      };
    },
    end: (options?: { timeout: number }) => Promise.all([end(options), ...places.map((place) => place.end(options))]),
  });
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

function noteIfDatabases(error: unknown, noteError: (error: DatabaseError) => void): void {
  const { code, message, detail, hint } = (error ?? {}) as Partial<DatabaseError>;
  if (isSqlState(code)) noteError({ code, message: message ?? "", detail, hint });
  // Whichever way the socket says it: 08006 is the database's own name for it.
  else if (isLost(error)) noteError({ code: "08006", message: "The connection to the database was lost" });
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
      ...onDatabaseSocket({ application_name: "data" }),
      types: { ...TYPES, ...ARRAYS },
    },
  });
  keepPlaces(connection.driver);
  const { onPostgrestAST, withContext } = connection;
  return Object.assign(connection, {
    // Lite's own version grants every table of every schema with RLS to anon: it would undo the migrations' revokes.
    ensureRlsContext: () => Promise.resolve(true),
    applyJwtSessionContext(transaction: Transaction, context: RequestAuth) {
      const role = context.auth?.role ?? "anon";
      const claims = context.auth?.jwt ?? { role };
      return applySettings(transaction, requestSettings(role, claims, searchPath));
    },
    async onPostgrestAST(...request: Parameters<typeof onPostgrestAST>) {
      const read = await onPostgrestAST.apply(connection, request);
      noteRead(read);
      return read;
    },
    async withContext(...[vars, work, options]: Parameters<PostgresConnection["withContext"]>) {
      const answer = async (db: Parameters<typeof work>[0]) => {
        const answered = await work(db);
        return answered instanceof Response ? await represented(answered) : answered;
      };
      try {
        return await withContext.call(connection, vars, answer, options);
      } catch (thrown) {
        if (thrown instanceof Unchanged) return thrown.response;
        throw thrown;
      }
    },
    applyRpcRequestGucs(transaction: Transaction, request: RpcRequest) {
      return applySettings(transaction, callSettings(request));
    },
    normalizeDbError(error: unknown) {
      noteIfDatabases(error, noteError);
      return error;
    },
  });
}

/** Auth writes as the role it has on the platform, so that a sign-up trigger with too few rights fails here as well. */
export function openAuthConnection(url: string, noteError: (error: DatabaseError) => void): PostgresConnection {
  const connection = createPostgresConnection({
    url,
    postgresOptions: {
      database: databaseOf(url),
      max: 8,
      prepare: false,
      onnotice: () => {},
      ...onDatabaseSocket({ application_name: "auth", role: "supabase_auth_admin", search_path: "auth" }),
      types: {
        timestamp: TYPES.timestamp,
        timestamptz: TYPES.timestamptz,
        json: jsonText(114),
        jsonb: jsonText(3802),
        booleans,
      },
    },
  });
  keepPlaces(connection.driver, (error) => noteIfDatabases(error, noteError));
  return connection;
}
