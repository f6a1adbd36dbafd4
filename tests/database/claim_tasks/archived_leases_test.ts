// claim_tasks: what a worker held when its project was archived waits for the project, whoever claims meanwhile.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, expireLeases, graph } from "../../support/factories.ts";
import { oneAttempt, type Run, startRun } from "../../support/run.ts";

const db = await shareDatabase();

const setStatus = (run: Run, status: string) =>
  db.as(
    run.project.owner.actor,
    (tx) => tx`update public.projects set status = ${status} where id = ${run.project.id}`,
  );

/** A run whose first task, on its only attempt, is held by a worker who may not keep it. */
async function startAndArchive(): Promise<Run> {
  const run = await startRun(db, graph([["a", "b"]], { a: oneAttempt }));
  await run.lease("a");
  await setStatus(run, "archived");
  await expireLeases(db, run.id);
  return run;
}

/** Claims in another project until no lease has run out. */
async function claimElsewhere(): Promise<void> {
  const { id: project_id } = await createProject(db);
  const claim = { worker_id: "w", agent_types: ["architect"], limit: 1, project_id };
  for (let times = 0; times < 3; times++) await db.rpc("worker", "claim_tasks", claim);
}

Deno.test("a lease that runs out in an archived project ends no execution, also on the last attempt", async () => {
  const run = await startAndArchive();
  await claimElsewhere();
  assertEquals([await run.status(), await run.statuses()], ["running", { a: "pending", b: "blocked" }]);
});

Deno.test("that attempt does not count when the project is active again", async () => {
  const run = await startAndArchive();
  await claimElsewhere();
  await setStatus(run, "active");
  assertEquals([await run.claim(), (await run.row("a")).attempt], [["a"], 1]);
});

Deno.test("nor does it where nobody has claimed anything meanwhile", async () => {
  const run = await startAndArchive();
  await setStatus(run, "active");
  assertEquals([await run.claim(), (await run.row("a")).attempt], [["a"], 1]);
});

Deno.test("whoever held it has lost the lease", async () => {
  const run = await startAndArchive();
  await setStatus(run, "active");
  assertEquals((await run.refused("a", { output_data: {} })).code, "task_lease_lost");
});

Deno.test("a lease that has not run out when the project is active again is kept", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  await run.lease("a");
  await setStatus(run, "archived");
  await setStatus(run, "active");
  await run.complete("a");
  assertEquals(await run.statuses(), { a: "completed", b: "pending" });
});
