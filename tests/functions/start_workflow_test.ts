// POST /start-workflow over HTTP: what a start answers, and why it may not.
import { assertEquals } from "@std/assert";
import { startWorkflow } from "../../shared/contract/start-workflow.ts";
import { openDatabase } from "../support/database.ts";
import { graph } from "../support/factories.ts";
import { assertAnswer, assertRefused, call } from "../support/http.ts";
import { stack } from "../support/stack.ts";
import { openTransaction, waitUntilBlocking } from "../support/transactions.ts";
import { testAccess } from "./access.ts";
import { anotherProject, createWorkflow } from "./project.ts";

const team = testAccess({
  path: "start-workflow",
  operation: startWorkflow,
  body: async (project) => ({ workflow_id: await createWorkflow(project) }),
  stranger: "workflow_not_found",
  editor: "allowed",
});

const fresh = async () => await anotherProject(await team());

Deno.test("start_workflow: a start answers 201 with the execution and all its tasks, the entries pending", async () => {
  const project = await fresh();
  const workflow_id = await createWorkflow(project, graph([["a", "b"], ["a", "c"]]));
  const reply = await call(project.editor, "start-workflow", { workflow_id, input: { goal: "a page" } });
  const { execution, tasks, replayed } = assertAnswer(reply, startWorkflow, 201);
  assertEquals([execution.workflow_id, execution.project_id], [workflow_id, project.id]);
  assertEquals([execution.status, execution.version, execution.started_by], ["running", 1, project.editor.id]);
  assertEquals(tasks.map((task: { node_id: string; status: string }) => [task.node_id, task.status]), [
    ["a", "pending"],
    ["b", "blocked"],
    ["c", "blocked"],
  ]);
  assertEquals(replayed, false);
});

Deno.test("start_workflow: the same Idempotency-Key and body answer 200 with the same execution", async () => {
  const project = await fresh();
  const body = { workflow_id: await createWorkflow(project), input: { goal: 1 } };
  const headers = { "idempotency-key": crypto.randomUUID() };
  const first = assertAnswer(await call(project.owner, "start-workflow", body, { headers }), startWorkflow, 201);
  const again = assertAnswer(await call(project.editor, "start-workflow", body, { headers }), startWorkflow, 200);
  assertEquals([again.execution.id, again.replayed], [first.execution.id, true]);
});

Deno.test("start_workflow: ten requests at once with one key start one execution", async () => {
  const project = await fresh();
  const body = { workflow_id: await createWorkflow(project) };
  const headers = { "idempotency-key": "ten at once" };
  const replies = await Promise.all(
    Array.from({ length: 10 }, () => call(project.owner, "start-workflow", body, { headers })),
  );
  assertEquals(replies.map(({ status }) => status).sort(), [...Array(9).fill(200), 201]);
  assertEquals(new Set(replies.map((reply) => reply.body.execution.id)).size, 1);
});

Deno.test("start_workflow: the header and the field of the body are one key, and the header wins", async () => {
  const project = await fresh();
  const workflow_id = await createWorkflow(project);
  const key = crypto.randomUUID();
  const first = await call(project.owner, "start-workflow", { workflow_id, idempotency_key: key });
  const other = { workflow_id, idempotency_key: "another" };
  const again = await call(project.owner, "start-workflow", other, { headers: { "idempotency-key": key } });
  assertEquals([again.status, again.body.execution.id], [200, first.body.execution.id]);
});

Deno.test("start_workflow: two starts without a key are two executions", async () => {
  const project = await fresh();
  const body = { workflow_id: await createWorkflow(project) };
  const replies = await Promise.all([1, 2].map(() => call(project.owner, "start-workflow", body)));
  assertEquals(replies.map(({ status }) => status), [201, 201]);
  assertEquals(new Set(replies.map((reply) => reply.body.execution.id)).size, 2);
});

Deno.test("start_workflow: a used key with another input is refused with idempotency_conflict", async () => {
  const project = await fresh();
  const workflow_id = await createWorkflow(project);
  const headers = { "idempotency-key": "key" };
  const first = await call(project.owner, "start-workflow", { workflow_id, input: { goal: 1 } }, { headers });
  const reply = await call(project.owner, "start-workflow", { workflow_id, input: { goal: 2 } }, { headers });
  assertRefused(reply, "idempotency_conflict");
  assertEquals(reply.body.error.details.execution_id, first.body.execution.id);
});

