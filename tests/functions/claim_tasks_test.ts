// POST /complete-task/claim over HTTP: what a claim hands out, and to whom.
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { claimTasks } from "../../shared/contract/complete-task.ts";
import { graph } from "../support/factories.ts";
import { assertAnswer, assertRefused, call, type Sender } from "../support/http.ts";
import { testAccess } from "./access.ts";
import { anotherProject, claimExpired, setStatus, startExecution } from "./project.ts";

const request = { worker_id: "worker-1", agent_types: ["architect"] };

const team = testAccess({
  path: "complete-task/claim",
  operation: claimTasks,
  body: (project) => Promise.resolve({ ...request, project_id: project.id }),
  stranger: "project_not_found",
  editor: "allowed",
});

const fresh = async () => await anotherProject(await team());
const claim = async (sender: Sender, fields: Record<string, unknown>) =>
  assertAnswer(await call(sender, "complete-task/claim", { ...request, ...fields }), claimTasks, 200).tasks;

Deno.test("claim_tasks: a claim answers the task with its lease and input", async () => {
  const project = await fresh();
  const { execution } = await startExecution(project, graph([["only", "next"]]));
  const before = Date.now();
  const [task, ...rest] = await claim("worker", { execution_id: execution.id, lease_seconds: 120 });
  assertEquals(rest, []);
  assertEquals([task.execution_id, task.project_id, task.node_id], [execution.id, project.id, "only"]);
  assertEquals([task.agent_type, task.attempt, task.iteration, task.map_index], ["architect", 1, 0, null]);
  assertEquals(task.input_data, {});
  const leased = (Date.parse(task.lease_expires_at) - before) / 1000;
  assert(leased > 110 && leased < 130, `Expected a lease of 120 s: got ${leased}`);
});

Deno.test("claim_tasks: where there is nothing to do the list is empty", async () => {
  const project = await fresh();
  assertEquals(await claim("worker", { project_id: project.id }), []);
});

Deno.test("claim_tasks: no task is handed out twice, however many ask at once", async () => {
  const project = await fresh();
  const nodes = Array.from({ length: 8 }, (_, index) => ({ id: `n${index}`, type: "agent", agent_type: "architect" }));
  const { execution } = await startExecution(project, { nodes, edges: [] });
  const claims = await Promise.all(
    Array.from({ length: 10 }, (_, index) => claim("worker", { worker_id: `w${index}`, execution_id: execution.id })),
  );
  const tasks = claims.flat();
  assertEquals(tasks.length, 8);
  assertEquals(new Set(tasks.map(({ id }) => id)).size, 8);
  assertEquals(new Set(tasks.map(({ lease_token }) => lease_token)).size, 8);
});

Deno.test("claim_tasks: a claim takes at most limit tasks, of the asked types only", async () => {
  const project = await fresh();
  const nodes = ["architect", "architect", "architect", "tester"]
    .map((agent_type, index) => ({ id: `n${index}`, type: "agent", agent_type }));
  const { execution } = await startExecution(project, { nodes, edges: [] });
  const filter = { execution_id: execution.id };
  assertEquals((await claim("worker", { ...filter, limit: 2 })).length, 2);
  const rest = await claim("worker", { ...filter, limit: 100, agent_types: ["tester", "debugger"] });
  assertEquals(rest.map(({ node_id }: { node_id: string }) => node_id), ["n3"]);
});

Deno.test("claim_tasks: a task whose lease ran out is handed out again, under another token", async () => {
  const project = await fresh();
  const { execution } = await startExecution(project);
  const [first] = await claim("worker", { execution_id: execution.id, lease_seconds: 1 });
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const again = await claimExpired(execution.id);
  assertEquals([again.id, again.attempt], [first.id, 2]);
  assertNotEquals(again.lease_token, first.lease_token);
});

Deno.test("claim_tasks: a person who names no project is given tasks of their own projects only", async () => {
  const project = await fresh();
  await startExecution(project);
  assertEquals(await claim(project.stranger, { limit: 100 }), []);
  const own = await claim(project.viewer, { limit: 100 });
  assertEquals(own.filter((task: { project_id: string }) => task.project_id === project.id), []);
});

Deno.test("claim_tasks: a worker who names an execution of an archived project is given nothing", async () => {
  const project = await fresh();
  const { execution } = await startExecution(project);
  await setStatus(project, "archived");
  const reply = await call("worker", "complete-task/claim", { ...request, execution_id: execution.id });
  if (reply.status === 200) assertEquals(reply.body.tasks, []);
  else assertRefused(reply, "project_not_active");
});

Deno.test("claim_tasks: a worker who names nothing is given nothing of an archived project", async () => {
  // The only project that knows this agent type, so that whatever is claimed would be its own.
  const project = await fresh();
  const type = `type_${crypto.randomUUID().slice(0, 8)}`;
  const { error } = await project.owner.client.from("agent_types").insert({ project_id: project.id, name: type });
  assertEquals(error, null);
  await startExecution(project, { nodes: [{ id: "only", agent_type: type }], edges: [] });
  await setStatus(project, "archived");
  assertEquals(await claim("worker", { agent_types: [type] }), []);
  await setStatus(project, "active");
  assertEquals((await claim("worker", { agent_types: [type] })).length, 1);
});

Deno.test("claim_tasks: an execution that does not exist or is not the caller's is execution_not_found", async () => {
  const project = await fresh();
  const { execution } = await startExecution(project);
  const attempts: [Sender, string][] = [
    [project.owner, crypto.randomUUID()],
    ["worker", crypto.randomUUID()],
    [project.stranger, execution.id],
  ];
  for (const [sender, execution_id] of attempts) {
    const reply = await call(sender, "complete-task/claim", { ...request, execution_id });
    assertRefused(reply, "execution_not_found");
  }
});

Deno.test("claim_tasks: a viewer is forbidden the execution they may see", async () => {
  const project = await fresh();
  const { execution } = await startExecution(project);
  const reply = await call(project.viewer, "complete-task/claim", { ...request, execution_id: execution.id });
  assertRefused(reply, "forbidden");
});

Deno.test("claim_tasks: a project that does not exist is project_not_found, for a worker too", async () => {
  const { owner } = await team();
  for (const sender of [owner, "worker"] as const) {
    const reply = await call(sender, "complete-task/claim", { ...request, project_id: crypto.randomUUID() });
    assertRefused(reply, "project_not_found");
  }
});

Deno.test("claim_tasks: wrong fields are named one by one", async () => {
  const { owner } = await team();
  const reply = await call(owner, "complete-task/claim", {
    worker_id: "",
    agent_types: [],
    limit: 101,
    lease_seconds: 0,
    project_id: "x",
    execution_id: 1,
  });
  assertRefused(reply, "validation_failed");
  assertEquals(reply.body.error.details.fields.map(({ path }: { path: string }) => path), [
    "worker_id",
    "agent_types",
    "limit",
    "lease_seconds",
    "project_id",
    "execution_id",
  ]);
});
