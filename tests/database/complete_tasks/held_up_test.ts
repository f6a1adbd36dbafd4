// complete_tasks: who holds one execution of a batch keeps the reports about the others from nothing.
import { assertEquals } from "@std/assert";
import { type Answer, shareDatabase } from "../../support/database.ts";
import { executionRow, graph, report } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";
import { type OpenTransaction, openTransaction } from "../../support/transactions.ts";

const db = await shareDatabase();

const codes = (answer: Answer): string[] => answer.results.map((one: Answer) => one.ok ? "ok" : one.error.code);

const holds: [string, (holder: OpenTransaction, id: string) => Promise<unknown>][] = [
  ["forks it", ({ sql }, id) => sql`select private.enter_execution(${id}, true)`],
  ["deletes it", ({ sql }, id) => sql`select from public.workflow_executions where id = ${id} for update`],
];
for (const [how, hold] of holds) {
  for (const more of [{}, { messages: [], label: "x" }]) {
    const kind = "label" in more ? "that have to be looked at one by one" : "of plain graphs";
    Deno.test(`while somebody ${how}, of the reports ${kind} only those about it are unavailable`, async () => {
      const definition = "label" in more
        ? { ...graph([["x", "__end__"]]), edges: [{ source: "x", target: "__end__", label: "x" }] }
        : graph([["x", "__end__"]]);
      const held = await startRun(db, definition);
      const free = await startRun(db, definition);
      const results = [await held.lease("x"), await free.lease("x")].map((task) => report(task, more));
      await using holder = await openTransaction(db, "superuser");
      await hold(holder, held.id);

      await using worker = await openTransaction(db, "worker");
      await worker.sql`set local statement_timeout = '8s'`;
      assertEquals(codes(await worker.rpc("complete_tasks", { results })), ["unavailable", "ok"]);
      await worker.commit();
      await holder.rollback();

      assertEquals((await executionRow(db, free.id)).status, "completed");
      assertEquals(codes(await db.rpc("worker", "complete_tasks", { results })), ["ok", "ok"]);
      assertEquals((await executionRow(db, held.id)).status, "completed");
    });
  }
}
