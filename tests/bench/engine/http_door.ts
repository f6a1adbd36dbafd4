// The engine called through its functions, as a worker with the secret key calls them.
import { call } from "../../support/http.ts";
import { AGENT_TYPE } from "./graphs.ts";
import { type Door, LEASE_SECONDS, OUTPUT, type Task } from "./door.ts";

async function post(path: string, body: unknown) {
  const reply = await call("worker", path, body);
  if (reply.status >= 300) throw new Error(`${path} answered ${reply.status}: ${JSON.stringify(reply.body)}`);
  return reply.body;
}

const report = ({ id, lease_token }: Task) => ({ task_id: id, lease_token, status: "completed", output_data: OUTPUT });

export const httpDoor: Door = {
  start: (workflow_id, input) => post("start-workflow", { workflow_id, input }),
  async claim(client, limit) {
    const request = { worker_id: `bench-${client}`, agent_types: [AGENT_TYPE], limit, lease_seconds: LEASE_SECONDS };
    return (await post("complete-task/claim", request)).tasks;
  },
  complete: (_client, task) => post("complete-task", report(task)),
  completeAll: (_client, tasks) => post("complete-task/batch", { results: tasks.map(report) }),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};
