// A database of its own for a test file: a clone of the migrated template, with people in it and a way to speak as them.
import postgres from "postgres";
import { eventually } from "./eventually.ts";
import { stack } from "./stack.ts";

export const TEMPLATE = "genesis_template";

/** Who a statement runs as: a person by id, someone without an account, a worker, or the owner of everything. */
export type Actor = { user: string } | "anon" | "worker" | "superuser";

/** What PostgreSQL refused, with the fields that carry a code of the closed list. */
export interface Refusal {
  sqlstate: string;
  code: string | undefined;
  message: string;
  details: Record<string, unknown>;
}

export interface TestDatabase extends AsyncDisposable {
  /** For what no actor may do: set up rows, look behind the curtain. */
  sql: postgres.Sql;
  url: string;
  /** A connection of its own, for tests that hold transactions open. */
  connect(): postgres.Sql;
  /** Runs the statements in one transaction as the actor, as the Data API would. */
  as<Result>(actor: Actor, run: (sql: postgres.TransactionSql) => Promise<Result>): Promise<Result>;
  /** Calls a public door as the actor with named arguments. */
  rpc(actor: Actor, door: string, args?: Record<string, unknown>): Promise<Answer>;
  /** The refusal of a door, or a failed test where it did not refuse. */
  refusal(actor: Actor, door: string, args?: Record<string, unknown>): Promise<Refusal>;
}

/** The jsonb that a door answers; tests read it freely. */
// deno-lint-ignore no-explicit-any
export type Answer = any;

const connectTo = (url: string) => postgres(url, { max: 8, onnotice: () => {}, connection: { TimeZone: "UTC" } });

/** A database to test with, which is there already. */
export function openDatabase(databaseUrl: string): TestDatabase {
  const sql = connectTo(databaseUrl);
  const others: postgres.Sql[] = [];

  const as: TestDatabase["as"] = async (actor, run) => {
    const result = await sql.begin(async (tx) => {
      await become(tx, actor);
      return { value: await run(tx) };
    });
    return (result as { value: Awaited<ReturnType<typeof run>> }).value;
  };
  const rpc: TestDatabase["rpc"] = (actor, door, args = {}) => as(actor, (tx) => callDoor(tx, door, args));

  return {
    sql,
    url: databaseUrl,
    connect() {
      const other = connectTo(databaseUrl);
      others.push(other);
      return other;
    },
    as,
    rpc,
    refusal: (actor, door, args) => refused(rpc(actor, door, args)),
    async [Symbol.asyncDispose]() {
      await Promise.all([sql, ...others].map((connection) => connection.end({ timeout: 1 })));
    },
  };
}

/** Clones the template. `await using db = await cloneDatabase()` drops it at the end. */
export async function cloneDatabase(): Promise<TestDatabase> {
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  const admin = connectTo(stack.adminDatabaseUrl);
  const make = async () => {
    try {
      return await admin.unsafe(`create database ${name} template ${TEMPLATE}`);
    } catch (error) {
      // While autovacuum looks at the template, which takes long on a busy machine, nobody can clone it.
      if (!(error instanceof postgres.PostgresError && error.code === "55006")) throw error;
    }
  };
  if (!await eventually(make, (made) => made !== undefined)) throw new Error(`Somebody uses ${TEMPLATE}`);
  const url = new URL(stack.adminDatabaseUrl);
  url.pathname = `/${name}`;
  const db = openDatabase(url.href);
  return {
    ...db,
    async [Symbol.asyncDispose]() {
      await db[Symbol.asyncDispose]();
      await admin.unsafe(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
}

/** One clone for all the tests of a file, dropped after the last of them: `const db = await shareDatabase();` */
export async function shareDatabase(): Promise<TestDatabase> {
  const db = await cloneDatabase();
  Deno.test.afterAll(async () => await db[Symbol.asyncDispose]());
  return db;
}

/** Makes the rest of the transaction run as the actor, the way the Data API does. */
export async function become(tx: postgres.TransactionSql, actor: Actor): Promise<void> {
  const [role, claims] = roleOf(actor);
  if (!role) return;
  await tx`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true), set_config('role', ${role}, true)`;
}

/** Calls a public door with named arguments as whoever the transaction runs as. */
export async function callDoor(
  tx: postgres.TransactionSql | postgres.Sql,
  door: string,
  args: Record<string, unknown> = {},
): Promise<Answer> {
  const call = Object.keys(args).map((key, index) => `"${key}" := $${index + 1}`).join(", ");
  const values = Object.values(args).map((value) => asParameter(tx, value));
  const [row] = await tx.unsafe(`select public.${door}(${call}) as answer`, values);
  return row?.answer;
}

/** What PostgreSQL answered instead of a result, or a failed test where it did not refuse. */
export async function refused(statement: PromiseLike<unknown>): Promise<Refusal> {
  try {
    await statement;
  } catch (error) {
    if (error instanceof postgres.PostgresError) return refusalOf(error);
    throw error;
  }
  throw new Error("Expected a refusal, but the statement succeeded");
}

function roleOf(actor: Actor): [string | null, Record<string, unknown>] {
  if (actor === "superuser") return [null, {}];
  if (actor === "anon") return ["anon", { role: "anon" }];
  if (actor === "worker") return ["service_role", { role: "service_role" }];
  return ["authenticated", { role: "authenticated", sub: actor.user }];
}

// Objects are JSON, lists of strings are text[]; everything else is written as PostgreSQL reads it.
function asParameter(tx: postgres.TransactionSql | postgres.Sql, value: unknown): postgres.ParameterOrJSON<never> {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value as never;
  if (typeof value === "object" && value !== null) return tx.json(value as postgres.JSONValue) as never;
  return value as never;
}

export function refusalOf(error: postgres.PostgresError): Refusal {
  let details = {};
  try {
    details = JSON.parse(error.detail ?? "{}");
  } catch {
    // PostgreSQL's own details are prose.
  }
  return { sqlstate: error.code, code: error.hint, message: error.message, details };
}
