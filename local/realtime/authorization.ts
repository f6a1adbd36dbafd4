// Asks the policies on realtime.messages what a caller may do on a private topic, the way the platform does: with rows
// that are rolled back.
import postgres from "postgres";
import type { Caller } from "../caller.ts";
import { isOutOfReach } from "./out_of_reach.ts";

export type Extension = "broadcast" | "presence";

/** Who asks, on which topic (without `realtime:`). */
export interface Question {
  topic: string;
  caller: Caller;
  headers: Record<string, string>;
}

const undo = Symbol("rolled back");

/** A policy that fails; a database that was not asked has allowed and refused nothing. */
const isAnswer = (thrown: unknown): boolean => thrown instanceof postgres.PostgresError && !isOutOfReach(thrown);

function become(tx: postgres.TransactionSql, { topic, caller, headers }: Question) {
  const { role, claims } = caller;
  return tx`
    select
      set_config('role', ${role}, true),
      set_config('realtime.topic', ${topic}, true),
      set_config('request.jwt.claims', ${JSON.stringify(claims)}, true),
      set_config('request.jwt.claim.sub', ${typeof claims.sub === "string" ? claims.sub : ""}, true),
      set_config('request.jwt.claim.role', ${role}, true),
      set_config('request.headers', ${JSON.stringify(headers)}, true)`;
}

/** Runs in a transaction of which nothing stays. */
async function rolledBack<T>(sql: postgres.Sql, work: (tx: postgres.TransactionSql) => Promise<T>): Promise<T> {
  let result: { value: T } | undefined;
  try {
    await sql.begin(async (tx) => {
      result = { value: await work(tx) };
      throw undo;
    });
  } catch (thrown) {
    if (thrown !== undo) throw thrown;
  }
  if (!result) throw new Error("Cannot read the answer of the policies: the transaction ended without one");
  return result.value;
}

/** What the caller may receive. A policy that fails to answer allows nothing. */
export async function mayReceive(sql: postgres.Sql, question: Question): Promise<Record<Extension, boolean>> {
  const extensions: Extension[] = ["broadcast", "presence"];
  try {
    const seen = await rolledBack(sql, async (tx) => {
      const probes = await tx<{ id: string }[]>`
        insert into realtime.messages (topic, extension)
        select ${question.topic}, e from unnest(${extensions}::text[]) as e returning id`;
      await become(tx, question);
      return await tx<{ extension: Extension }[]>`
        select extension from realtime.messages where id = any (${probes.map(({ id }) => id)}::uuid[])`;
    });
    const may = (extension: Extension) => seen.some((row) => row.extension === extension);
    return { broadcast: may("broadcast"), presence: may("presence") };
  } catch (thrown) {
    if (isAnswer(thrown)) return { broadcast: false, presence: false };
    throw thrown;
  }
}

/** Whether the caller may send. A policy that fails to answer allows nothing. */
export async function maySend(sql: postgres.Sql, question: Question, extension: Extension): Promise<boolean> {
  try {
    return await rolledBack(sql, async (tx) => {
      await become(tx, question);
      await tx`insert into realtime.messages (topic, extension) values (${question.topic}, ${extension})`;
      return true;
    });
  } catch (thrown) {
    if (isAnswer(thrown)) return false;
    throw thrown;
  }
}
