// list_events: the log is followed from a cursor without a miss or a repeat, although transactions commit out of order.
import { assertEquals } from "@std/assert";
import { type Actor, shareDatabase } from "../../support/database.ts";
import { createAdmin, graph, report } from "../../support/factories.ts";
import { type Run, startRun } from "../../support/run.ts";
import { openTransaction, untilVisible } from "../../support/transactions.ts";

const db = await shareDatabase();

interface Event {
  id: number;
  type: string;
  task_id: string | null;
}

const page = (run: Run, fields: Record<string, unknown> = {}, actor: Actor = run.project.viewer.actor) =>
  db.rpc(actor, "list_events", { execution_id: run.id, ...fields });

/** Everything from that cursor on, page by page. */
async function follow(
  run: Run,
  after: string | null = null,
  limit = 200,
): Promise<{ events: Event[]; cursor: string }> {
  const events: Event[] = [];
  for (let cursor = after;;) {
    const answer = await page(run, { after: cursor, limit });
    events.push(...answer.events);
    cursor = answer.cursor;
    if (!answer.has_more) return { events, cursor: answer.cursor };
  }
}

const types = (events: Event[]) => events.map((event) => event.type);

Deno.test("the events come in order, with a cursor to go on from", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  await untilVisible(db);
  const first = await page(run);
  assertEquals([types(first.events), first.has_more], [["execution.started"], false]);
  await run.complete("a");
  await untilVisible(db);
  const second = await page(run, { after: first.cursor });
  assertEquals(types(second.events), ["task.running", "task.completed"]);
  const third = await page(run, { after: second.cursor });
  assertEquals([third.events, third.cursor], [[], second.cursor]);
});

Deno.test("pages of any size give every event once", async () => {
  const run = await startRun(db, graph(Array.from({ length: 10 }, (_, index) => [`n${index}`, "join"])));
  for (let index = 0; index < 10; index++) await run.complete(`n${index}`);
  await untilVisible(db);
  const all = (await follow(run)).events.map((event) => event.id);
  for (const limit of [1, 3, 7]) {
    assertEquals((await follow(run, null, limit)).events.map((event) => event.id), all, String(limit));
  }
});

Deno.test("an event has an id, its type, its task, its data and its time", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  await untilVisible(db);
  const { events: [event] } = await page(run);
  assertEquals(Object.keys(event).toSorted(), ["created_at", "data", "id", "task_id", "type"]);
});

Deno.test("what commits late is not missed by a reader who was already further", async () => {
  const run = await startRun(db, graph([["a", "c"], ["b", "c"]]));
  await run.claim();
  const [a, b] = [await run.lease("a"), await run.lease("b")];
  await untilVisible(db);
  const { cursor } = await follow(run);
  await using early = await openTransaction(db, "worker");
  // It has its place in the order now, and commits last.
  await early.rpc("complete_task", report(a));
  await db.sql`select 1`;
  const other = await startRun(db, graph([["x", "y"]]), {}, run.project);
  await other.complete("x");
  const meanwhile = await follow(run, cursor);
  assertEquals(meanwhile.events, []);
  await early.commit();
  await db.rpc("worker", "complete_task", report(b));
  await untilVisible(db);
  const later = await follow(run, meanwhile.cursor);
  assertEquals(types(later.events), ["task.completed", "task.completed"]);
});

Deno.test("events that committed after an older transaction began are held back until it ends, then come in order", async () => {
  const run = await startRun(db, graph([["a", "d"], ["b", "d"], ["c", "d"]]));
  await run.claim();
  await untilVisible(db);
  const { cursor } = await follow(run);
  const tasks = { a: await run.lease("a"), b: await run.lease("b"), c: await run.lease("c") };
  await using first = await openTransaction(db, "superuser");
  await first.sql`
    insert into public.execution_events (workflow_execution_id, project_id, task_id, type)
    values (${run.id}, ${run.project.id}, ${tasks.a.id}, 'task.noted')`;
  await db.rpc("worker", "complete_task", report(tasks.b));
  assertEquals((await follow(run, cursor)).events, []);
  await first.commit();
  await untilVisible(db);
  const { events, cursor: next } = await follow(run, cursor);
  assertEquals(events.map((event) => [event.type, event.task_id]), [
    ["task.noted", tasks.a.id],
    ["task.completed", tasks.b.id],
  ]);
  await db.rpc("worker", "complete_task", report(tasks.c));
  await untilVisible(db);
  assertEquals(types((await follow(run, next)).events), ["task.completed"]);
});

