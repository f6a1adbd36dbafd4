// Reads an execution and its log. A cursor stands in the log: everything before it has been read, and whatever commits later
// is behind it.
import type { Client } from "./call.ts";
import { dataOf } from "./error.ts";
import type { ExecutionState } from "./execution.ts";
import type { OutputOf } from "./operations.ts";

/** The columns of an execution as the contract has it. */
export const EXECUTION = "id, workflow_id, project_id, version, status, error_message, parent_task_id, forked_from, " +
  "started_by, started_at, completed_at, created_at";

// The doors of the database are called directly: watching costs no invocations of a function.

/** The present state, and the cursor behind it. Throws execution_not_found. */
export async function readState(supabase: Client, id: string, signal: AbortSignal): Promise<ExecutionState> {
  const answer = dataOf(await supabase.rpc("execution_state", { execution_id: id }).abortSignal(signal));
  return answer as unknown as ExecutionState;
}

/** What has happened since the cursor, in order, with the execution and the tasks it happened to. */
export async function readChanges(
  supabase: Client,
  id: string,
  after: string,
  limit: number,
  signal: AbortSignal,
): Promise<OutputOf<"followExecution">> {
  const answer = dataOf(
    await supabase.rpc("follow_execution", { execution_id: id, after, limit }).abortSignal(signal),
  );
  return answer as unknown as OutputOf<"followExecution">;
}
