// complete_tasks: up to a hundred reports in one commit, each for itself.
import { assertEquals } from "@std/assert";
import { type Answer, shareDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { type Claimed, createProject, createWorkflow, graph, report } from "../../support/factories.ts";
import { oneAttempt, type Run, startRun } from "../../support/run.ts";
import { openTransaction, waitUntilBlocked } from "../../support/transactions.ts";

const db = await shareDatabase();

const wide = (count: number) => graph(Array.from({ length: count }, (_, index) => [`n${index}`, "join"]));
const send = (results: unknown, actor: Parameters<typeof db.rpc>[0] = "worker"): Promise<Answer> =>
  db.rpc(actor, "complete_tasks", { results });
const codes = (answer: Answer): string[] =>
  answer.results.map((one: { ok: boolean; error?: { code: string } }) => one.ok ? "ok" : one.error?.code);

async function claimed(run: Run, ...names: string[]): Promise<Claimed[]> {
  await run.claim();
  return await Promise.all(names.map((name) => run.lease(name)));
}

Deno.test("every report is answered in the order asked, as complete_task would have", async () => {
  const run = await startRun(db, wide(3));
  const tasks = await claimed(run, "n2", "n0", "n1");
  const { results } = await send(tasks.map((task) => report(task, { output_data: { from: task.node_id } })));
  assertEquals(
    results.map((one: Answer) => [one.ok, one.task.node_id, one.task.status, one.unlocked.length]),
    [[true, "n2", "completed", 0], [true, "n0", "completed", 0], [true, "n1", "completed", 1]],
  );
  assertEquals(Object.keys(await run.input("join")), ["n0", "n1", "n2"]);
});

Deno.test("an output that is null is none, as in a report alone", async () => {
  const run = await startRun(db, wide(3));
  const [a, b, c] = await claimed(run, "n0", "n1", "n2");
  const none = { output_data: null };
  // One that can be applied together with others, and one that cannot.
  await send([report(a, none), report(b, { ...none, artifacts: [{ file_path: "a.txt", content: "a" }] })]);
  await db.rpc("worker", "complete_task", report(c, none));
  const kept = await db.sql`
    select output_data from public.agent_tasks where id = any (${
    [a, b, c].map((task) => task!.id)
  }) and output_data is null`;
  assertEquals(kept.length, 3);
});

Deno.test("what is refused changes nothing and stops none of the others", async () => {
  const run = await startRun(db, wide(3));
  const [a, b, c] = await claimed(run, "n0", "n1", "n2");
  const answer = await send([
    report(a),
    { ...report(b), lease_token: crypto.randomUUID() },
    { ...report(c), task_id: crypto.randomUUID() },
    report(c, { artifacts: [{ file_path: "kept.txt", content: "x" }] }),
  ]);
  assertEquals(codes(answer), ["ok", "task_lease_lost", "task_not_found", "ok"]);
  assertEquals(await run.statuses(), { n0: "completed", n1: "running", n2: "completed", join: "blocked" });
});

Deno.test("a refusal has its code, a message and its details", async () => {
  const run = await startRun(db, wide(1));
  const [task] = await claimed(run, "n0");
  await run.complete("n0");
  const { results: [one] } = await send([report(task, { output_data: { other: 1 } })]);
  assertEquals([one.ok, Object.keys(one.error).toSorted(), one.error.code, one.error.details], [
    false,
    ["code", "details", "message"],
    "task_already_reported",
    { status: "completed" },
  ]);
});

Deno.test("an artifact of a refused report is not saved", async () => {
  const run = await startRun(db, wide(1));
  const [task] = await claimed(run, "n0");
  const artifacts = [{ file_path: "a.txt", content: "a" }, { file_path: "b.txt", content: "b", base_version: 7 }];
  assertEquals(codes(await send([report(task, { artifacts })])), ["artifact_conflict"]);
  const saved = await db.sql`select from public.code_artifacts where project_id = ${run.project.id}`;
  assertEquals([saved.length, (await run.statuses()).n0], [0, "running"]);
});

const bad: [string, Record<string, unknown>][] = [
  ["no task", { task_id: undefined }],
  ["a task_id that is no UUID", { task_id: "x" }],
  ["a token that is no UUID", { lease_token: "x" }],
  ["no status", { status: undefined }],
  ["an unknown status", { status: "done" }],
  ["a time in words", { execution_time_ms: "long" }],
  ["a negative time", { execution_time_ms: -1 }],
  ["a long label", { label: "x".repeat(201) }],
];
for (const [what, fields] of bad) {
  Deno.test(`a report with ${what} is refused by itself`, async () => {
    const run = await startRun(db, wide(2));
    const [a, b] = await claimed(run, "n0", "n1");
    const request = JSON.parse(JSON.stringify([{ ...report(a), ...fields }, report(b)]));
    assertEquals(codes(await send(request)), ["validation_failed", "ok"]);
  });
}

Deno.test("a report that is no object is refused by itself", async () => {
  const run = await startRun(db, wide(1));
  const [task] = await claimed(run, "n0");
  assertEquals(codes(await send(["report", null, [], report(task)])), [
    "validation_failed",
    "validation_failed",
    "validation_failed",
    "ok",
  ]);
});

Deno.test("an output over 1 MiB is refused by itself", async () => {
  const run = await startRun(db, wide(2));
  const [a, b] = await claimed(run, "n0", "n1");
  const answer = await send([report(a, { output_data: "x".repeat(1_048_577) }), report(b)]);
  assertEquals([codes(answer), (await run.statuses()).n0], [["payload_too_large", "ok"], "running"]);
});

Deno.test("the same report twice in one batch is answered twice alike", async () => {
  const run = await startRun(db, graph([["a", "b"]]));
  const [task] = await claimed(run, "a");
  const { results: [first, second] } = await send([report(task), report(task)]);
  assertEquals(second, first);
});

Deno.test("of two reports of one task in a batch the first counts, whatever else it brings", async () => {
  const run = await startRun(db, wide(2));
  const [a] = await claimed(run, "n0");
  const artifacts = [{ file_path: "first.txt", content: "x" }];
  const first = report(a, { output_data: { word: "first" }, artifacts });
  assertEquals(codes(await send([first, report(a, { output_data: { word: "second" } })])), [
    "ok",
    "task_already_reported",
  ]);
  assertEquals(await run.output("n0"), { word: "first" });
});

Deno.test("the same batch sent again is answered again and changes nothing", async () => {
  const run = await startRun(db, wide(3));
  const request = (await claimed(run, "n0", "n1", "n2")).map((task) => report(task));
  await send(request);
  const before = [await run.statuses(), await run.events()];
  assertEquals(codes(await send(request)), ["ok", "ok", "ok"]);
  assertEquals([await run.statuses(), await run.events()], before);
});

Deno.test("a failure for good in a batch ends the execution, and later reports of it are refused", async () => {
  const run = await startRun(db, graph([["a", "c"], ["b", "c"]], { a: oneAttempt }));
  const [a, b] = await claimed(run, "a", "b");
  const answer = await send([report(a, { status: "failed", error_message: "no" }), report(b)]);
  assertEquals([codes(answer), await run.status()], [["ok", "task_lease_lost"], "failed"]);
});

Deno.test("a batch may speak of several executions, also of other projects of the worker", async () => {
  const runs = [await startRun(db, wide(1)), await startRun(db, wide(1)), await startRun(db, wide(1))];
  const tasks = await Promise.all(runs.map((run) => run.lease("n0")));
  assertEquals(codes(await send(tasks.map((task) => report(task)))), ["ok", "ok", "ok"]);
});

Deno.test("labels, maps, conditions and approvals behind them work in a batch as they do alone", async () => {
  const definition = {
    ...graph([["a", "m"], ["a", "other"], ["m", "review"]], {
      m: { type: "map", over: "$.files" },
      review: { type: "approval" },
    }),
    edges: [
      { source: "a", target: "m", label: "go" },
      { source: "a", target: "other", when: "$.stop == true" },
      { source: "m", target: "review" },
    ],
  };
  const run = await startRun(db, definition, { files: [1, 2] });
  const [a] = await claimed(run, "a");
  assertEquals(codes(await send([report(a), report(a, { label: "go" })])), ["validation_failed", "ok"]);
  const elements = await claimed(run, "m[0]", "m[1]");
  assertEquals(codes(await send(elements.map((task, index) => report(task, { output_data: index })))), ["ok", "ok"]);
  assertEquals([await run.output("m"), (await run.statuses()).review], [[0, 1], "waiting"]);
});

for (const [what, results] of [["no list", {}], ["an empty list", []], ["a null", null]]) {
  Deno.test(`${what} instead of reports is refused as a whole`, async () => {
    const refusal = await db.refusal("worker", "complete_tasks", { results });
    assertEquals([refusal.code, (refusal.details.fields as { path: string }[])[0]?.path], [
      "validation_failed",
      "results",
    ]);
  });
}

Deno.test("a hundred reports are taken, a hundred and one are not", async () => {
  const run = await startRun(db, wide(101));
  const request = [await run.claim({ limit: 100 }), await run.claim()].flat();
  const reports = await Promise.all(request.map(async (name) => report(await run.lease(name))));
  assertEquals((await db.refusal("worker", "complete_tasks", { results: reports })).code, "validation_failed");
  const answer = await send(reports.slice(0, 100));
  assertEquals(codes(answer).filter((code) => code === "ok").length, 100);
});

Deno.test("an editor may report; a viewer and a stranger are refused report by report; anon cannot call", async () => {
  const project = await createProject(db);
  const run = await startRun(db, wide(1), {}, project);
  const [task] = await claimed(run, "n0");
  assertEquals(codes(await send([report(task)], project.viewer.actor)), ["forbidden"]);
  assertEquals(codes(await send([report(task)], project.stranger.actor)), ["task_not_found"]);
  assertEquals((await db.refusal("anon", "complete_tasks", { results: [report(task)] })).sqlstate, "42501");
  assertEquals(codes(await send([report(task)], project.editor.actor)), ["ok"]);
});

Deno.test("two batches over the same executions in opposite order do not deadlock", async () => {
  const one = await startRun(db, wide(2));
  const two = await startRun(db, wide(2));
  const [a0, a1] = await claimed(one, "n0", "n1");
  const [b0, b1] = await claimed(two, "n0", "n1");
  await using first = await openTransaction(db, "worker");
  await using second = await openTransaction(db, "worker");
  await first.rpc("complete_tasks", { results: [report(a0), report(b0)] });
  const pending = second.rpc("complete_tasks", { results: [report(b1), report(a1)] });
  await waitUntilBlocked(db, second, pending);
  await first.commit();
  assertEquals(codes(await pending), ["ok", "ok"]);
  await second.commit();
  assertEquals([(await one.statuses()).join, (await two.statuses()).join], ["pending", "pending"]);
});

Deno.test("many batches at once complete a graph, each task once", async () => {
  const run = await startRun(db, wide(60));
  const names = await run.claim();
  const tasks = await Promise.all(names.map((name) => run.lease(name)));
  const batches = Array.from({ length: 6 }, (_, index) => tasks.slice(index * 10, index * 10 + 10).toReversed());
  // Whoever has waited too long for its turn is told to send it again.
  const sent = (batch: Claimed[]) =>
    eventually(() => send(batch.map((task) => report(task))), (answer) => !codes(answer).includes("unavailable"));
  const answers = await Promise.all(batches.map(sent));
  assertEquals(answers.flatMap(codes).every((code) => code === "ok"), true);
  assertEquals((await run.statuses()).join, "pending");
});

Deno.test("what the data of a report make impossible is refused by itself, whatever the database calls it", async () => {
  const run = await startRun(db, graph([["a", "c"], ["b", "d"]]));
  const tasks = [await run.lease("a"), await run.lease("b")];
  // The error is real, what causes it a stand-in.
  await db.sql.unsafe(`
    create function private.overflow() returns trigger language plpgsql as 'begin perform 1e200::real; return new; end';
    create trigger overflow before update on public.agent_tasks
    for each row when (new.output_data ? 'overflow') execute function private.overflow()`);
  const results = [report(tasks[0], { output_data: { overflow: 1 } }), report(tasks[1])];
  const answer = await db.rpc("worker", "complete_tasks", { results });
  await db.sql.unsafe("drop function private.overflow cascade");
  const codes = answer.results.map((one: { ok: boolean; error?: { code: string } }) => one.error?.code ?? "ok");
  assertEquals([codes, await run.statuses()], [
    ["validation_failed", "ok"],
    { a: "running", b: "completed", c: "blocked", d: "pending" },
  ]);
});

Deno.test("a report that meets the deletion of the workflow that it would begin can be tried again, and costs no other", async () => {
  const project = await createProject(db);
  const workflow_id = await createWorkflow(db, project, graph([["x", "y"]]));
  await db.rpc(project.owner.actor, "publish_workflow", { workflow_id });
  const run = await startRun(db, graph([["a", "sub"]], { sub: { type: "workflow", workflow_id } }), {}, project);
  const other = await startRun(db, wide(1));
  const tasks = [...await claimed(run, "a"), ...await claimed(other, "n0")];
  await using deletion = await openTransaction(db, project.owner.actor);
  await deletion.sql`delete from public.workflows where id = ${workflow_id}`;
  await using worker = await openTransaction(db, "worker");
  const reports = worker.rpc("complete_tasks", { results: tasks.map((task) => report(task)) });
  await waitUntilBlocked(db, worker);
  await deletion.commit();
  assertEquals(codes(await reports), ["unavailable", "ok"]);
});
