// Rebuilds the status of every task from the events alone.
import { fail } from "@std/assert";

export interface StoredEvent {
  task_id: string | null;
  type: string;
  data: Record<string, unknown>;
}

/** What the tables held when so many events had been written. */
export interface RecordedPrefix {
  events: number;
  tasks: { id: string; name: string; status: string }[];
}

/** What an event says of its own task. */
const SUBJECTS: Record<string, string | undefined> = {
  "task.running": "running",
  "task.completed": "completed",
  "task.retry": "pending",
  "task.expired": "pending",
  "task.released": "pending",
  "task.failed": "failed",
  "task.skipped": "skipped",
};

/** A task that moved more than once in a step is in several lists; this is the order in which it can have moved. */
const MOVED = ["blocked", "pending", "waiting", "completed", "failed", "skipped", "cancelled"];

/** As docs/workflows.md has it: the lists in their order, then the event's own task. */
function apply(statuses: Map<string, string>, { task_id, type, data }: StoredEvent): void {
  for (const moved of MOVED) {
    const ids = data[moved];
    if (Array.isArray(ids)) { for (const id of ids) statuses.set(id, moved); }
  }
  const status = SUBJECTS[type];
  if (task_id && status) statuses.set(task_id, status);
}

/** Replays the events and compares at every recorded prefix; a task that no event has named is blocked. */
export function replay(events: StoredEvent[], prefixes: RecordedPrefix[]): void {
  const statuses = new Map<string, string>();
  let applied = 0;
  for (const prefix of prefixes) {
    while (applied < prefix.events) {
      const event = events[applied++];
      if (event) apply(statuses, event);
    }
    const rebuilt = prefix.tasks.map(({ id, name }) => `${name} ${statuses.get(id) ?? "blocked"}`);
    const actual = prefix.tasks.map(({ name, status }) => `${name} ${status}`);
    if (rebuilt.join() === actual.join()) continue;
    const names = new Map(prefix.tasks.map(({ id, name }) => [id, name]));
    const told = events.slice(0, prefix.events).map(({ type, task_id, data }) =>
      `${type} ${names.get(task_id ?? "") ?? ""} ${
        JSON.stringify(data, (_, value) => typeof value === "string" ? names.get(value) ?? value : value)
      }`
    );
    fail(
      `The events\n  ${told.join("\n  ")}\ntell\n  ${rebuilt.join("\n  ")}\nand the tables\n  ${actual.join("\n  ")}`,
    );
  }
}
