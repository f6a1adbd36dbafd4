// follow_execution: the log from a cursor, with the execution and the tasks it tells of at the same moment.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { graph } from "../../support/factories.ts";
import { type Run, startRun } from "../../support/run.ts";
import { openTransaction, untilVisible } from "../../support/transactions.ts";

const db = await shareDatabase();

const call = (run: Run, door: string, fields: Record<string, unknown> = {}) =>
  db.rpc(run.project.viewer.actor, door, { execution_id: run.id, ...fields });

Deno.test("the events are those of list_events, page by page", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  await run.complete("a");
  await untilVisible(db);
  for (const fields of [{ limit: 1 }, { after: (await call(run, "list_events", { limit: 1 })).cursor }]) {
    const { execution: _, tasks: __, is_behind: ___, ...log } = await call(run, "follow_execution", fields);
    assertEquals(log, await call(run, "list_events", fields));
  }
});

Deno.test("beside them are the execution and the tasks they name, as execution_state has them, and no others", async () => {
  const run = await startRun(db, graph([["a", "b"], ["c", "d"]]));
  await run.claim();
  await untilVisible(db);
  const { cursor } = await call(run, "follow_execution");
  await run.complete("a");
  await untilVisible(db);
  const { execution, tasks } = await call(run, "follow_execution", { after: cursor });
  const state = await call(run, "execution_state");
  const named = state.tasks.filter((task: { node_id: string }) => ["a", "b"].includes(task.node_id));
  assertEquals([execution, tasks], [state.execution, named]);
});

Deno.test("where nothing has happened there are no tasks", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  await untilVisible(db);
  const { cursor } = await call(run, "follow_execution");
  const { events, tasks } = await call(run, "follow_execution", { after: cursor });
  assertEquals([events, tasks], [[], []]);
});

Deno.test("it says whether more has committed than can be read yet", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  await untilVisible(db);
  const { cursor } = await call(run, "follow_execution");
  const isBehind = async () => {
    const { events, is_behind } = await call(run, "follow_execution", { after: cursor });
    return [events.length, is_behind];
  };
  const nothing = await isBehind();
  await using writing = await openTransaction(db, "superuser");
  await writing.sql`select pg_current_xact_id()`;
  const stillNothing = await isBehind();
  await run.claim();
  const unreadable = await isBehind();
  await writing.rollback();
  await untilVisible(db);
  assertEquals([nothing, stillNothing, unreadable, await isBehind()], [[0, false], [0, false], [0, true], [1, false]]);
});
