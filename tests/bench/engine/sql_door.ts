// The engine called as SQL: each client is a connection that took the role of a worker.
import { openClients } from "../clients.ts";
import { AGENT_TYPE } from "./graphs.ts";
import { type Door, LEASE_SECONDS, OUTPUT } from "./door.ts";

export async function openSqlDoor(url: string, count: number): Promise<Door> {
  const clients = await openClients(url, count, "service_role");
  const sql = (client: number) => clients.all[client] ?? clients.all[0]!;
  return {
    async start(workflowId, input) {
      const client = sql(0);
      await client`select public.start_workflow(workflow_id := ${workflowId}::uuid, input := ${
        client.json(input as never)
      })`;
    },
    async claim(client, limit) {
      const [row] = await sql(client)`
        select public.claim_tasks(
          worker_id := ${`bench-${client}`}, agent_types := ${[AGENT_TYPE]}::text[], "limit" := ${limit}::integer,
          lease_seconds := ${LEASE_SECONDS}::integer
        ) as answer`;
      return row?.answer.tasks;
    },
    async complete(client, { id, lease_token }) {
      await sql(client)`
        select public.complete_task(
          task_id := ${id}::uuid, lease_token := ${lease_token}::uuid, status := 'completed',
          output_data := ${sql(client).json(OUTPUT)}
        )`;
    },
    async completeAll(client, tasks) {
      const results = tasks.map((task) => ({
        task_id: task.id,
        lease_token: task.lease_token,
        status: "completed",
        output_data: OUTPUT,
      }));
      await sql(client)`select public.complete_tasks(results := ${sql(client).json(results)})`;
    },
    [Symbol.asyncDispose]: () => clients[Symbol.asyncDispose](),
  };
}
