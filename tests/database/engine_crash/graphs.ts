// The graph that all crash tests run, and what must hold of it when it has ended.
import { assertEquals } from "@std/assert";
import type { TestDatabase } from "../../support/database.ts";
import { createProject, executionRow, graph, startExecution } from "../../support/factories.ts";
import { CHANNELS } from "../../support/worker.ts";

/** Layers of tasks, each behind two of the layer before. Starts it and gives the execution's id. */
export async function startLayers(db: TestDatabase, layers: number, width: number): Promise<string> {
  const name = (layer: number, place: number) => `t${layer}_${place % width}`;
  const pairs = Array.from({ length: layers * width }, (_, index): [string, string][] => {
    const [layer, place] = [Math.floor(index / width), index % width];
    if (layer === 0) return [["__start__", name(0, place)]];
    return [[name(layer - 1, place), name(layer, place)], [name(layer - 1, place * 7 + 3), name(layer, place)]];
  }).flat();
  const patient = { retry: { max_attempts: 100, backoff_seconds: 0 } };
  const ids = new Set(pairs.flat());
  const definition = graph(pairs, Object.fromEntries([...ids].map((id) => [id, patient])));
  const { execution } = await startExecution(db, await createProject(db), { ...definition, state: CHANNELS });
  return execution.id;
}

/** Everything was completed, everything once, and the state has every output once. */
export async function assertWhole(db: TestDatabase, execution_id: string, count: number): Promise<void> {
  const { status, state } = await executionRow(db, execution_id);
  const [tasks] = await db.sql`
    select count(*) filter (where status = 'completed')::int as completed, count(*)::int as n
    from public.agent_tasks where workflow_execution_id = ${execution_id}`;
  const [events] = await db.sql`
    select count(*)::int as n, count(distinct task_id)::int as tasks from public.execution_events
    where workflow_execution_id = ${execution_id} and type = 'task.completed'`;
  assertEquals({
    status,
    tasks: tasks?.n,
    completed: tasks?.completed,
    completions: events?.n,
    completedTasks: events?.tasks,
    counted: state.count,
    distinct: new Set(state.done).size,
    done: state.done?.length,
  }, {
    status: "completed",
    tasks: count,
    completed: count,
    completions: count,
    completedTasks: count,
    counted: count,
    distinct: count,
    done: count,
  });
}
