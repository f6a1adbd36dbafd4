// GET /start-workflow/executions/:execution_id/events over HTTP: the log, followed from a cursor.
import { assertEquals } from "@std/assert";
import { listEvents } from "../../shared/contract/start-workflow.ts";
import { assertAnswer, assertRefused, type Body, call } from "../support/http.ts";
import { claimTask, type Project, reportTask, startExecution } from "./project.ts";
import { testReading } from "./reading.ts";

const fresh = testReading(listEvents, "/events");

const get = (project: Project, id: string, query: Record<string, string> = {}) =>
  call(project.viewer, `start-workflow/executions/${id}/events?${new URLSearchParams(query)}`, undefined, {
    method: "GET",
  });

/** Reads until that many events are there: they show when no older transaction is running any more. */
async function follow(project: Project, id: string, count: number, limit: number): Promise<Body[]> {
  const events: Body[] = [];
  let after: string | undefined;
  const deadline = Date.now() + 120_000;
  while (events.length < count && Date.now() < deadline) {
    const query = { limit: String(limit), ...(after ? { after } : {}) };
    const page = assertAnswer(await get(project, id, query), listEvents, 200);
    events.push(...page.events);
    after = page.cursor;
    if (!page.has_more) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return events;
}

Deno.test("list_events: page by page every event comes once, in order", async () => {
  const project = await fresh();
  const task = await claimTask(project);
  await reportTask(task);
  const expected = ["execution.started", "task.running", "task.completed"];
  for (const limit of [1, 2, 1000]) {
    const events = await follow(project, task.execution_id, 3, limit);
    assertEquals(events.map(({ type }) => type), expected, `limit ${limit}`);
    assertEquals(events[1].task_id, task.id);
  }
});

Deno.test("list_events: a bad cursor or limit is named", async () => {
  const project = await fresh();
  const { execution } = await startExecution(project);
  for (
    const [query, field] of [[{ after: "x" }, "after"], [{ limit: "0" }, "limit"], [
      { limit: "many" },
      "limit",
    ]] as const
  ) {
    const reply = await get(project, execution.id, query);
    assertRefused(reply, "validation_failed");
    assertEquals(reply.body.error.details.fields.map((one: Body) => one.path), [field]);
  }
});
