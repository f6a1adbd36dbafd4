// How an idle worker hears of new work: by the broadcasts of its execution where it works for one, otherwise by the
// changes of the task table. Hearing is a shortcut; a worker that hears nothing still looks from time to time.
import type { Client } from "./call.ts";
import { listen, listenToChanges, type Subscription } from "./channel.ts";

export interface WorkScope {
  agentTypes: string[];
  projectId?: string | undefined;
  executionId?: string | undefined;
}

/** Calls `wake` whenever there may be a task to claim, and `joined` when that can be relied on or no longer. */
export function listenForTasks(
  supabase: Client,
  scope: WorkScope,
  wake: () => void,
  joined: (isJoined: boolean) => void,
): Subscription {
  if (scope.executionId) return listen(supabase, `execution:${scope.executionId}`, { wake, joined });
  return listenToChanges(supabase, { table: "agent_tasks", filter: "status=eq.pending" }, {
    wake,
    joined,
    changed({ new: row }) {
      if (!("agent_type" in row) || !scope.agentTypes.includes(String(row.agent_type))) return;
      if (!scope.projectId || row.project_id === scope.projectId) wake();
    },
  });
}
