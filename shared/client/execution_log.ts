// Reads an execution and its log. A cursor stands in the log: everything before it has been read, and whatever commits later
// is behind it.
import type { Client } from "./call.ts";
import { dataOf, GenesisError } from "./error.ts";
import type { Execution, ExecutionEvent, ExecutionState, TaskState } from "./execution.ts";
import type { OutputOf } from "./operations.ts";

/** The columns of an execution as the contract has it. */
export const EXECUTION = "id, workflow_id, project_id, version, status, error_message, parent_task_id, forked_from, " +
  "started_by, started_at, completed_at, created_at";
const TASK = "id, execution_id:workflow_execution_id, node_id, node_type, agent_type, status, attempt, max_attempts, " +
  "iteration, map_index, priority, available_at, label, error_message, execution_time_ms, started_at, completed_at";
/** Ids in one request: its address may have some 8,000 characters. */
const IDS = 100;

// The doors of the database are called directly: watching costs no invocations of a function.

/** The present state, and the cursor behind it. Throws execution_not_found. */
export async function readState(supabase: Client, id: string, signal: AbortSignal): Promise<ExecutionState> {
  const answer = dataOf(await supabase.rpc("execution_state", { execution_id: id }).abortSignal(signal));
  return answer as unknown as ExecutionState;
}

/** What has happened since the cursor, in order. */
export async function readLog(
  supabase: Client,
  id: string,
  after: string,
  limit: number,
  signal: AbortSignal,
): Promise<OutputOf<"listEvents">> {
  const answer = dataOf(
    await supabase.rpc("list_events", { execution_id: id, after, limit }).abortSignal(signal),
  );
  return answer as unknown as OutputOf<"listEvents">;
}

/** The execution's row. Throws execution_not_found. */
export async function readExecution(supabase: Client, id: string, signal: AbortSignal): Promise<Execution> {
  const row = dataOf(
    await supabase.from("workflow_executions").select(EXECUTION).eq("id", id).abortSignal(signal).maybeSingle(),
  );
  if (row) return row as unknown as Execution;
  throw new GenesisError("execution_not_found", "There is no such execution, or you are not a member of its project.");
}

/** The tasks that these events moved: their subjects, and those that their data names. */
export async function readMoved(
  supabase: Client,
  events: ExecutionEvent[],
  signal: AbortSignal,
): Promise<TaskState[]> {
  const moved = new Set<string>();
  for (const { task_id, data } of events) {
    if (task_id) moved.add(task_id);
    if (typeof data !== "object" || data === null) continue;
    for (const named of Object.values(data)) {
      if (Array.isArray(named)) {
        for (const id of named) moved.add(String(id));
      }
    }
  }
  const ids = [...moved];
  const reads = [];
  for (let at = 0; at < ids.length; at += IDS) {
    const some = ids.slice(at, at + IDS);
    reads.push(supabase.from("agent_tasks").select(TASK).in("id", some).abortSignal(signal).then(dataOf));
  }
  return (await Promise.all(reads)).flat() as unknown as TaskState[];
}
