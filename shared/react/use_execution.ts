// An execution live: its row, its tasks and the newest events of its log.
import type { Execution, ExecutionEvent, GenesisError, TaskState } from "../client/mod.ts";
import { useWatch } from "./use_watch.ts";

export interface UseExecution {
  execution: Execution | null;
  /** In the order of the graph. */
  tasks: TaskState[];
  /** What has happened since the component is there, the newest last, at most `keep` of them. */
  events: ExecutionEvent[];
  loading: boolean;
  error: GenesisError | null;
  isLive: boolean;
}

/** `useExecution(id)`; an empty id shows nothing. */
export function useExecution(executionId: string, { keep = 200 }: { keep?: number } = {}): UseExecution {
  const { step, loading, error, isLive } = useWatch(
    executionId,
    (genesis, options) => genesis.execution(executionId).watch(options),
    (before, view) => {
      const events = [...before?.events ?? [], ...view.events];
      return { ...view, events: events.slice(Math.max(0, events.length - keep)) };
    },
  );
  return {
    execution: step?.execution ?? null,
    tasks: step?.tasks ?? [],
    events: step?.events ?? [],
    loading,
    error,
    isLive,
  };
}
