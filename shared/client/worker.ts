// The worker kit: claims tasks, keeps their leases, hands each to a handler and reports what came of it, until it is told to
// stop; then it gives back what it still holds.
import type { Json } from "../database.types.ts";
import type { Client } from "./call.ts";
import { GenesisError, toGenesisError } from "./error.ts";
import { Lease, type Report, type Task } from "./lease.ts";
import type { Operations } from "./operations.ts";
import { jittered, pause } from "./pause.ts";
import { asThePerson } from "./person.ts";
import { onStopSignals } from "./stop_signals.ts";
import { listenForTasks } from "./task_wakeup.ts";

/** What a handler reports; everything is optional. */
export interface TaskResult {
  output?: Json;
  /** The branch to take, where the node's edges are labelled. */
  label?: string;
  artifacts?: NonNullable<Report["artifacts"]>;
  messages?: NonNullable<Report["messages"]>;
}

export interface TaskContext {
  /** Fires when the lease is lost, the task is cancelled or the worker stops: what is reported after it does not count. */
  signal: AbortSignal;
}

export interface WorkerOptions {
  agentTypes: string[];
  /** Does the task. What it throws is reported as the task's failure. */
  handle(task: Task, context: TaskContext): Promise<TaskResult | void> | TaskResult | void;
  /** A name for people to read; made up where absent. */
  workerId?: string;
  /** How many tasks at once; one where absent. */
  concurrency?: number;
  /** How long a silent worker keeps a task, in seconds (60 where absent); heartbeats come three times as often. */
  leaseSeconds?: number;
  projectId?: string;
  /**
   * This execution, and the workflows that run inside it. An idle worker hears of the execution's own tasks, and finds
   * those inside when it looks again (`pollSeconds`).
   */
  executionId?: string;
  /** Stops the worker, as SIGTERM and SIGINT do where there are signals. */
  signal?: AbortSignal;
  /** How long running tasks may go on after that before their signal fires, in seconds; 5 where absent. */
  graceSeconds?: number;
  /** Pause between two looks for work while new work is heard of, in seconds, and the longest one otherwise; 5 where absent. */
  pollSeconds?: number;
  /** Told of what went wrong and did not end the worker: a handler's error, a lost lease, a silent backend. */
  onError?(error: unknown, task?: Task): void;
}

const SHORTEST_PAUSE_MS = 100;
const LONGEST_BACKOFF_MS = 30_000;
/** As long as giving a lease back may take. */
const LAST_CLAIM_MS = 5000;
const LONGEST_MESSAGE = 10_000;
const MOST_MS = 2 ** 31 - 1;

/** A failure in words that can be stored: which fields were refused, without what no text can hold, and not for ever. */
function wordsOf(error: unknown): string {
  let words = "The handler threw what cannot be told.";
  try {
    words = String(error instanceof Error ? error.message : error);
    const { fields } = error instanceof GenesisError ? error.details : {};
    if (Array.isArray(fields)) { for (const { path, message } of fields) words += ` ${path}: ${message}.`; }
  } catch {
    // An object of no class has no text.
  }
  return words.replaceAll("\0", "").slice(0, LONGEST_MESSAGE).toWellFormed();
}

/** What a listener throws is said, and costs no report. */
const guarded = (onError: WorkerOptions["onError"]) => (error: unknown, task?: Task): void => {
  try {
    onError?.(error, task);
  } catch (thrown) {
    console.error("onError failed:", thrown);
  }
};

/** Runs one task to its report. Throws what ended it otherwise. */
async function runTask(
  task: Task,
  lease: Lease,
  handle: WorkerOptions["handle"],
  tell: ReturnType<typeof guarded>,
): Promise<void> {
  const began = performance.now();
  const gone = new Promise<never>((_, reject) => {
    lease.signal.addEventListener("abort", () => reject(lease.signal.reason));
  });
  gone.catch(() => {});
  const time = () => ({ execution_time_ms: Math.min(MOST_MS, Math.round(performance.now() - began)) });
  const failed = (error: unknown): Report => ({ status: "failed", error_message: wordsOf(error), ...time() });
  let report: Report;
  try {
    // A handler that does not listen to the signal is left behind.
    const result = await Promise.race([(async () => await handle(task, { signal: lease.signal }))(), gone]) ?? {};
    const { output, ...rest } = result;
    // What a report has not is refused by name; what it has of its own, a handler cannot say.
    report = { ...rest, ...(output !== undefined && { output_data: output }), status: "completed", ...time() };
  } catch (thrown) {
    lease.signal.throwIfAborted();
    tell(thrown, task);
    report = failed(thrown);
  }
  try {
    await lease.report(report);
  } catch (thrown) {
    const error = await toGenesisError(thrown);
    const isHeld = !lease.signal.aborted &&
      !["task_lease_lost", "task_already_reported", "task_not_found"].includes(error.code);
    if (!isHeld) throw error;
    // What was reported is refused (too large, a conflict…): that is a failure of the task, which says nothing else.
    tell(error, task);
    await lease.report(failed(error));
  }
}

