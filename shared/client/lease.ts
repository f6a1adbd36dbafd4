// A task that a worker holds: the heartbeat that keeps its lease, the signal that tells when it is gone, and the report.
import type { Client } from "./call.ts";
import { GenesisError, toGenesisError } from "./error.ts";
import type { InputOf, Operations, OutputOf } from "./operations.ts";
import { jittered, pause } from "./pause.ts";
import { asThePerson } from "./person.ts";

export type Task = OutputOf<"claimTasks">["tasks"][number];
export type Report = Omit<InputOf<"completeTask">, "task_id" | "lease_token">;

const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 10_000;

const backoff = (failures: number, longest = LONGEST_BACKOFF_MS) =>
  jittered(Math.min(longest, FIRST_BACKOFF_MS * 2 ** failures));

export class Lease {
  readonly #gone = new AbortController();
  readonly #settled = new AbortController();
  readonly #released = new AbortController();
  readonly #token: { task_id: string; lease_token: string };

  constructor(
    task: Task,
    readonly supabase: Client,
    readonly operations: Operations,
    readonly leaseSeconds: number,
  ) {
    this.#token = { task_id: task.id, lease_token: task.lease_token };
    void this.#keep();
  }

  /** Fires when the lease is lost, the task is cancelled or the worker drops it; its reason is a GenesisError. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** Stops the heartbeat and tells whoever works on the task to stop. */
  drop(reason: GenesisError): void {
    if (this.#settled.signal.aborted) return;
    this.#settled.abort();
    this.#gone.abort(reason);
  }

  async #keep(): Promise<void> {
    const leaseMs = this.leaseSeconds * 1000;
    const beatMs = leaseMs / 3;
    let heldUntil = Date.now() + leaseMs;
    let failures = 0;
    while (!this.#settled.signal.aborted) {
      await pause(failures > 0 ? backoff(failures, beatMs) : beatMs, this.#settled.signal);
      if (this.#settled.signal.aborted) return;
      const sent = Date.now();
      const mayPass = asThePerson(this.supabase);
      try {
        const request = { ...this.#token, lease_seconds: this.leaseSeconds };
        const { cancelled } = await this.operations.heartbeatTask(request, { timeoutMs: leaseMs });
        if (cancelled) this.drop(new GenesisError("execution_not_running", "The task was cancelled."));
        heldUntil = sent + leaseMs;
        failures = 0;
      } catch (thrown) {
        const error = await toGenesisError(thrown);
        failures++;
        if (!await mayPass(error, this.#settled.signal)) this.drop(error);
        else if (Date.now() >= heldUntil) {
          this.drop(new GenesisError("task_lease_lost", "The lease ran out unheard.", {}, null, { cause: error }));
        }
      }
    }
  }

  /** Reports, again while nobody answers: the same report twice counts once. Throws GenesisError. */
  async report(report: Report): Promise<OutputOf<"completeTask">> {
    for (let failures = 0;; failures++) {
      this.signal.throwIfAborted();
      const mayPass = asThePerson(this.supabase);
      try {
        const answer = await this.operations.completeTask({ ...report, ...this.#token }, {
          signal: this.#released.signal,
        });
        this.#settled.abort();
        return answer;
      } catch (thrown) {
        const error = await toGenesisError(thrown);
        const isFinal = !await mayPass(error, this.signal);
        this.signal.throwIfAborted();
        if (isFinal) throw error;
        await pause(backoff(failures), this.signal);
      }
    }
  }

  /** Ends the heartbeat: there is nothing left to hold. */
  settle(): void {
    this.#settled.abort();
  }

  /** Gives the task back: it is another worker's at once, and the attempt does not count. */
  async release(): Promise<void> {
    this.drop(new GenesisError("task_lease_lost", "The worker stopped."));
    // A report that nobody answers is not waited for either.
    this.#released.abort();
    await this.operations.releaseTask(this.#token, { timeoutMs: 5000 });
  }
}
