// A worker on a connection of its own: claims, reports, and goes on through whatever happens to the server.
import postgres from "postgres";

export interface WorkerOptions {
  execution_id: string;
  worker_id: string;
  /** How many tasks it claims at once. */
  limit?: number;
  lease_seconds?: number;
  /** How long it works on a task, in milliseconds. */
  work?: () => number;
  onClaim?: (count: number) => void;
  /** After the server has said that the report was taken. */
  onTaken?: (task_id: string) => void;
}

interface ClaimedTask {
  id: string;
  node_id: string;
  lease_token: string;
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Every report counts one and names its node, so that the state shows what was applied, and how often. */
export const outputOf = (node_id: string) => ({ count: 1, done: [node_id] });
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
  const { execution_id, worker_id, limit = 5, lease_seconds = 60, work = () => 0, onClaim, onTaken } = options;
  const sql = connectAsWorker(url);
  for (;;) {
    const [claim] = await insist(() =>
      sql<{ tasks: ClaimedTask[] }[]>`
        select public.claim_tasks(
          worker_id := ${worker_id}, agent_types := array['architect'], "limit" := ${limit},
          lease_seconds := ${lease_seconds}, execution_id := ${execution_id}
        ) -> 'tasks' as tasks`
    );
    const tasks = claim?.tasks ?? [];
    onClaim?.(tasks.length);
    for (const { id, node_id, lease_token } of tasks) {
      await pause(work());
      try {
        await insist(() =>
          sql`select public.complete_task(
            task_id := ${id}, lease_token := ${lease_token}, status := 'completed',
            output_data := ${sql.json(outputOf(node_id))}
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
