// claim_tasks: however many workers ask at once, each task goes to one of them and nobody waits.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { claimAll, createProject, expireLeases, graph, startExecution } from "../../support/factories.ts";
import { openTransaction } from "../../support/transactions.ts";

const db = await shareDatabase();

const nodes = (count: number) => graph(Array.from({ length: count }, (_, index) => [`n${index}`, "__end__"]));
const ids = (answer: { tasks: { id: string }[] }) => answer.tasks.map((task) => task.id);

Deno.test("a second claimer is given other tasks than the first, without waiting for it", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, nodes(4));
  const request = { worker_id: "w", agent_types: ["architect"], limit: 2, execution_id: execution.id };
  await using first = await openTransaction(db, "worker");
  await using second = await openTransaction(db, "worker");
  const got = ids(await first.rpc("claim_tasks", request));
  // The first transaction is still open: a claim that waited for it would never come back.
  const other = ids(await second.rpc("claim_tasks", request));
  assertEquals([got.length, other.length, new Set([...got, ...other]).size], [2, 2, 4]);
});

Deno.test("an expired task that another is just claiming is not given out twice", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, nodes(1));
  await claimAll(db, execution.id);
  await expireLeases(db, execution.id);
  const request = { worker_id: "w", agent_types: ["architect"], execution_id: execution.id };
  await using first = await openTransaction(db, "worker");
  await using second = await openTransaction(db, "worker");
  assertEquals(ids(await first.rpc("claim_tasks", request)).length, 1);
  assertEquals(ids(await second.rpc("claim_tasks", request)), []);
});

Deno.test("a claim that is rolled back leaves the task to the next", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, nodes(1));
  const first = await openTransaction(db, "worker");
  await first.rpc("claim_tasks", { worker_id: "w", agent_types: ["architect"], execution_id: execution.id });
  await first.rollback();
  assertEquals((await claimAll(db, execution.id)).n0?.attempt, 1);
});

Deno.test("many claimers at once share all the tasks out, each once", async () => {
  const project = await createProject(db);
  const { execution } = await startExecution(db, project, nodes(60));
  const request = { worker_id: "w", agent_types: ["architect"], limit: 7, execution_id: execution.id };
  const claimed: string[] = [];
  for (let round = 0; round < 4; round++) {
    const answers = await Promise.all(Array.from({ length: 6 }, () => db.rpc("worker", "claim_tasks", request)));
    claimed.push(...answers.flatMap(ids));
  }
  assertEquals([claimed.length, new Set(claimed).size], [60, 60]);
});