/**
 * Works until told to stop, and resolves when everything it held is reported or given back. Throws a GenesisError when
 * asking for work is refused, which asking again would not change.
 */
export async function runWorker(supabase: Client, operations: Operations, options: WorkerOptions): Promise<void> {
  const { agentTypes, concurrency = 1, leaseSeconds = 60, graceSeconds = 5, pollSeconds = 5 } = options;
  const { projectId, executionId, workerId = `worker-${crypto.randomUUID().slice(0, 8)}` } = options;
  const tell = guarded(options.onError);
  const stopping = new AbortController();
  /** Fires when a claim that was under way then has had its time: what it claims unheard, nobody works on until its lease ends. */
  const late = new AbortController();
  let lateTimer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    stopping.abort();
    lateTimer ??= setTimeout(() => late.abort(), LAST_CLAIM_MS);
  };
  if (options.signal?.aborted) stop();
  options.signal?.addEventListener("abort", stop);
  const forgetSignals = onStopSignals(stop);

  const running = new Map<Promise<void>, Lease>();
  let pauseMs = SHORTEST_PAUSE_MS;
  let rest = new AbortController();
  const wake = () => {
    pauseMs = SHORTEST_PAUSE_MS;
    rest.abort();
  };
  stopping.signal.addEventListener("abort", wake);
  let isLive = false;
  const ears = listenForTasks(supabase, { agentTypes, projectId, executionId }, wake, (isJoined) => {
    isLive = isJoined;
    wake();
  });

  const hold = (task: Task) => new Lease(task, supabase, operations, leaseSeconds);
  const start = (task: Task) => {
    const lease = hold(task);
    const run = runTask(task, lease, options.handle, tell)
      .catch((error) => {
        // What the worker dropped itself is no news, and a cancelled task neither.
        if (!stopping.signal.aborted && error?.code !== "execution_not_running") tell(error, task);
      })
      .finally(() => {
        lease.settle();
        running.delete(run);
        // Its slot is free, and what it unlocked may be ours.
        wake();
      });
    running.set(run, lease);
  };

  let failures = 0;
  try {
    while (!stopping.signal.aborted) {
      rest = new AbortController();
      const limit = Math.min(100, concurrency - running.size);
      let claimed = 0;
      if (limit > 0) {
        const mayPass = asThePerson(supabase);
        try {
          const request = {
            worker_id: workerId,
            agent_types: agentTypes,
            limit,
            lease_seconds: leaseSeconds,
            ...(projectId && { project_id: projectId }),
            ...(executionId && { execution_id: executionId }),
          };
          const { tasks } = await operations.claimTasks(request, { signal: late.signal });
          if (stopping.signal.aborted) await Promise.allSettled(tasks.map((task) => hold(task).release()));
          else for (const task of tasks) start(task);
          claimed = tasks.length;
          failures = 0;
        } catch (thrown) {
          const error = await toGenesisError(thrown);
          const isFinal = !await mayPass(error, stopping.signal);
          if (stopping.signal.aborted) break;
          if (isFinal) throw error;
          tell(error);
          await pause(jittered(Math.min(LONGEST_BACKOFF_MS, 250 * 2 ** failures++)), stopping.signal);
          continue;
        }
      }
      // A full answer means that there may be more; a full worker waits for one of its own to end.
      if (limit > 0 && claimed === limit && running.size < concurrency) continue;
      // Without any pause a full worker would keep everything else in its program from running.
      const longestMs = Math.max(SHORTEST_PAUSE_MS, pollSeconds * 1000);
      const restMs = running.size < concurrency ? jittered(isLive ? longestMs : pauseMs) : longestMs;
      await pause(restMs, rest.signal);
      pauseMs = Math.min(pauseMs * 2, longestMs);
    }
  } finally {
    stop();
    clearTimeout(lateTimer);
    forgetSignals();
    options.signal?.removeEventListener("abort", stop);
    ears.close();
    const all = () => Promise.allSettled(running.keys());
    const grace = new AbortController();
    await Promise.race([all(), pause(graceSeconds * 1000, grace.signal)]);
    grace.abort();
    const kept = [...running.values()];
    await Promise.allSettled(kept.map((lease) => lease.release()));
    await all();
  }
}
