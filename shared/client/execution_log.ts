// Reads an execution and its log from a cursor: (transaction id, event id), as text "<transaction>.<id>".
import type { Client } from "./call.ts";
import { dataOf, GenesisError } from "./error.ts";
import type { ExecutionEvent, TaskState } from "./execution.ts";
import type { Execution } from "./project.ts";

export interface ExecutionPage {
  execution: Execution;
  /** All tasks, or those that the events are about. */
  tasks: TaskState[];
  events: ExecutionEvent[];
  cursor: string;
  /** There are more events to read. */
  more: boolean;
}

const PAGE = 500;
const EXECUTION =
  "id, workflow_id, project_id, version, status, error_message, started_by, started_at, completed_at, created_at";
const TASK = "id, execution_id:workflow_execution_id, node_id, agent_type, status, attempt, max_attempts, iteration, " +
  "map_index, priority, available_at, label, error_message, execution_time_ms, started_at, completed_at";

export async function readExecution(
  supabase: Client,
  id: string,
  { after, withTasks, signal }: { after: string | undefined; withTasks: boolean; signal: AbortSignal },
): Promise<ExecutionPage> {
  const [transaction = "0", event = "0"] = (after ?? "0.0").split(".");
  const log = supabase.from("execution_events").select("id, transaction_id, type, task_id, data, created_at")
    .eq("workflow_execution_id", id);
  const rows = after === undefined
    ? dataOf(await log.order("transaction_id", { ascending: false }).order("id", { ascending: false }).limit(1))
    : dataOf(
      await log.or(`transaction_id.gt.${transaction},and(transaction_id.eq.${transaction},id.gt.${event})`)
        .order("transaction_id").order("id").limit(PAGE),
    );
  const last = after === undefined ? rows[0] : rows.at(-1);
  const cursor = last ? `${last.transaction_id}.${last.id}` : after ?? "0.0";
  const execution = dataOf(
    await supabase.from("workflow_executions").select(EXECUTION).eq("id", id).abortSignal(signal).maybeSingle(),
  );
  if (!execution) {
    throw new GenesisError(
      "execution_not_found",
      "There is no such execution, or you are not a member of its project.",
    );
  }
  const events = after === undefined ? [] : rows;
  const touched = [...new Set(events.flatMap(({ task_id }) => task_id ? [task_id] : []))];
  const tasks: unknown[] = [];
  for (let at = 0; withTasks || at < touched.length; at += PAGE) {
    const query = supabase.from("agent_tasks").select(TASK).eq("workflow_execution_id", id).abortSignal(signal);
    const page = dataOf(
      withTasks
        ? await query.order("node_index").order("iteration").order("map_index").range(at, at + PAGE - 1)
        : await query.in("id", touched.slice(at, at + PAGE)),
    );
    tasks.push(...page);
    if (withTasks && page.length < PAGE) break;
  }
  return {
    execution: execution as Execution,
    tasks: tasks as TaskState[],
    events: events as unknown as ExecutionEvent[],
    cursor,
    more: events.length === PAGE,
  };
}
