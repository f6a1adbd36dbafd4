// Follows an execution as a member sees it under RLS, until it has ended.
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { type Client, take } from "./calls.ts";

const POLL_MS = 200;
/** Far more than the demo's tasks take: it is there so that a stuck stack is told apart from a slow one. */
const PATIENCE_MS = 120_000;

export interface TaskRow {
  node: string;
  agentType: string;
  status: string;
  files: string[];
  milliseconds: number | null;
}

const Output = z.object({ files: z.array(z.string()) });

/** The tasks of an execution, in the order of the graph. */
export async function readTasks(client: Client, executionId: string): Promise<TaskRow[]> {
  const rows = take(
    "read the tasks",
    await client.from("agent_tasks")
      .select("node_id, agent_type, status, output_data, execution_time_ms")
      .eq("workflow_execution_id", executionId).order("node_index"),
  );
  return rows.map((row) => {
    const output = Output.safeParse(row.output_data);
    return {
      node: row.node_id,
      agentType: row.agent_type,
      status: row.status,
      files: output.success ? output.data.files : [],
      milliseconds: row.execution_time_ms,
    };
  });
}

async function readExecution(client: Client, executionId: string) {
  return take(
    "read the execution",
    await client.from("workflow_executions").select("status, error_message").eq("id", executionId).single(),
  );
}

/** Reports the tasks at every look. Throws a sentence when the execution ends otherwise than completed, or never. */
export async function watchExecution(
  client: Client,
  executionId: string,
  show: (tasks: TaskRow[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (true) {
    // The execution first: when it has ended, the tasks read after it are final.
    const execution = await readExecution(client, executionId);
    const tasks = await readTasks(client, executionId);
    show(tasks);
    if (execution.status === "completed") return;
    if (execution.status !== "running" && execution.status !== "pending") {
      throw new Error(`The execution ${execution.status}: ${execution.error_message ?? "no reason given."}`);
    }
    if (performance.now() > deadline) {
      const open = tasks.filter(({ status }) => status !== "completed").map(({ node, status }) =>
        `${node} (${status})`
      );
      throw new Error(`The execution did not complete within ${PATIENCE_MS / 1000} s; open: ${open.join(", ")}.`);
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}
