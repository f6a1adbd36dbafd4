// How an idle worker hears of new work: by the broadcasts of its execution where it works for one, otherwise by the
// changes of the task table. Hearing is a shortcut; a worker that hears nothing still looks from time to time.
import type { Client } from "./call.ts";
import { listen } from "./topic.ts";

export interface WorkScope {
  agentTypes: string[];
  projectId?: string | undefined;
  executionId?: string | undefined;
}

/** Calls `wake` whenever there may be a task to claim, until closed. */
export function listenForTasks(supabase: Client, scope: WorkScope, wake: () => void): { close(): Promise<void> } {
  if (scope.executionId) {
    const subscription = listen(supabase, `execution:${scope.executionId}`, { wake });
    return { close: () => Promise.resolve(subscription.close()) };
  }
  const types = new Set(scope.agentTypes);
  const channel = supabase.channel(`worker:${crypto.randomUUID()}`);
  channel.on(
    "postgres_changes",
    { event: "*", schema: "public", table: "agent_tasks", filter: "status=eq.pending" },
    ({ new: row }) => {
      if (!("agent_type" in row) || !types.has(row.agent_type)) return;
      if (!scope.projectId || row.project_id === scope.projectId) wake();
    },
  );
  channel.subscribe((status) => {
    if (status === "SUBSCRIBED") wake();
  });
  return {
    async close() {
      await supabase.removeChannel(channel).catch(() => {});
      if (supabase.getChannels().length === 0) await supabase.realtime.disconnect();
    },
  };
}
