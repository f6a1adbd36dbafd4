// Reports of one batch that are applied together: what others have to wait for, and what one by one would have come to.
import { assertEquals } from "@std/assert";
import { type Answer, shareDatabase } from "../../support/database.ts";
import { type Claimed, graph, report } from "../../support/factories.ts";
import { type Run, startRun } from "../../support/run.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

/** So wide that the join's predecessors are counted in several places. */
const wide = graph(Array.from({ length: 20 }, (_, index) => [`n${index}`, "join"]));
const send = (results: unknown): Promise<Answer> => db.rpc("worker", "complete_tasks", { results });
const codes = (answer: Answer): string[] =>
  answer.results.map((one: { ok: boolean; error?: { code: string } }) => one.ok ? "ok" : one.error?.code);

async function claimed(run: Run, ...names: string[]): Promise<Claimed[]> {
  await run.claim();
  return await Promise.all(names.map((name) => run.lease(name)));
}

Deno.test("a batch of plain reports shares its execution: another worker's report does not wait for it", async () => {
  const run = await startRun(db, wide);
  const [a, b, c] = await claimed(run, "n0", "n1", "n2");
  await using batch = await openTransaction(db, "worker");
  await batch.rpc("complete_tasks", { results: [report(a), report(b)] });
  await using other = await openTransaction(db, "worker");
  await other.rpc("complete_task", report(c));
  await other.commit();
  await batch.commit();
  assertEquals((await run.statuses()).n2, "completed");
});

Deno.test("a batch with an artifact among its reports has its executions alone", async () => {
  const run = await startRun(db, wide);
  const [a, b, c] = await claimed(run, "n0", "n1", "n2");
  await using batch = await openTransaction(db, "worker");
  await batch.rpc("complete_tasks", {
    results: [report(a), report(b, { artifacts: [{ file_path: "a.txt", content: "a" }] })],
  });
  await using other = await openTransaction(db, "worker");
  const pending = other.rpc("complete_task", report(c));
  await waitUntilBlocked(db, other, pending);
  const [waiting] = await db.sql`select wait_event from pg_stat_activity where pid = ${other.pid}`;
  assertEquals(waiting?.wait_event, "advisory");
  await batch.commit();
  await pending;
});

Deno.test("batches that meet at the same counters in opposite order wait in line", async () => {
  const runs = [await startRun(db, wide), await startRun(db, wide)].toSorted((a, b) => a.id < b.id ? -1 : 1);
  const [one, two] = runs as [Run, Run];
  // n0 and n5 are counted in the same place.
  const [a0, a5] = await claimed(one, "n0", "n5");
  const [b0, b5] = await claimed(two, "n0", "n5");
  await using holder = await openTransaction(db, "worker");
  await holder.rpc("complete_task", report(await one.lease("n10")));
  await using first = await openTransaction(db, "worker");
  await using second = await openTransaction(db, "worker");
  // From here on each waits for three seconds at most.
  const earlier = first.rpc("complete_tasks", { results: [report(a0), report(b0)] });
  await waitUntilBlocked(db, first, earlier);
  const later = second.rpc("complete_tasks", { results: [report(b5), report(a5)] });
  await waitUntilBlocked(db, second, later);
  await holder.commit();
  assertEquals(codes(await earlier), ["ok", "ok"]);
  await first.commit();
  assertEquals(codes(await later), ["ok", "ok"]);
});

Deno.test("an input that would get too large is the matter of the report that makes it so", async () => {
  const run = await startRun(db, graph([["a", "c"], ["b", "d"]]));
  const [a, b] = await claimed(run, "a", "b");
  const answer = await send([report(a, { output_data: "x".repeat(1_048_570) }), report(b)]);
  assertEquals([codes(answer), await run.statuses()], [
    ["payload_too_large", "ok"],
    { a: "running", b: "completed", c: "blocked", d: "pending" },
  ]);
});

Deno.test("what joins unlock in a batch stands with the last report that they waited for", async () => {
  const run = await startRun(db, graph([["a", "x"], ["b", "x"], ["b", "y"], ["c", "y"]]));
  const [a, b, c] = await claimed(run, "a", "b", "c");
  const { results } = await send([report(c), report(a), report(b)]);
  assertEquals(
    results.map((one: Answer) => one.unlocked.map((task: { node_id: string }) => task.node_id)),
    [[], [], ["x", "y"]],
  );
});

Deno.test("executions that end in a batch say so, each behind its last task", async () => {
  const runs = [await startRun(db, graph([["a", "b"]])), await startRun(db, graph([["a", "b"]]))];
  for (const run of runs) await run.complete("a");
  const tasks = await Promise.all(runs.map((run) => run.lease("b")));
  const { results } = await send(tasks.map((task) => report(task, { output_data: { done: true } })));
  assertEquals(results.map((one: Answer) => one.execution.status), ["completed", "completed"]);
  for (const run of runs) {
    assertEquals((await run.events()).slice(-2).map(({ type }) => type), ["task.completed", "execution.completed"]);
  }
});

Deno.test("a batch says the same of an execution as its reports one by one", async () => {
  const definition = graph([["a", "c"], ["b", "c"], ["a", "d"], ["c", "e"], ["d", "e"]]);
  const [together, apart] = [await startRun(db, definition), await startRun(db, definition)];
  for (const names of [["a", "b"], ["c", "d"], ["e"]]) {
    const tasks = await claimed(together, ...names);
    await send(tasks.map((task) => report(task, { output_data: { [task.node_id]: 1 } })));
    await apart.claim();
    for (const name of names) await apart.complete(name, { [name]: 1 });
  }
  assertEquals(await together.state(), await apart.state());
  const told = async (run: Run) => (await run.events()).filter(({ type }) => type !== "task.running");
  assertEquals(await told(together), await told(apart));
});
