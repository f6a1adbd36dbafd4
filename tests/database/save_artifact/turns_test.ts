// save_artifact: whoever writes several files in one transaction waits for others in line, never in a circle.
import { assertEquals } from "@std/assert";
import { files } from "../../support/artifacts.ts";
import { shareDatabase } from "../../support/database.ts";
import { claimNode, createProject, graph, type Project, report, startExecution } from "../../support/factories.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

/** A claimed task of an execution of its own. */
async function claimed(project: Project) {
  const { execution } = await startExecution(db, project, graph([["a", "b"]]));
  return await claimNode(db, execution.id, "a");
}

/** Two batches of two reports each: while the first is open the second must wait at its start, and then go through. */
async function sendInTurn(project: Project, first: string[][], second: string[][]): Promise<void> {
  const batch = async (artifacts: string[][]) =>
    await Promise.all(
      artifacts.map(async ([file_path, content]) =>
        report(await claimed(project), { artifacts: [{ file_path, content }] })
      ),
    );
  const [one, two] = [await batch(first), await batch(second)];
  await using early = await openTransaction(db, "worker");
  await using late = await openTransaction(db, "worker");
  const answers = [await early.rpc("complete_tasks", { results: one })];
  const waiting = late.rpc("complete_tasks", { results: two });
  await waitUntilBlocked(db, late);
  // It holds nothing yet that the first could want: every lock is taken in one order, before the first write.
  const [row] = await db.sql`
    select count(*)::int as n from pg_locks where pid = ${late.pid} and relation = 'private.artifact_contents'::regclass`;
  assertEquals(row?.n, 0);
  await early.commit();
  answers.push(await waiting);
  await late.commit();
  for (const { results } of answers) assertEquals(results.map(({ ok }: { ok: boolean }) => ok), [true, true]);
}

Deno.test("a batch that will meet another at its second file holds none before, not even its first", async () => {
  const project = await createProject(db);
  await sendInTurn(project, [["x", "1"], ["y", "2"]], [["free", "3"], ["x", "4"]]);
  assertEquals(await files(db, project), { free: "3", x: "4", y: "2" });
});

Deno.test("a batch that will meet another at a text of its second file holds none before either", async () => {
  const project = await createProject(db);
  await sendInTurn(project, [["a", "same"], ["b", "equal"]], [["c", "own"], ["d", "same"]]);
  assertEquals(await files(db, project), { a: "same", b: "equal", c: "own", d: "same" });
});
