// The short way to the database: a connection of the function's own, on which a door is called as the caller in one round
// trip. It takes the very rights that the Data API would give, by the same settings, in the same statement.
import type { Sql } from "postgres";
import { lazy } from "../../../shared/contract/operation.ts";
import { env } from "./env.ts";
import { createTurns } from "./turns.ts";

/** Who a door is called as: the role, and what the verified token says. */
export interface Caller {
  readonly role: "authenticated" | "service_role";
  readonly claims: Record<string, unknown>;
  /** Whose statements leave connections to others: a person, or what anybody may have the function ask. */
  readonly holder?: string | undefined;
}

/** No connection could be made: nothing was asked of the database. */
export class NoConnection extends Error {
  override name = "NoConnection";
}

/** What connecting fails with; anything that happens later is the statement's own failure. */
const NOT_CONNECTED = new Set(["CONNECT_TIMEOUT", "ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "ENETUNREACH"])
  .union(new Set(["28000", "28P01", "3D000", "53300", "57P03"]));

/** Who could not connect does not try again for a while, in milliseconds: the Data API answers meanwhile. */
const PAUSE_MS = 30_000;
let pausedUntil = 0;

/** A few, as every instance of a function has its own: statements are short, and more of them wait in line. */
const CONNECTIONS = 4;
const inTurn = createTurns(CONNECTIONS, true);

/** The library, loaded by the first call: what never asks the database does not wait for it. */
const library = lazy(async () => (await import("postgres")).default);

/**
 * Connections that nobody uses. The last one used is the next: it has the doors' plans at hand, and those that are not
 * needed end by themselves.
 */
const unused: Sql[] = [];

async function open(): Promise<Sql> {
  const postgres = await library();
  const url = env.databaseUrl ?? "";
  return postgres(url, {
    max: 1,
    idle_timeout: 20,
    connect_timeout: 3,
    // A pooler in transaction mode keeps no statements.
    prepare: !url.includes(":6543"),
    ssl: env.isLocal ? false : "prefer",
    fetch_types: false,
    onnotice: () => {},
    // The Data API's own limit: with more, a few requests that take for ever would keep the connections from everybody.
    connection: { application_name: "genesis-engine", statement_timeout: 8_000 },
  });
}

/** What the database refused, unlike a connection that broke. */
export const isRefusal = (error: unknown): error is Error & { code: string; detail?: string; hint?: string } =>
  error instanceof Error && error.name === "PostgresError" && (error as { severity?: string }).severity === "ERROR";

/** Does the work on a connection that is nobody else's meanwhile, in the holder's turn. */
async function withConnection<Result>(holder: Caller["holder"], work: (sql: Sql) => Promise<Result>): Promise<Result> {
  return await inTurn(holder, async () => {
    // While it waited, others may have found that no connection can be made.
    if (!isConnectable()) throw new NoConnection("The database could not be connected to.");
    const sql = unused.pop() ?? await open();
    try {
      const result = await work(sql);
      unused.push(sql);
      return result;
    } catch (error) {
      // One that broke is not taken again: it may not have noticed yet.
      if (isRefusal(error)) unused.push(sql);
      else sql.end({ timeout: 0 }).catch(() => {});
      throw error;
    }
  });
}

/**
 * The rows that are there. After a statement that was ended when its row was on the way, as by its timeout, the library
 * goes on counting: the next answer on that connection has an empty place before it.
 */
const present = <Row>(rows: readonly Row[]): Row[] => rows.filter(() => true);

/** The arguments of a door and their types, asked for once. */
const signatures = new Map<string, Promise<Map<string, string>>>();

async function readSignature(sql: Sql, name: string): Promise<Map<string, string>> {
  const rows = await sql.unsafe<{ name: string; type: string }[]>(
    `select a.name, format_type(a.type, null) as type
     from pg_proc as p, unnest(p.proargnames, p.proargtypes::oid[]) as a (name, type)
     where p.pronamespace = 'public'::regnamespace and p.proname = $1`,
    [name],
  );
  return new Map(present(rows).map((row) => [row.name, row.type]));
}

function signatureOf(sql: Sql, name: string): Promise<Map<string, string>> {
  const known = signatures.get(name) ?? readSignature(sql, name);
  signatures.set(name, known);
  known.catch(() => signatures.delete(name));
  return known;
}

/** Every value goes as text and is cast by its type; a list of texts by way of JSON. */
function argument(name: string, type: string, place: number): string {
  return type.endsWith("[]")
    ? `"${name}" => array(select jsonb_array_elements_text($${place}::text::jsonb))::${type}`
    : `"${name}" => $${place}::text::${type}`;
}

const asText = (value: unknown, type: string) =>
  value === null ? null : type === "jsonb" || typeof value === "object" ? JSON.stringify(value) : String(value);

/** Can doors be called this way at the moment? */
export const isConnectable = () => env.databaseUrl !== undefined && Date.now() >= pausedUntil;

/**
 * Calls a door as the caller. The settings are taken first, as the door's row is made from theirs, and end with the
 * statement. Throws NoConnection, or what the database raised.
 */
export async function callAs(caller: Caller, name: string, args: Record<string, unknown>): Promise<unknown> {
  try {
    return await withConnection(caller.holder, async (sql) => {
      const types = await signatureOf(sql, name);
      const given = Object.entries(args).filter(([key, value]) => value !== undefined && types.has(key));
      const list = given.map(([key], index) => argument(key, types.get(key) ?? "text", index + 4)).join(", ");
      const statement = `with caller as materialized (
           select set_config('role', $1, true), set_config('request.jwt.claims', $2, true),
             set_config('request.path', $3, true)
         )
         select public."${name}"(${list}) as answer from caller`;
      const values = given.map(([key, value]) => asText(value, types.get(key) ?? "text"));
      const parameters = [caller.role, JSON.stringify(caller.claims), `/rpc/${name}`, ...values];
      const rows = await sql.unsafe<{ answer: unknown }[]>(statement, parameters, { prepare: true });
      return present(rows)[0]?.answer;
    });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!NOT_CONNECTED.has(code)) throw error;
    pausedUntil = Date.now() + PAUSE_MS;
    throw new NoConnection("The database could not be connected to.", { cause: error });
  }
}
