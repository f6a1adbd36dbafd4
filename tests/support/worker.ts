// A worker on a connection of its own: claims, reports, and goes on through whatever happens to the server.
import postgres from "postgres";

export interface WorkerOptions {
  /** It works until this has ended, on this alone or on all of the project. */
  execution_id: string;
  project_id?: string;
  worker_id: string;
  /** How many tasks it claims at once. */
  limit?: number;
  lease_seconds?: number;
  /** How long it works on a task, in milliseconds. */
  work?: () => number;
  onClaim?: (count: number) => void;
  /** After the server has said that the report was taken. */
  onTaken?: (task_id: string) => void;
  reportOf?: (task: ClaimedTask) => Report;
}

export interface Report {
  output_data: postgres.JSONValue;
  label?: string;
}

export interface ClaimedTask {
  id: string;
  execution_id: string;
  node_id: string;
  iteration: number;
  map_index: number | null;
  lease_token: string;
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Every report counts one and names its node, so that the state shows what was applied, and how often. */
const countOne = ({ node_id }: ClaimedTask): Report => ({ output_data: { count: 1, done: [node_id] } });
export const CHANNELS = { count: "sum", done: "append" };

/** A connection that speaks as a worker from its first statement on, also after it was lost. */
export const connectAsWorker = (url: string) =>
  postgres(url, {
    max: 1,
    onnotice: () => {},
    connection: { role: "service_role", "request.jwt.claims": '{"role":"service_role"}' } as Record<string, string>,
  });

/** The connection or the server was lost; anything else that goes wrong is the engine's and must show. */
function isServerGone(error: unknown): boolean {
  return !(error instanceof postgres.PostgresError) || error.code.startsWith("57P") || error.code.startsWith("08");
}

/** Asks again until the server answers. */
async function insist<Answer>(ask: () => PromiseLike<Answer>): Promise<Answer> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isServerGone(error)) throw error;
      await pause(20);
    }
  }
}

/** Works on one execution until it has ended. */
export async function workOn(url: string, options: WorkerOptions): Promise<void> {
  const { execution_id, project_id, worker_id, limit = 5, lease_seconds = 60, work = () => 0 } = options;
  const { onClaim, onTaken, reportOf = countOne } = options;
  const sql = connectAsWorker(url);
  for (;;) {
    const [claim] = await insist(() =>
      sql<{ tasks: ClaimedTask[] }[]>`
        select public.claim_tasks(
          worker_id := ${worker_id}, agent_types := array['architect'], "limit" := ${limit},
          lease_seconds := ${lease_seconds}, project_id := ${project_id ?? null},
          execution_id := ${project_id ? null : execution_id}
        ) -> 'tasks' as tasks`
    );
    const tasks = claim?.tasks ?? [];
    onClaim?.(tasks.length);
    for (const task of tasks) {
      const { id, lease_token } = task;
      const { output_data, label = null } = reportOf(task);
      await pause(work());
      try {
        await insist(() =>
          sql`select public.complete_task(
            task_id := ${id}, lease_token := ${lease_token}, status := 'completed',
            output_data := ${sql.json(output_data)}, label := ${label}
          )`
        );
        onTaken?.(id);
      } catch (error) {
        // It was too slow, and another has the task now.
        if (!(error instanceof postgres.PostgresError) || error.hint !== "task_lease_lost") throw error;
      }
    }
    if (tasks.length > 0) continue;
    const [execution] = await insist(() =>
      sql`select status from public.workflow_executions where id = ${execution_id}`
    );
    if (execution?.status !== "running") break;
    await pause(20);
  }
  await sql.end();
}
