// POST /complete-task/batch over HTTP: many reports in one commit, each for itself.
import { assertEquals } from "@std/assert";
import { completeTasks } from "../../shared/contract/complete-task.ts";
import { graph } from "../support/factories.ts";
import { assertAnswer, assertRefused, type Body, call } from "../support/http.ts";
import { testCredentials } from "./access.ts";
import { anotherProject, createTeam, type Project, setStatus, startExecution } from "./project.ts";

const path = "complete-task/batch";
let signedUp: Promise<Project> | undefined;
const team = () => signedUp ??= createTeam();
const fresh = async () => await anotherProject(await team());
testCredentials(completeTasks, path, team);

/** That many tasks of one execution, under their leases. */
async function claimed(project: Project, count: number): Promise<Body[]> {
  const pairs = Array.from({ length: count }, (_, index): [string, string] => [`n${index}`, "join"]);
  const { execution } = await startExecution(project, graph(pairs));
  const reply = await call("worker", "complete-task/claim", {
    worker_id: "w",
    agent_types: ["architect"],
    limit: 100,
    execution_id: execution.id,
  });
  return reply.body.tasks;
}
const report = ({ id, lease_token }: Body, fields = {}) => ({
  task_id: id,
  lease_token,
  status: "completed",
  ...fields,
});
const codes = (body: Body): string[] => body.results.map((one: Body) => one.ok ? "ok" : one.error.code);

Deno.test("complete_tasks: every report is answered in the order asked", async () => {
  const project = await fresh();
  const tasks = await claimed(project, 3);
  const reply = await call("worker", path, { results: tasks.toReversed().map((task) => report(task)) });
  const { results } = assertAnswer(reply, completeTasks, 200);
  assertEquals(results.map((one: Body) => one.task.id), tasks.toReversed().map((task) => task.id));
  assertEquals(results[2].unlocked.map((task: Body) => task.node_id), ["join"]);
});

Deno.test("complete_tasks: what is refused has a code and stops none of the others", async () => {
  const project = await fresh();
  const [a, b, c] = await claimed(project, 3);
  await call("worker", "complete-task", report(c));
  const results = [
    report(a),
    report({ ...b, lease_token: crypto.randomUUID() }),
    report({ ...b, id: crypto.randomUUID() }),
    report(b, { artifacts: [{ file_path: "a.txt", content: "a", base_version: 3 }] }),
    report(b, { messages: [{ session_id: crypto.randomUUID(), content: "Hello." }] }),
    report(b, { output_data: "x".repeat(1_048_577) }),
    report(c, { output_data: { other: 1 } }),
    report(b),
  ];
  assertEquals(codes(assertAnswer(await call("worker", path, { results }), completeTasks, 200)), [
    "ok",
    "task_lease_lost",
    "task_not_found",
    "artifact_conflict",
    "session_not_found",
    "payload_too_large",
    "task_already_reported",
    "ok",
  ]);
});

Deno.test("complete_tasks: an editor may, a viewer is forbidden and a stranger finds nothing, report by report", async () => {
  const project = await fresh();
  const [task] = await claimed(project, 1);
  const send = async (sender: Project["owner"]) => codes((await call(sender, path, { results: [report(task)] })).body);
  assertEquals(await send(project.viewer), ["forbidden"]);
  assertEquals(await send(project.stranger), ["task_not_found"]);
  assertEquals(await send(project.editor), ["ok"]);
});

Deno.test("complete_tasks: nothing changes in an archived project, for the owner nor a worker", async () => {
  const project = await fresh();
  const [task] = await claimed(project, 1);
  await setStatus(project, "archived");
  for (const sender of [project.owner, "worker"] as const) {
    assertEquals(codes((await call(sender, path, { results: [report(task)] })).body), ["project_not_active"]);
  }
});

Deno.test("complete_tasks: no report, or a hundred and one, is validation_failed", async () => {
  const one = { task_id: crypto.randomUUID(), lease_token: crypto.randomUUID(), status: "completed" };
  for (const results of [[], Array(101).fill(one)]) {
    const reply = await call("worker", path, { results });
    assertRefused(reply, "validation_failed");
    assertEquals(reply.body.error.details.fields.map((field: Body) => field.path), ["results"]);
  }
});

const nested = (levels: number) => {
  const root: Body = {};
  for (let level = 0, one = root; level < levels; level++) one = one.in = {};
  return root;
};

const named = (names: number) => Object.fromEntries(Array.from({ length: names }, (_, index) => [`n${index}`, 1]));

const wrong: [string, (task: Body) => unknown][] = [
  ["a label of 201 characters", (task) => report(task, { label: "x".repeat(201) })],
  ["a negative execution_time_ms", (task) => report(task, { execution_time_ms: -1 })],
  ["an unknown status", (task) => report(task, { status: "done" })],
  ["a task_id that is no id", (task) => report(task, { task_id: "x" })],
  ["artifacts that are no list", (task) => report(task, { artifacts: {} })],
  ["an artifact without a path", (task) => report(task, { artifacts: [{ content: "" }] })],
  ["a message without a session", (task) => report(task, { messages: [{ content: "Hello." }] })],
  ["a label that is an object", (task) => report(task, { label: { a: 1 } })],
  ["an output with NUL in a text", (task) => report(task, { output_data: { text: "a\0b" } })],
  ["an output with half of a surrogate pair", (task) => report(task, { output_data: { text: "a\ud800" } })],
  ["an output with a number that would be rounded", (task) => report(task, { output_data: { n: 2 ** 60 } })],
  ["an output with an object of 20,001 names", (task) => report(task, { output_data: { map: named(20_001) } })],
  [
    "metadata of an artifact nested ten thousand levels deep",
    (task) => report(task, { artifacts: [{ file_path: "a.txt", content: "", metadata: nested(10_000) }] }),
  ],
  ["null", () => null],
  ["a number", () => 7],
  ["a list", () => []],
];
for (const [what, make] of wrong) {
  Deno.test(`complete_tasks: ${what} is validation_failed for itself, and the report beside it is taken`, async () => {
    const project = await fresh();
    const [a, b] = await claimed(project, 2);
    const reply = await call("worker", path, { results: [make(a), report(b)] });
    assertEquals(codes(assertAnswer(reply, completeTasks, 200)), ["validation_failed", "ok"]);
  });
}

Deno.test("complete_tasks: a wrong field is named, as it is of a report alone", async () => {
  const project = await fresh();
  const [task] = await claimed(project, 1);
  const wrong = report(task, { status: "done" });
  const alone = await call("worker", "complete-task", wrong);
  const reply = await call("worker", path, { results: [null, wrong] });
  assertRefused(alone, "validation_failed");
  const { code, message, details } = alone.body.error;
  assertEquals(reply.body.results[1], { ok: false, error: { code, message, details } });
});
