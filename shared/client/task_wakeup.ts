// How an idle worker hears of new work: by the broadcasts of its executions where it works for one, otherwise by the
// changes of the task table. Hearing is a shortcut; a worker that hears nothing still looks from time to time.
import type { Client } from "./call.ts";
import { listen, listenToChanges, type Subscription } from "./channel.ts";

export interface WorkScope {
  agentTypes: string[];
  projectId?: string | undefined;
  executionId?: string | undefined;
}

export interface Ears {
  /** The executions that its work is in, as a claim answers them: those inside begin and end as it goes on. */
  follow(executions: string[]): void;
  close(): void;
}

/** Executions beyond it are heard of only by looking: a client has a hundred channels in all. */
const MOST_HEARD = 20;

/** Calls `wake` whenever there may be a task to claim, and `joined` when that can be relied on or no longer. */
export function listenForTasks(
  supabase: Client,
  scope: WorkScope,
  wake: () => void,
  joined: (isJoined: boolean) => void,
): Ears {
  const { executionId, agentTypes, projectId } = scope;
  if (executionId) return listenToExecutions(supabase, executionId, wake, joined);
  const changes = listenToChanges(supabase, { table: "agent_tasks", filter: "status=eq.pending" }, {
    wake,
    joined,
    changed({ new: row }) {
      if (!("agent_type" in row) || !agentTypes.includes(String(row.agent_type))) return;
      if (!projectId || row.project_id === projectId) wake();
    },
  });
  return { follow() {}, close: () => changes.close() };
}

function listenToExecutions(
  supabase: Client,
  outermost: string,
  wake: () => void,
  joined: (isJoined: boolean) => void,
): Ears {
  const heard = new Map<string, Subscription>();
  const hear = (id: string) =>
    heard.set(id, listen(supabase, `execution:${id}`, id === outermost ? { wake, joined } : { wake }));
  hear(outermost);
  return {
    follow(executions) {
      const wanted = new Set([outermost, ...executions.slice(0, MOST_HEARD)]);
      for (const [id, subscription] of heard) {
        if (wanted.has(id)) continue;
        subscription.close();
        heard.delete(id);
      }
      for (const id of wanted) if (!heard.has(id)) hear(id);
    },
    close() {
      for (const subscription of heard.values()) subscription.close();
    },
  };
}
