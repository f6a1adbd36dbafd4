// Transactions that a test holds open, to decide in which order two callers meet.
import type postgres from "postgres";
import { type Actor, type Answer, become, callDoor, type TestDatabase } from "./database.ts";
import { PATIENCE_MS } from "./eventually.ts";

export interface OpenTransaction extends AsyncDisposable {
  /** The server process behind it, to ask what it waits for. */
  pid: number;
  sql: postgres.TransactionSql;
  rpc(door: string, args?: Record<string, unknown>): Promise<Answer>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** After so long, in milliseconds, what a transaction is doing is cancelled: many times what the slowest test holds one. */
const PATIENCE = 120_000;

/**
 * Begins a transaction as the actor on a connection of its own.
 *
 *     await using first = await openTransaction(db, "worker");
 *     await first.rpc("claim_tasks", { … });      // holds its locks until first.commit()
 */
export async function openTransaction(db: TestDatabase, actor: Actor): Promise<OpenTransaction> {
  const begun = Promise.withResolvers<postgres.TransactionSql>();
  const ending = Promise.withResolvers<"commit" | "rollback">();
  const rolledBack = new Error("rolled back by the test");
  const connection = db.connect();
  const ended = connection.begin(async (tx) => {
    // A test that waits for what never comes fails instead of standing still.
    await tx`set local lock_timeout = '60s'`;
    await become(tx, actor);
    begun.resolve(tx);
    if (await ending.promise === "rollback") throw rolledBack;
  });
  ended.catch(begun.reject);
  const sql = await begun.promise;
  const [backend] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
  const pid = backend?.pid ?? 0;
  // Nor does a statement that goes on after its own timeout make the suite stand still.
  const patience = setInterval(() => db.sql`select pg_cancel_backend(${pid})`.catch(() => {}), PATIENCE);
  const end = async (how: "commit" | "rollback") => {
    clearInterval(patience);
    ending.resolve(how);
    try {
      await ended;
    } catch (error) {
      if (error !== rolledBack) throw error;
    } finally {
      // A test may open hundreds, one after another; the server has room for about a hundred at once.
      await connection.end();
    }
  };
  return {
    pid,
    sql,
    rpc(door, args) {
      const answer = callDoor(sql, door, args);
      // A refusal may come while its test still ends what it waited for, and asks only then.
      answer.catch(() => {});
      return answer;
    },
    commit: () => end("commit"),
    rollback: () => end("rollback"),
    // A statement that failed has failed its test already; it must not hide that here.
    [Symbol.asyncDispose]: () => end("rollback").catch(() => {}),
  };
}

/** Resolves once that transaction waits for another's lock, or once `unless` has settled without having to. */
export async function waitUntilBlocked(
  db: TestDatabase,
  transaction: OpenTransaction,
  unless?: Promise<unknown>,
): Promise<void> {
  let isSettled = false;
  const settle = () => void (isSettled = true);
  unless?.then(settle, settle);
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline && !isSettled) {
    const [row] = await db.sql`select cardinality(pg_blocking_pids(${transaction.pid})) as n`;
    if (row?.n > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  if (!isSettled) throw new Error("The transaction was expected to wait for a lock, but it does not");
}

/** Resolves once somebody waits for a lock of that transaction. */
export async function waitUntilBlocking(sql: postgres.Sql, { pid }: { pid: number }): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const [row] = await sql`
      select exists (select from pg_stat_activity as a where ${pid} = any (pg_blocking_pids(a.pid))) as is_met`;
    if (row?.is_met) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("Somebody was expected to wait for the transaction's lock, but nobody does");
}

/** Resolves once the statement of that transaction has been at work for so long. */
export async function untilAtWorkFor(db: TestDatabase, { pid }: OpenTransaction, milliseconds: number): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const [row] = await db.sql`
      select clock_timestamp() - query_start > make_interval(secs => ${milliseconds / 1000}) as is_long
      from pg_stat_activity where pid = ${pid} and state = 'active'`;
    if (row?.is_long) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("The statement was expected to be at work for longer");
}

/**
 * Resolves once readers of events see all that has committed so far: they stop at the oldest transaction that is still
 * running, also in the databases of other test files.
 */
export async function untilVisible(db: TestDatabase): Promise<void> {
  const [now] = await db.sql`select pg_current_xact_id()::text as id`;
  const deadline = Date.now() + 120_000;
  while (Date.now() < deadline) {
    const [row] = await db.sql`select pg_snapshot_xmin(pg_current_snapshot()) > ${now?.id}::xid8 as is_visible`;
    if (row?.is_visible) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("Another transaction has been open for two minutes");
}
