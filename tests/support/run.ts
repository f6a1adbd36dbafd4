// One execution as a test drives it: tasks by the names of their nodes, in any order, and what came of it.
import type { Answer, Refusal, TestDatabase } from "./database.ts";
import {
  type Claimed,
  createProject,
  createWorkflow,
  executionRow,
  type Person,
  type Project,
  report,
} from "./factories.ts";

/** A node whose first failure is its last. */
export const oneAttempt = { retry: { max_attempts: 1 } };

/** An event with tasks by name. */
export interface Told {
  type: string;
  task: string | null;
  data: Record<string, unknown>;
}

/** `build`, `build#1` in the second turn of a loop, `build[2]` for the third element of a map. */
export function nameOf(task: { node_id: string; iteration: number; map_index: number | null }): string {
  const turn = task.iteration > 0 ? `#${task.iteration}` : "";
  return `${task.node_id}${turn}${task.map_index === null ? "" : `[${task.map_index}]`}`;
}

/**
 * Starts a definition in a project of its own, or the one given.
 *
 *     const run = await startRun(db, graph([["a", "b"]]));
 *     await run.complete("a", { plan: 1 });
 *     assertEquals(await run.statuses(), { a: "completed", b: "pending" });
 */
export async function startRun(db: TestDatabase, definition: unknown, input: unknown = {}, project?: Project) {
  const home = project ?? await createProject(db);
  const workflow_id = await createWorkflow(db, home, definition);
  const { execution } = await db.rpc(home.owner.actor, "start_workflow", { workflow_id, input });
  return runOf(db, home, execution.id);
}

/** Takes over an execution that is there already. */
export function runOf(db: TestDatabase, project: Project, id: string) {
  const leases = new Map<string, Claimed>();

  /** Claims whatever can be claimed, and answers its names. */
  async function claim(fields: Record<string, unknown> = {}): Promise<string[]> {
    const { tasks } = await db.rpc("worker", "claim_tasks", {
      worker_id: "a worker",
      agent_types: ["architect", "frontend", "backend", "tester", "debugger"],
      limit: 100,
      execution_id: id,
      ...fields,
    });
    for (const task of tasks) leases.set(nameOf(task), task);
    return tasks.map(nameOf);
  }

  /** The task of that name under a lease. */
  async function lease(name: string): Promise<Claimed> {
    if (!leases.has(name)) await claim();
    const task = leases.get(name);
    if (!task) throw new Error(`Task ${name} was not there to claim`);
    return task;
  }

  async function send(name: string, fields: Record<string, unknown>): Promise<Answer> {
    const task = await lease(name);
    leases.delete(name);
    return await db.rpc("worker", "complete_task", report(task, fields));
  }

  const rows = () =>
    db.sql`
      select * from public.agent_tasks where workflow_execution_id = ${id} order by node_index, iteration, map_index nulls first`;

  /** The row of the task of that name. */
  async function row(name: string) {
    const found = (await rows()).find((task) => nameOf(task as never) === name);
    if (!found) throw new Error(`There is no task ${name}`);
    return found;
  }

  return {
    db,
    project,
    id,
    claim,
    lease,
    row,
    complete: (name: string, output_data: unknown = {}, fields: Record<string, unknown> = {}) =>
      send(name, { output_data, ...fields }),
    fail: (name: string, error_message = "no luck") => send(name, { status: "failed", error_message }),
    /** The refusal of a report, after which the lease is still there. */
    async refused(name: string, fields: Record<string, unknown>): Promise<Refusal> {
      return await db.refusal("worker", "complete_task", report(await lease(name), fields));
    },
    decide: async (name: string, person: Person, decision = "approved", fields: Record<string, unknown> = {}) =>
      await db.rpc(person.actor, "decide_task", { task_id: (await row(name)).id, decision, ...fields }),
    execution: () => executionRow(db, id),
    status: async () => (await executionRow(db, id)).status as string,
    /** The status of every task by its name. */
    async statuses(): Promise<Record<string, string>> {
      return Object.fromEntries((await rows()).map((task) => [nameOf(task as never), task.status]));
    },
    input: async (name: string) => (await row(name)).input_data,
    output: async (name: string) => (await row(name)).output_data,
    state: async () => (await db.rpc(project.owner.actor, "execution_state", { execution_id: id })).state,
    /** The events in order, with names instead of the ids of tasks. */
    async events(): Promise<Told[]> {
      const names = new Map((await rows()).map((task) => [task.id, nameOf(task as never)]));
      const events = await db.sql`
        select * from public.execution_events where workflow_execution_id = ${id} order by transaction_id, id`;
      const named = (value: unknown) =>
        Array.isArray(value) ? value.map((one) => names.get(one) ?? one).toSorted() : value;
      return events.map((event) => ({
        type: event.type,
        task: names.get(event.task_id) ?? null,
        data: Object.fromEntries(Object.entries(event.data).map(([key, value]) => [key, named(value)])),
      }));
    },
  };
}

export type Run = ReturnType<typeof runOf>;
