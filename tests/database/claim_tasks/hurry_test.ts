// Claims that follow each other do not wait for the disk; whatever else a transaction holds does.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { startRun } from "../../support/run.ts";
import { graph } from "../../support/factories.ts";
import { openTransaction } from "../../support/transactions.ts";
import { connectAsWorker } from "../../support/worker.ts";

const db = await shareDatabase();

/** A worker's connection, as one that calls the database by itself has it; it ends with the test. */
function connectWorker() {
  const sql = connectAsWorker(db.url);
  return { sql, [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }) };
}

const claim = (execution: string) =>
  `select public.claim_tasks(worker_id := 'w', agent_types := '{backend}', execution_id := '${execution}');`;
const how = "select current_setting('synchronous_commit') as how;";
const wide = graph([["n0", "join"], ["n1", "join"], ["n2", "join"]]);

/** How the transaction of these statements, sent as one, is going to be committed. */
async function committed({ sql }: ReturnType<typeof connectWorker>, ...statements: string[]): Promise<string> {
  const results = await sql.unsafe([...statements, how].join("")).simple() as unknown as { how?: string }[][];
  return results.flat().at(-1)?.how ?? "nothing";
}

Deno.test("the first claim of a connection is on disk before it is answered", async () => {
  const run = await startRun(db, wide);
  await using worker = connectWorker();
  assertEquals(await committed(worker, claim(run.id)), "on");
});

Deno.test("a claim right after another does not wait for the disk", async () => {
  const run = await startRun(db, wide);
  await using worker = connectWorker();
  assertEquals(await committed(worker, claim(run.id), claim(run.id)), "off");
});

Deno.test("a claim by a request does not either, though it is a prepared statement", async () => {
  const run = await startRun(db, wide);
  await using worker = connectWorker();
  const ask = async (path: string) => {
    const [row] = await worker.sql`
      with request as materialized (select set_config('request.path', ${path}, true))
      select public.claim_tasks(worker_id := 'w', agent_types := '{backend}', execution_id := ${run.id}) as answer,
        current_setting('synchronous_commit') as how
      from request`;
    return row?.how;
  };
  await ask("/rpc/claim_tasks");
  // Sent as one, and again where the machine stood still for some milliseconds between the two.
  const both = () => Promise.all([ask("/rpc/something_else"), ask("/rpc/claim_tasks")]);
  // What else a request calls may be more than the claim.
  assertEquals(await eventually(both, ([other, claim]) => other !== "on" || claim === "off"), ["on", "off"]);
});

Deno.test("what follows a claim in a hurry waits for the disk again", async () => {
  const run = await startRun(db, wide);
  await using worker = connectWorker();
  await committed(worker, claim(run.id), claim(run.id));
  assertEquals(await committed(worker), "on");
});

Deno.test("a claim inside a longer transaction leaves it to be written as it would be", async () => {
  const run = await startRun(db, wide);
  await using tx = await openTransaction(db, "worker");
  for (let n = 0; n < 3; n++) {
    await tx.rpc("claim_tasks", { worker_id: "w", agent_types: ["backend"], execution_id: run.id });
  }
  const [row] = await tx.sql`select current_setting('synchronous_commit') as how`;
  assertEquals(row?.how, "on");
});
