// A claim is bounded by what it answers, not by what is stored: numbers are thirty times as long as text.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow, graph } from "../../support/factories.ts";

const db = await shareDatabase();

Deno.test("a claim across projects ends after 4 MiB of inputs, as they are answered", async () => {
  const input = `{"x": [${Array(2500).fill("1e398").join(", ")}]}`; // A MiB, from some kilobytes.
  for (let count = 0; count < 7; count++) {
    const project = await createProject(db);
    const workflow_id = await createWorkflow(db, project, graph([["a", "__end__"]]));
    await db.sql`select private.start_workflow(${workflow_id}, null, ${input}::text::jsonb, null)`;
  }
  const claim = async () => {
    const [row] = await db.sql`
      select jsonb_array_length(private.claim_tasks('w', '{architect}', 100, 60, null, null) -> 'tasks') as count`;
    return row?.count;
  };
  assertEquals([await claim(), await claim(), await claim()], [5, 2, 0]);
});
