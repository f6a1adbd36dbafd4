// GET /start-workflow/executions/:execution_id over HTTP: an execution as it stands.
import { assert, assertEquals } from "@std/assert";
import { executionState } from "../../shared/contract/start-workflow.ts";
import { assertAnswer, type Body, call } from "../support/http.ts";
import { claimTask, reportTask } from "./project.ts";
import { testReading } from "./reading.ts";

const fresh = testReading(executionState);

Deno.test("execution_state: the answer has the execution, its tasks and the state folded so far", async () => {
  const project = await fresh();
  const task = await claimTask(project);
  await reportTask(task, { output_data: { plan: [1, 2] } });
  const reply = await call(project.viewer, `start-workflow/executions/${task.execution_id}`, undefined, {
    method: "GET",
  });
  const { execution, tasks, state } = assertAnswer(reply, executionState, 200);
  assertEquals([execution.id, execution.status, state], [task.execution_id, "running", { plan: [1, 2] }]);
  assertEquals(tasks.map((one: Body) => [one.node_id, one.status]), [["first", "completed"], ["second", "pending"]]);
  assert(!JSON.stringify(reply.body).includes(task.lease_token), "The answer holds a lease token");
});
