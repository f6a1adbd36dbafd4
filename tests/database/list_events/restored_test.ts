// list_events: what docs/workflows.md has one run after a restore from a dump lets the log be read again, from its start to
// what is written since.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { graph } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";
import { untilVisible } from "../../support/transactions.ts";

const db = await shareDatabase();
const text = await Deno.readTextFile(new URL("../../../docs/workflows.md", import.meta.url));
const [, statements = ""] = /\*\*After a restore from a dump\*\*[\s\S]*?```sql\n([\s\S]*?)```/.exec(text) ?? [];

Deno.test("after a restore from a dump the log is read to its end, in its order, and nothing is behind", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  await run.complete("a");
  // The other database had come further than this one.
  await db.sql.unsafe(`
    update public.execution_events
    set transaction_id = (transaction_id::text::bigint + 1000000000)::text::xid8 where workflow_execution_id = '${run.id}'`);
  const follow = async () => {
    await untilVisible(db);
    const answer = await db.rpc(run.project.viewer.actor, "follow_execution", { execution_id: run.id });
    return [answer.events.map(({ type }: { type: string }) => type), answer.is_behind];
  };
  assertEquals(await follow(), [[], true]);

  await db.sql.unsafe(statements);
  await run.complete("b");
  const started = "execution.started";
  const ended = "execution.completed";
  const worked = ["task.running", "task.completed"];
  assertEquals(await follow(), [[started, ...worked, ...worked, ended], false]);
});
