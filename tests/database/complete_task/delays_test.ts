// complete_task: a node's delay holds its task back from the moment that its turn has come.
import { assert, assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { graph } from "../../support/factories.ts";
import { type Run, startRun } from "../../support/run.ts";

const db = await shareDatabase();

const secondsUntil = async (run: Run, name: string) => {
  const [row] = await db.sql`
    select extract(epoch from available_at - now())::int as n from public.agent_tasks where id = ${
    (await run.row(name)).id
  }`;
  return row?.n as number;
};

const late = { b: { delay_seconds: 1000 } };
const shapes: [string, Record<string, unknown>][] = [
  ["a plain graph", graph([["a", "b"]], late)],
  ["a graph with conditions", {
    ...graph([["a", "b"]], late),
    edges: [{ source: "a", target: "b", when: "$.go == 1" }],
  }],
];
for (const [what, definition] of shapes) {
  Deno.test(`a delayed task of ${what} is pending, and nobody gets it before its time`, async () => {
    const run = await startRun(db, definition, { go: 1 });
    await run.complete("a");
    const wait = await secondsUntil(run, "b");
    assert(wait > 900 && wait <= 1000, `It waits ${wait} s`);
    assertEquals([(await run.statuses()).b, await run.claim()], ["pending", []]);
    await db.sql`update public.agent_tasks set available_at = now() where workflow_execution_id = ${run.id}`;
    assertEquals(await run.claim(), ["b"]);
  });
}

Deno.test("an entry may be delayed too", async () => {
  const run = await startRun(db, graph([["a", "b"]], { a: { delay_seconds: 1000 } }));
  assertEquals([(await run.statuses()).a, await run.claim()], ["pending", []]);
});
