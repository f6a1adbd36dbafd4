// An execution live: its row, its tasks, and every event of its log, complete and in order from wherever the reader stands.
import type { Client } from "./call.ts";
import { readChanges, readState } from "./execution_log.ts";
import { follow, type Reader, type Watch, type WatchOptions } from "./follow.ts";
import { inTime } from "./in_time.ts";
import type { OutputOf } from "./operations.ts";
import { asSomebody } from "./person.ts";

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

const unended = (row: Execution): Execution =>
  isEnded(row) ? { ...row, status: "running", completed_at: null, error_message: null } : row;

/**
 * The execution as these events leave it. Its row may have ended since; for a reader it has not before the event of that, so
 * that whoever stops at the end has been told everything.
 */
function asTold(known: Execution, row: Execution, events: ExecutionEvent[]): Execution {
  const last = events.filter(({ task_id }) => task_id === null).at(-1);
  if (!last) return known;
  const isTold = last.type === `execution.${row.status}` || known.completed_at === row.completed_at;
  return isTold ? row : unended(row);
}

/** Events in one look; fewer after one that failed, so that a bad connection gets on in small pieces. */
const [MOST, LEAST] = [500, 50];

function executionReader(supabase: Client, id: string, after: string | undefined): Reader<ExecutionView> {
  let view: ExecutionView | undefined;
  let tasks = new Map<string, TaskState>();
  let limit = MOST;
  // Whoever goes on from a cursor is told what they missed in the first step, which there is also where that is nothing.
  let isFirst = after !== undefined;
  return {
    topic: `execution:${id}`,
    async look(about, signal) {
      if (!view) {
        const { execution, tasks: all, events_after } = await readState(supabase, id, signal);
        signal.throwIfAborted();
        tasks = new Map(all.map((task) => [task.id, task]));
        view = { execution, tasks: all, events: [], cursor: events_after };
        if (after === undefined) return { step: view };
        // The end may be part of it.
        view = { ...view, execution: unended(execution), cursor: after };
      }
      if (about && !about.has("events")) return {};
      const tried = limit;
      limit = LEAST;
      const read = await readChanges(supabase, id, view.cursor, tried, signal);
      signal.throwIfAborted();
      const { events, cursor, has_more: more, is_behind: behind } = read;
      limit = Math.min(MOST, tried * 2);
      if (events.length === 0 && !isFirst) return { behind };
      isFirst = false;
      const isAll = !more && !behind;
      const execution = isAll ? read.execution : asTold(view.execution, read.execution, events);
      for (const task of read.tasks) tasks.set(task.id, task);
      view = { execution, tasks: [...tasks.values()], events, cursor };
      return { step: view, more, behind };
    },
  };
}

/** One execution. Every method throws GenesisError. */
export function executionOf(supabase: Client, id: string): ExecutionHandle {
  const watch: ExecutionHandle["watch"] = ({ after, ...options } = {}) =>
    follow(supabase, () => executionReader(supabase, id, after), options);
  return {
    id,
    read: ({ signal } = {}) =>
      asSomebody(supabase, () => inTime((signal) => readState(supabase, id, signal), signal), signal),
    watch,
    async finished(options) {
      for await (const view of watch(options)) if (isEnded(view.execution)) return view;
    },
  };
}
