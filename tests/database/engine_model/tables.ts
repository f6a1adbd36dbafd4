// The executions and tasks of a run as the tables hold them, by the names that the model gives them.
import type { TestDatabase } from "../../support/database.ts";

interface ExecutionRow {
  id: string;
  status: string;
  parent_task_id: string | null;
  events: number;
}

interface TaskRow {
  id: string;
  execution_id: string;
  node_id: string;
  iteration: number;
  map_index: number | null;
  status: string;
}

/** An execution of the run; those of tasks have a path. */
export interface Found {
  path: string;
  id: string;
  status: string;
  /** How many it has written so far. */
  events: number;
}

export interface Tables {
  executions: Found[];
  /** By name, path included. */
  tasks: Map<string, { id: string; status: string }>;
}

/** Reads the execution and those that its tasks run, the latest of each. */
export async function readTables({ sql }: TestDatabase, project_id: string, execution_id: string): Promise<Tables> {
  const [all] = await sql<[{ executions: ExecutionRow[] | null; tasks: TaskRow[] | null }]>`
    select (
      select json_agg(x order by x.created_at desc) from (
        select x.id, x.status, x.parent_task_id, x.created_at, (
          select count(*) from public.execution_events as e where e.workflow_execution_id = x.id
        ) as events
        from public.workflow_executions as x where x.project_id = ${project_id}
      ) as x
    ) as executions, (
      select json_agg(t) from (
        select id, workflow_execution_id as execution_id, node_id, iteration, map_index, status
        from public.agent_tasks where project_id = ${project_id}
      ) as t
    ) as tasks`;
  const [executions, tasks] = [all.executions ?? [], all.tasks ?? []];
  const found: Tables = { executions: [], tasks: new Map() };
  const read = (path: string, { id, status, events }: ExecutionRow) => {
    found.executions.push({ path, id, status, events });
    for (const task of tasks.filter((task) => task.execution_id === id)) {
      const name = path + nameOfRow(task.node_id, task.iteration, task.map_index);
      found.tasks.set(name, { id: task.id, status: task.status });
      const child = executions.find((execution) => execution.parent_task_id === task.id);
      if (child) read(`${name}/`, child);
    }
  };
  const root = executions.find((execution) => execution.id === execution_id);
  if (root) read("", root);
  return found;
}

/** A task's name from its row. */
export const nameOfRow = (node: string, iteration: number, index: number | null) =>
  `${node}#${iteration}${index === null ? "" : `[${index}]`}`;

/** Without what only the database knows: when someone decided, and the words they gave with it. */
export function comparable(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null), (_, inner) => {
    if (typeof inner !== "object" || inner === null || !("decided_by" in inner)) return inner;
    const { decision, decided_by } = inner;
    return { decision, decided_by };
  });
}
