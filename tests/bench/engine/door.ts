// What a worker needs of the engine, whichever way it calls: the bench drives SQL and HTTP by the same loop.

export interface Task {
  id: string;
  lease_token: string;
}

export interface Door extends AsyncDisposable {
  start(workflowId: string, input: Record<string, unknown>): Promise<void>;
  claim(client: number, limit: number): Promise<Task[]>;
  complete(client: number, task: Task): Promise<void>;
  /** Several reports in one call. */
  completeAll(client: number, tasks: Task[]): Promise<void>;
}

export const OUTPUT = { ok: true };
export const LEASE_SECONDS = 300;

/** How a worker goes about it: so many tasks per claim, reported one by one or together. */
export interface Habit {
  name: string;
  claim: number;
  report: "one by one" | "together";
}

export const HABITS: Habit[] = [
  { name: "one by one", claim: 1, report: "one by one" },
  { name: "claims of ten, reports one by one", claim: 10, report: "one by one" },
  { name: "batches of ten", claim: 10, report: "together" },
];

/** Has `clients` workers claim and complete until `count` tasks are done. */
export async function drain(door: Door, clients: number, count: number, habit: Habit): Promise<void> {
  let done = 0;
  await Promise.all(Array.from({ length: clients }, async (_, client) => {
    while (done < count) {
      const tasks = await door.claim(client, habit.claim);
      if (tasks.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      else if (habit.report === "together") await door.completeAll(client, tasks);
      else for (const task of tasks) await door.complete(client, task);
      done += tasks.length;
    }
  }));
}
