// An execution live: its row, its tasks, and every event of its log, complete and in order from wherever the reader stands.
import type { Client } from "./call.ts";
import { readExecution, readLog, readMoved, readState } from "./execution_log.ts";
import { follow, type Reader, type Watch, type WatchOptions } from "./follow.ts";
import type { OutputOf } from "./operations.ts";

export type Execution = OutputOf<"startWorkflow">["execution"];
/** A task as members see it. */
export type TaskState = OutputOf<"startWorkflow">["tasks"][number];

export type ExecutionEvent = OutputOf<"listEvents">["events"][number];
/** An execution at one moment: its tasks, the state folded so far, and the cursor behind all that. */
export type ExecutionState = OutputOf<"executionState">;

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
  /** What it is at this moment, with its state: what the outputs so far fold to. */
  read(options?: Pick<WatchOptions, "signal">): Promise<ExecutionState>;
  /** The present state, then again whenever something happens, until the caller stops; `after` begins with what was missed. */
  watch(options?: WatchOptions & { after?: string }): Watch<ExecutionView>;
  /** Waits for the end and answers the last state; undefined when the signal fired first. */
  finished(options?: WatchOptions): Promise<ExecutionView | undefined>;
}

const isEnded = ({ status }: Execution) => status === "completed" || status === "failed" || status === "cancelled";

function executionReader(supabase: Client, id: string, after: string | undefined): Reader<ExecutionView> {
  let tasks: Map<string, TaskState> | undefined;
  let cursor = after;
  return {
    topic: `execution:${id}`,
    async look(about, signal) {
      if (!tasks) {
        const { execution, tasks: all, events_after } = await readState(supabase, id, signal);
        tasks = new Map(all.map((task) => [task.id, task]));
        // Who goes on from a cursor is told what they missed next.
        const [more, next] = [cursor !== undefined, cursor ?? events_after];
        cursor = next;
        return { step: { execution, tasks: all, events: [], cursor: next }, more };
      }
      const log = await readLog(supabase, id, cursor ?? "0-0", signal);
      if (log.events.length === 0) return { behind: about?.has("events") === true };
      // The log before the rows: these are then never older than what is told of them.
      const [execution, moved] = await Promise.all([
        readExecution(supabase, id, signal),
        readMoved(supabase, log.events, signal),
      ]);
      for (const task of moved) tasks.set(task.id, task);
      cursor = log.cursor;
      return { step: { execution, tasks: [...tasks.values()], events: log.events, cursor }, more: log.has_more };
    },
  };
}

/** One execution. Every method throws GenesisError. */
export function executionOf(supabase: Client, id: string): ExecutionHandle {
  const watch: ExecutionHandle["watch"] = ({ after, ...options } = {}) =>
    follow(supabase, () => executionReader(supabase, id, after), options);
  return {
    id,
    read: ({ signal } = {}) => readState(supabase, id, signal ?? new AbortController().signal),
    watch,
    async finished(options) {
      for await (const view of watch(options)) if (isEnded(view.execution)) return view;
    },
  };
}
