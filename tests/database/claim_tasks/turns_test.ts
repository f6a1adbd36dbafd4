// claim_tasks: projects take turns, so that one with ten thousand tasks does not keep one with ten waiting.
import { assertEquals } from "@std/assert";
import { become, shareDatabase } from "../../support/database.ts";
import { createProject, graph } from "../../support/factories.ts";
import { startRun } from "../../support/run.ts";
import { openTransaction } from "../../support/transactions.ts";

const db = await shareDatabase();

/** A project with that many pending tasks, for workers of a type that no other test has. */
async function pending(agent_type: string, count: number): Promise<string> {
  const project = await createProject(db);
  await db.sql`insert into public.agent_types (project_id, name) values (${project.id}, ${agent_type})`;
  const definition = graph([["m", "after"]], { m: { type: "map", over: "$.list", agent_type } });
  await startRun(db, definition, { list: Array.from({ length: count }, () => 1) }, project);
  return project.id;
}

/** The projects of that many claims in a row, by one worker on one connection. */
async function claimInARow(agent_type: string, claims: number, limit = 1): Promise<string[][]> {
  await using worker = await openTransaction(db, "worker");
  const found: string[][] = [];
  for (let index = 0; index < claims; index++) {
    const { tasks } = await worker.rpc("claim_tasks", { worker_id: "w", agent_types: [agent_type], limit });
    found.push(tasks.map((task: { project_id: string }) => task.project_id));
  }
  await worker.commit();
  return found;
}

Deno.test("a project with 10 tasks is done after 20 claims, although another has 10,000", async () => {
  const [large, small] = [await pending("turner", 10_000), await pending("turner", 10)];
  const projects = (await claimInARow("turner", 20)).flat();
  assertEquals([large, small].map((id) => projects.filter((one) => one === id).length), [10, 10]);
});

Deno.test("claims of many at once take turns as well: the second goes to the other project first", async () => {
  const ids = [await pending("batcher", 500), await pending("batcher", 10)];
  const [first = [], second = []] = await claimInARow("batcher", 2, 50);
  const small = [...first, ...second].filter((id) => id === ids[1]).length;
  assertEquals([small, first.length, second.length], [10, 50, 50]);
});

Deno.test("three projects are served in turn, whatever their priorities", async () => {
  const ids = [];
  for (const count of [5, 5, 5]) ids.push(await pending("rounder", count));
  const projects = (await claimInARow("rounder", 6)).flat();
  assertEquals(projects.slice(0, 3).toSorted(), ids.toSorted());
  assertEquals(projects.slice(3), projects.slice(0, 3));
});

Deno.test("when one project has nothing left the other gets every turn", async () => {
  const [one, two] = [await pending("lefter", 1), await pending("lefter", 4)];
  const projects = (await claimInARow("lefter", 6)).flat();
  assertEquals([projects.length, new Set(projects)], [5, new Set([one, two])]);
});

Deno.test("a project that is archived is passed over", async () => {
  const [archived, active] = [await pending("archivist", 3), await pending("archivist", 3)];
  await db.sql`update public.projects set status = 'archived' where id = ${archived}`;
  assertEquals((await claimInARow("archivist", 4)).flat(), [active, active, active]);
});

Deno.test("a person's claim on a connection leaves the workers' turn where it was", async () => {
  const project = await createProject(db);
  await startRun(db, graph([["x", "y"]]), {}, project);
  await pending("leader", 2);
  await using connection = await openTransaction(db, "worker");
  await connection.rpc("claim_tasks", { worker_id: "w", agent_types: ["leader"], limit: 1 });
  const turn = () => connection.sql`select current_setting('genesis.last_project') as at`;
  const before = await turn();
  await become(connection.sql, project.editor.actor);
  const { tasks } = await connection.rpc("claim_tasks", { worker_id: "p", agent_types: ["architect"], limit: 1 });
  assertEquals(tasks.length, 1);
  assertEquals(await turn(), before);
});

for (const [setting, type] of [["genesis.last_project", "sturdy"], ["genesis.last_claim", "steady"]] as const) {
  Deno.test(`nonsense that a connection was left with stops no claim: ${setting}`, async () => {
    const id = await pending(type, 1);
    await using connection = await openTransaction(db, "worker");
    await connection.sql`select set_config(${setting}, 'nonsense', false)`;
    const { tasks } = await connection.rpc("claim_tasks", { worker_id: "w", agent_types: [type], project_id: id });
    const again = await connection.rpc("claim_tasks", { worker_id: "w", agent_types: [type] });
    assertEquals([tasks.length, again.tasks.length], [1, 0]);
  });
}
