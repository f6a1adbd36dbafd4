// An execution live: its row, its tasks, and every event of its log, complete and in order from wherever the reader stands.
import type { Json } from "../database.types.ts";
import type { Client } from "./call.ts";
import { readExecution } from "./execution_log.ts";
import { follow, type Reader, type Watch, type WatchOptions } from "./follow.ts";
import type { OutputOf } from "./operations.ts";
import type { Execution } from "./project.ts";

/** A task as members see it. */
export type TaskState = OutputOf<"startWorkflow">["tasks"][number];

export interface ExecutionEvent {
  id: number;
  type: string;
  task_id: string | null;
  data: Json;
  created_at: string;
}

export interface ExecutionView {
  /** Never older than the events. */
  execution: Execution;
  /** All of them, in the order of the graph. */
  tasks: TaskState[];
  /** What has happened since the step before, each once and in order; empty in the first step of a new watch. */
  events: ExecutionEvent[];
  /** Where this reader stands: `watch({ after: cursor })` goes on from here, in another process or on another day. */
  cursor: string;
}

export interface ExecutionHandle {
  id: string;
  /** The present state, then again whenever something happens, until the caller stops; `after` begins with what was missed. */
  watch(options?: WatchOptions & { after?: string }): Watch<ExecutionView>;
  /** Waits for the end and answers the last state; undefined when the signal fired first. */
  finished(options?: WatchOptions): Promise<ExecutionView | undefined>;
}

const isEnded = ({ status }: Execution) => status === "completed" || status === "failed" || status === "cancelled";

function executionReader(supabase: Client, id: string, after: string | undefined): Reader<ExecutionView> {
  let cursor = after;
  const tasks = new Map<string, TaskState>();
  return {
    topic: `execution:${id}`,
    async look(about, signal) {
      const isFirst = tasks.size === 0;
      const page = await readExecution(supabase, id, { after: cursor, withTasks: isFirst, signal });
      const behind = about?.has("events") === true && page.events.length === 0;
      cursor = page.cursor;
      for (const task of page.tasks) tasks.set(task.id, task);
      if (!isFirst && page.events.length === 0) return { behind };
      return {
        step: { execution: page.execution, tasks: [...tasks.values()], events: page.events, cursor: page.cursor },
        more: page.more,
      };
    },
  };
}

/** One execution. Every method throws GenesisError. */
export function executionOf(supabase: Client, id: string): ExecutionHandle {
  const watch: ExecutionHandle["watch"] = ({ after, ...options } = {}) =>
    follow(supabase, () => executionReader(supabase, id, after), options);
  return {
    id,
    watch,
    async finished(options) {
      for await (const view of watch(options)) if (isEnded(view.execution)) return view;
    },
  };
}