Deno.test("a rolled back transaction leaves no event and holds nobody up afterwards", async () => {
  const run = await startRun(db, graph([["a", "c"], ["b", "c"]]));
  await run.claim();
  await untilVisible(db);
  const { cursor } = await follow(run);
  const undone = await openTransaction(db, "worker");
  await undone.rpc("complete_task", report(await run.lease("a")));
  await db.rpc("worker", "heartbeat_task", await leaseOf(run, "b"));
  await undone.rollback();
  await run.complete("b");
  await untilVisible(db);
  assertEquals(types((await follow(run, cursor)).events), ["task.completed"]);
});

async function leaseOf(run: Run, name: string) {
  const { id: task_id, lease_token } = await run.lease(name);
  return { task_id, lease_token };
}

Deno.test("a reader who polls while many commit at once sees each event once, in the final order", async () => {
  const count = 40;
  const run = await startRun(db, graph(Array.from({ length: count }, (_, index) => [`n${index}`, "join"])));
  const tasks = await Promise.all((await run.claim()).map((name) => run.lease(name)));
  let isDone = false;
  const seen: Event[] = [];
  const reader = (async () => {
    for (let cursor: string | null = null;;) {
      const last = isDone;
      const step = await follow(run, cursor, 7);
      seen.push(...step.events);
      cursor = step.cursor;
      if (last) return;
    }
  })();
  await Promise.all(tasks.map((task) => db.rpc("worker", "complete_task", report(task))));
  await untilVisible(db);
  isDone = true;
  await reader;
  assertEquals(seen.map((event) => event.id), (await follow(run)).events.map((event) => event.id));
  assertEquals(types(seen).filter((type) => type === "task.completed").length, count);
});

for (
  const after of ["", "x", "1", "1-", "-1-1", "1-1-1", "99999999999999999999-1", "1-9999999999999999999", "1-1;drop"]
) {
  Deno.test(`the cursor ${JSON.stringify(after)} is refused`, async () => {
    const run = await startRun(db, graph([["a", "b"]]));
    const refusal = await db.refusal("worker", "list_events", { execution_id: run.id, after });
    assertEquals([refusal.code, (refusal.details.fields as { path: string }[])[0]?.path], [
      "validation_failed",
      "after",
    ]);
  });
}

for (const limit of [0, -1, 1001, null]) {
  Deno.test(`a limit of ${limit} is refused`, async () => {
    const run = await startRun(db, graph([["a", "b"]]));
    const refusal = await db.refusal("worker", "list_events", { execution_id: run.id, limit });
    assertEquals(refusal.code, "validation_failed");
  });
}

Deno.test("a cursor from the far future is answered with nothing", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  assertEquals((await page(run, { after: "9999999999999999999-1" })).events, []);
});

Deno.test("every member, an admin and a worker may read; for a stranger there is no such execution", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  const { owner, editor, viewer, stranger } = run.project;
  await untilVisible(db);
  for (const actor of [owner.actor, editor.actor, viewer.actor, (await createAdmin(db)).actor, "worker"] as const) {
    assertEquals((await page(run, {}, actor)).events.length, 1);
  }
  assertEquals((await db.refusal(stranger.actor, "list_events", { execution_id: run.id })).code, "execution_not_found");
  assertEquals((await db.refusal("anon", "list_events", { execution_id: run.id })).sqlstate, "42501");
});

Deno.test("nobody can change or delete an event, not even a worker", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  for (
    const statement of ["update public.execution_events set type = 'task.none'", "delete from public.execution_events"]
  ) {
    for (const actor of [run.project.owner.actor, "worker"] as const) {
      const attempt = db.as(actor, (tx) => tx.unsafe(`${statement} where workflow_execution_id = '${run.id}'`));
      const refused = await attempt.then(() => "done", (error) => error.code);
      assertEquals(refused, "42501");
    }
  }
});