for (const [claim, key] of [["an empty", ""], ["a blank", "  "], ["an over-long", "k".repeat(256)]]) {
  Deno.test(`start_workflow: ${claim} Idempotency-Key is refused with the header's name`, async () => {
    const project = await fresh();
    const body = { workflow_id: await createWorkflow(project) };
    const reply = await call(project.owner, "start-workflow", body, { headers: { "idempotency-key": key ?? "" } });
    assertRefused(reply, "validation_failed");
    assertEquals(reply.body.error.details.fields[0].path, "idempotency-key");
  });
}

Deno.test("start_workflow: an Idempotency-Key of 255 characters is taken", async () => {
  const project = await fresh();
  const body = { workflow_id: await createWorkflow(project) };
  const reply = await call(project.owner, "start-workflow", body, { headers: { "idempotency-key": "k".repeat(255) } });
  assertEquals(reply.status, 201);
});

Deno.test("start_workflow: an unknown workflow is workflow_not_found, for a worker too", async () => {
  const { owner } = await team();
  for (const sender of [owner, "worker"] as const) {
    assertRefused(await call(sender, "start-workflow", { workflow_id: crypto.randomUUID() }), "workflow_not_found");
  }
});

Deno.test("start_workflow: an unpublished version is workflow_version_not_found", async () => {
  const project = await fresh();
  const workflow_id = await createWorkflow(project);
  assertRefused(await call(project.owner, "start-workflow", { workflow_id, version: 7 }), "workflow_version_not_found");
});

Deno.test("start_workflow: a graph that cannot run is workflow_invalid and every fault is named", async () => {
  const project = await fresh();
  const definition = graph([["a", "b"], ["b", "nowhere"]], {
    a: { agent_type: "nobody" },
    b: { agent_type: "no one" },
  });
  definition.nodes = definition.nodes.filter(({ id }) => id !== "nowhere");
  const reply = await call(project.owner, "start-workflow", { workflow_id: await createWorkflow(project, definition) });
  assertRefused(reply, "workflow_invalid");
  const faults = reply.body.error.details.faults.map((
    fault: { code: string; node?: string },
  ) => [fault.code, fault.node]);
  assertEquals(faults.sort(), [["unknown_agent_type", "a"], ["unknown_agent_type", "b"], ["unknown_node", undefined]]);
});

Deno.test("start_workflow: an input over 1 MiB is payload_too_large, one of just under is taken", async () => {
  const project = await fresh();
  const workflow_id = await createWorkflow(project);
  const start = (length: number) =>
    call(project.owner, "start-workflow", { workflow_id, input: { text: "x".repeat(length) } });
  assertRefused(await start(1_048_576), "payload_too_large");
  assertEquals((await start(1_048_000)).status, 201);
});

Deno.test("start_workflow: wrong fields are named one by one", async () => {
  const { owner } = await team();
  const reply = await call(owner, "start-workflow", {
    workflow_id: "no id",
    version: 0,
    input: [],
    idempotency_key: "",
  });
  assertRefused(reply, "validation_failed");
  assertEquals(reply.body.error.details.fields.map(({ path }: { path: string }) => path), [
    "workflow_id",
    "version",
    "input",
    "idempotency_key",
  ]);
});

Deno.test("start_workflow: what meets the deletion of its workflow is unavailable, and workflow_not_found when tried again", async () => {
  const project = await fresh();
  const workflow_id = await createWorkflow(project);
  assertAnswer(await call(project.owner, "start-workflow", { workflow_id }), startWorkflow, 201);
  await using db = openDatabase(stack.databaseUrl);
  await using deletion = await openTransaction(db, { user: project.owner.id });
  await deletion.sql`delete from public.workflows where id = ${workflow_id}`;
  const start = call(project.editor, "start-workflow", { workflow_id });
  await waitUntilBlocking(db.sql, deletion);
  await deletion.commit();
  assertRefused(await start, "unavailable");
  assertRefused(await call(project.editor, "start-workflow", { workflow_id }), "workflow_not_found");
});
