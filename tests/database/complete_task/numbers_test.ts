// A number takes next to nothing where it is stored, and a hundred thousand digits as text: what is measured where it is stored
// could become an input that no claim can answer within its time, which kept every worker from every project's tasks.
import { assertEquals } from "@std/assert";
import type postgres from "postgres";
import { become, type Refusal, refused, shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow, graph } from "../../support/factories.ts";
import { type Run, startRun } from "../../support/run.ts";

const db = await shareDatabase();

/** So many numbers, as text: JavaScript has none of these. */
const numbers = (number: string, count = 2500) => `{"x": [${Array(count).fill(number).join(", ")}]}`;
const LONG = { "before the point": "1e131071", "behind the point": "1e-16383", "of nothing": "0e-16383" };

const fieldOf = ({ code, details }: Refusal) => [code, (details.fields as { path: string }[] | undefined)?.[0]?.path];

const report = async (run: Run, name: string, output: string) => {
  const { id, lease_token } = await run.lease(name);
  await db.sql.begin(async (tx) => {
    await become(tx, "worker");
    await tx`
      select public.complete_task(
        task_id := ${id}, lease_token := ${lease_token}, status := 'completed', output_data := ${output}::text::jsonb
      )`;
  });
};

for (const [where, number] of Object.entries(LONG)) {
  Deno.test(`an output with numbers of thousands of digits ${where} is refused, and the task goes on running`, async () => {
    const run = await startRun(db, graph([["a", "b"]]));
    assertEquals(fieldOf(await refused(report(run, "a", numbers(number)))), ["validation_failed", "output_data"]);
    assertEquals(await run.statuses(), { a: "running", b: "blocked" });
  });
}

Deno.test("an output with numbers that JavaScript writes is taken, the largest and the smallest among them", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  const x = [Number.MAX_VALUE, -Number.MAX_VALUE, Number.MIN_VALUE, 0.1, 12];
  await run.complete("a", { x, text: "long enough to be looked at ".repeat(10) });
  assertEquals((await run.output("a")).x, x);
});

Deno.test("artifacts and messages with such numbers are refused before anything is made of them", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  const { id, lease_token } = await run.lease("a");
  const list = `[${numbers(LONG["before the point"])}]`;
  const refusals = await Promise.all([["artifacts", list, null], ["messages", null, list]].map(async (
    [field, artifacts, messages],
  ) => {
    const reported = db.sql`
      select private.complete_task(
        ${id}, ${lease_token}, 'completed', null, null, null, null, ${artifacts ?? null}::text::jsonb,
        ${messages ?? null}::text::jsonb
      )`;
    return [field, fieldOf(await refused(reported))];
  }));
  assertEquals(refusals, [
    ["artifacts", ["validation_failed", "artifacts"]],
    ["messages", ["validation_failed", "messages"]],
  ]);
});

Deno.test("a batch with such numbers anywhere is refused", async () => {
  const run = await startRun(db, graph([["a", "c"], ["b", "c"]]));
  const [one, other] = [await run.lease("a"), await run.lease("b")].map(({ id, lease_token }) =>
    `"task_id": "${id}", "lease_token": "${lease_token}", "status": "completed"`
  );
  const results = `[{${one}, "label": ${numbers(LONG["before the point"])}}, {${other}}]`;
  const refusal = await refused(db.sql`select private.complete_tasks(${results}::text::jsonb)`);
  assertEquals(fieldOf(refusal), ["validation_failed", "results"]);
  assertEquals(await run.statuses(), { a: "running", b: "running", c: "blocked" });
});

Deno.test("an input with such numbers is refused, at a start and at a fork", async () => {
  const project = await createProject(db);
  const run = await startRun(db, graph([["a", "b"]]), {}, project);
  const workflow_id = await createWorkflow(db, project, graph([["a", "b"]]));
  const calls: ((tx: postgres.TransactionSql, input: string) => Promise<unknown>)[] = [
    (tx, input) => tx`select public.start_workflow(workflow_id := ${workflow_id}, input := ${input}::text::jsonb)`,
    (tx, input) =>
      tx`select public.fork_execution(execution_id := ${run.id}, from_node := 'a', input := ${input}::text::jsonb)`,
  ];
  for (const call of calls) {
    const refusal = await refused(
      db.as(project.editor.actor, (tx) => call(tx, numbers(LONG["behind the point"]))),
    );
    assertEquals(fieldOf(refusal), ["validation_failed", "input"]);
  }
});

Deno.test("what a mapping multiplies up to such a number is null", async () => {
  const times = (count: number) => Array(count).fill("$.n").join(" * ");
  const input = { small: times(1), large: times(10), tiny: "$.m * $.m", list: "$.list" };
  const run = await startRun(db, graph([["a", "b"]], { b: { input } }), {
    n: 1e300,
    m: 1e-300,
    list: [1e300],
  });
  await run.complete("a");
  assertEquals(await run.input("b"), { small: 1e300, large: null, tiny: null, list: [1e300] });
});
