// Does the same with an execution in the database, through the public doors, and with the reference model, and compares.
import { assert, assertEquals } from "@std/assert";
import { refusalOf, type TestDatabase } from "../../support/database.ts";
import { createWorkflow, type Project } from "../../support/factories.ts";
import type { Command } from "../../support/model/arbitraries.ts";
import { Execution, nameOf, type Task } from "../../support/model/execution.ts";
import type { State } from "../../support/model/fold.ts";
import { definitionOf, describe, type Graph, type Json, shapeOf } from "../../support/model/graph.ts";
import { type RecordedPrefix, replay, type StoredEvent } from "./replay.ts";
import postgres from "postgres";

interface Row {
  id: string;
  name: string;
  status: string;
  input_data: Json;
}

/** What a worker remembers of a task: its lease, and what it reported under it. */
interface Lease {
  token: string;
  report?: Record<string, unknown>;
}

export class Driver {
  private readonly leases = new Map<Task, Lease>();
  private readonly lostLeases: { task: Task; token: string }[] = [];
  private rows = new Map<string, Row>();
  private readonly prefixes: RecordedPrefix[] = [];
  /** What was done, in words, for a failure to show. */
  readonly history: string[] = [];

  private constructor(
    private readonly db: TestDatabase,
    private readonly project: Project,
    private readonly id: string,
    readonly model: Execution,
  ) {}

  /** Starts a graph in a new project, in the database and in the model. */
  static async start(db: TestDatabase, people: Project, graph: Graph, input: State): Promise<Driver> {
    const project = { ...people, id: await createOwnProject(db, people) };
    const workflow_id = await createWorkflow(db, project, definitionOf(graph));
    const { execution } = await db.rpc(project.owner.actor, "start_workflow", { workflow_id, input });
    const places = await db.sql<{ node_id: string; node_index: number }[]>`
      select n.node_id, n.node_index from private.workflow_nodes as n
      join public.workflow_executions as x on x.version_id = n.version_id where x.id = ${execution.id}`;
    const order = new Map(places.map((place) => [place.node_id, place.node_index]));
    const place = (_: Execution, node: string) => order.get(node) ?? 0;
    const shape = shapeOf(graph);
    for (const [first, second] of shape.before) {
      assert((order.get(first) ?? 0) < (order.get(second) ?? 0), `${first} must stand before ${second} in the order`);
    }
    const driver = new Driver(db, project, execution.id, new Execution(shape, input, place));
    driver.history.push("start");
    await driver.compare();
    return driver;
  }

  get isRunning(): boolean {
    return this.model.status === "running";
  }

  /** Does it where there is something to do it with, and compares. */
  async perform(command: Command): Promise<void> {
    const did = await this.act(command);
    if (!did) return;
    this.history.push(did);
    await this.compare();
  }

  private act(command: Command): Promise<string | undefined> | string | undefined {
    const { model } = this;
    const running = model.tasks.filter((task) => task.status === "running");
    switch (command.do) {
      case "claim":
        return this.claim(command.limit);
      case "complete":
        return this.on(running, command.pick, (task) => this.complete(task, command.output, command.label));
      case "complete with a wrong label": {
        const labelled = running.filter((task) => model.labelsOf(task).length > 0);
        return this.on(labelled, command.pick, async (task) => {
          await this.refused("complete_task", this.report(task, { label: "wrong" }), "validation_failed");
        });
      }
      case "complete with a lost lease": {
        const cancelled = [...this.leases].filter(([task, lease]) => task.status === "cancelled" && !lease.report);
        const lost = [...this.lostLeases, ...cancelled.map(([task, { token }]) => ({ task, token }))];
        const tasks = [...new Set(lost.map(({ task }) => task))];
        return this.on(tasks, command.pick, async (task) => {
          for (const { token: lease_token } of lost.filter((lease) => lease.task === task)) {
            await this.refused("complete_task", { ...this.report(task), lease_token }, "task_lease_lost");
          }
        });
      }
      case "fail":
        return this.on(running, command.pick, async (task) => {
          await this.send(task, { status: "failed", error_message: "on purpose" });
          model.fail(task);
        });
      case "heartbeat":
        return this.on(running, command.pick, async (task) => {
          const { task_id, lease_token } = this.report(task);
          const { cancelled } = await this.call("heartbeat_task", { task_id, lease_token, lease_seconds: 600 });
          assertEquals(cancelled, false);
          task.isLeaseExpired = false;
        });
      case "release":
        return this.on(running, command.pick, async (task) => {
          const { task_id, lease_token } = this.report(task);
          await this.call("release_task", { task_id, lease_token });
          this.lose(task);
          model.release(task);
        });
      case "let the lease expire": {
        // Of two that fail at once it is open which one fails the execution.
        const isLast = (task: Task) => task.attempt >= task.node.max_attempts;
        const isTaken = running.some((task) => task.isLeaseExpired && isLast(task));
        const able = running.filter((task) => !task.isLeaseExpired && !(isTaken && isLast(task)));
        return this.on(able, command.pick, async (task) => {
          await this.db.sql`
            update public.agent_tasks set lease_expires_at = now() - interval '1 second'
            where id = ${this.idOf(task)}`;
          task.isLeaseExpired = true;
        });
      }
      case "report the same again":
        return this.on(this.reported(), command.pick, async (task) => {
          await this.call("complete_task", this.leases.get(task)?.report ?? {});
        });
      case "report something else":
        return this.on(this.reported(), command.pick, async (task) => {
          const report = { ...this.leases.get(task)?.report, output_data: { c0: 99 } };
          await this.refused("complete_task", report, "task_already_reported");
        });
      case "decide": {
        const waiting = model.tasks.filter((task) => task.status === "waiting" && task.node.type === "approval");
        return this.on(waiting, command.pick, (task) => this.decide(task, command.person, command.decision));
      }
      case "let time pass":
        return this.letTimePass();
      case "cancel":
        return this.isRunning ? this.cancel() : undefined;
      case "retry":
        return model.status === "failed" ? this.retry() : undefined;
    }
  }

  /**
   * Works on until the execution has ended, the way diligent workers and agreeable people would.
   * @throws when nothing is left to do and it has not ended
   */
  async driveToTheEnd(): Promise<void> {
    for (let round = 0; this.isRunning; round++) {
      assert(round < 500, "The execution does not come to an end");
      const before = this.history.length;
      await this.perform({ do: "let time pass" });
      await this.perform({ do: "claim", limit: 100 });
      for (const task of this.model.tasks.filter((task) => task.status === "running")) {
        if (task.status !== "running") continue;
        const output = { c0: round % 4, c1: (round + 1) % 3, list: [round] };
        this.history.push(`complete ${nameOf(task)}`);
        await this.complete(task, output, round);
        await this.compare();
      }
      for (const task of this.model.tasks.filter((task) => task.node.type === "approval")) {
        for (const person of [0, 1]) {
          if (task.status !== "waiting" || task.decisions.has(PEOPLE[person] ?? "")) continue;
          this.history.push(`decide ${nameOf(task)}`);
          await this.decide(task, person, round % 3 === 2 ? "rejected" : "approved");
          await this.compare();
        }
      }
      assert(this.history.length > before + 2 || !this.isRunning, "The execution stands still");
    }
  }

  /** What holds of every execution that has ended. */
  async checkTheEnd(): Promise<void> {
    const [row] = await this.db.sql`select state from public.workflow_executions where id = ${this.id}`;
    assertEquals(comparable(row?.state), comparable(this.model.state), "The state is another");
    const events = await this.db.sql<StoredEvent[]>`
      select task_id, type, data from public.execution_events where workflow_execution_id = ${this.id}
      order by transaction_id, id`;
    const completions = events.filter((event) => event.type === "task.completed").map((event) => event.task_id);
    assertEquals(completions.length, new Set(completions).size, "A task was completed twice");
    replay(events, this.prefixes);
  }

  private async claim(limit: number): Promise<string> {
    const { model } = this;
    const before = model.tasks.filter((task) => task.status === "running");
    model.sweep();
    for (const task of before) if (task.status === "pending") this.lose(task);
    const { tasks } = await this.call("claim_tasks", {
      worker_id: "worker",
      agent_types: ["architect"],
      limit,
      lease_seconds: 600,
      project_id: this.project.id,
    });
    const able = model.claimable;
    const names = tasks.map((task: { node_id: string; iteration: number; map_index: number | null }) =>
      rowName(task.node_id, task.iteration, task.map_index)
    );
    const count = Math.min(limit, able.length, model.room);
    const claimed = able.filter((task) => names.includes(nameOf(task)));
    const did = `claim ${limit}: ${names.join(" ") || "nothing"}`;
    assert(
      claimed.length === names.length && claimed.length === count,
      `${did}, expected ${count} of ${able.map(nameOf).join(" ") || "nothing"}`,
    );
    const left = able.filter((task) => !claimed.includes(task)).map((task) => task.node.priority);
    const taken = claimed.map((task) => task.node.priority);
    assert(Math.max(...left) <= Math.min(...taken) || taken.length === 0, `${did}: less urgent ones than were left`);
    for (const task of claimed) {
      const answer = tasks.find((each: { node_id: string; iteration: number; map_index: number | null }) =>
        rowName(each.node_id, each.iteration, each.map_index) === nameOf(task)
      );
      this.lose(task);
      this.leases.set(task, { token: answer.lease_token });
      model.claim(task);
      assertEquals(comparable(answer.input_data), comparable(task.input ?? null), `${nameOf(task)} has another input`);
    }
    return did;
  }

  private async complete(task: Task, output: Json | undefined, label: number): Promise<void> {
    const labels = this.model.labelsOf(task);
    const chosen = labels.length > 0 ? labels[label % labels.length] : undefined;
    await this.send(task, {
      status: "completed",
      ...(output !== undefined && { output_data: output }),
      ...(chosen !== undefined && { label: chosen }),
    });
    this.model.complete(task, output, chosen);
  }

  private async decide(task: Task, person: number, decision: "approved" | "rejected"): Promise<void> {
    const name = PEOPLE[person] ?? "owner";
    const actor = this.project[name].actor;
    const args = { task_id: this.idOf(task), decision, comment: "a comment" };
    if (task.decisions.has(this.project[name].id)) {
      // Whether the same word again is refused or answered alike: it moves nothing.
      await this.db.rpc(actor, "decide_task", args).catch(() => {});
      return;
    }
    await this.db.rpc(actor, "decide_task", args);
    this.model.decide(task, this.project[name].id, decision);
  }

  private async letTimePass(): Promise<string> {
    await this.db.sql`
      update public.agent_tasks set available_at = now() - interval '1 second'
      where workflow_execution_id = ${this.id} and status = 'pending' and available_at > now()`;
    this.model.elapse();
    return "let time pass";
  }

  private async cancel(): Promise<string> {
    await this.db.rpc(this.project.owner.actor, "cancel_execution", { execution_id: this.id, reason: "a reason" });
    this.model.cancel();
    return "cancel";
  }

  private async retry(): Promise<string> {
    await this.db.rpc(this.project.owner.actor, "retry_execution", { execution_id: this.id, reason: "a reason" });
    this.model.retry();
    for (const [task, lease] of this.leases) if (!lease.report || task.status === "pending") this.lose(task);
    return "retry";
  }

  /** Does something with one of the tasks, and says so. */
  private async on(tasks: Task[], pick: number, act: (task: Task) => Promise<void>): Promise<string | undefined> {
    const task = tasks[pick % tasks.length];
    if (!task) return undefined;
    await act(task);
    return nameOf(task);
  }

  private reported(): Task[] {
    return [...this.leases].filter(([, lease]) => lease.report).map(([task]) => task);
  }

  private lose(task: Task): void {
    const lease = this.leases.get(task);
    if (!lease) return;
    this.leases.delete(task);
    this.lostLeases.push({ task, token: lease.token });
  }

  private idOf(task: Task): string {
    const row = this.rows.get(nameOf(task));
    assert(row, `There is no task ${nameOf(task)}`);
    return row.id;
  }

  private report(task: Task, fields: Record<string, unknown> = {}): Record<string, unknown> {
    return { task_id: this.idOf(task), lease_token: this.leases.get(task)?.token, status: "completed", ...fields };
  }

  private async send(task: Task, fields: Record<string, unknown>): Promise<void> {
    const report = this.report(task, fields);
    await this.call("complete_task", report);
    const lease = this.leases.get(task);
    if (lease) lease.report = report;
  }

  private call(door: string, args: Record<string, unknown>) {
    return this.db.rpc("worker", door, args);
  }

  private async refused(door: string, args: Record<string, unknown>, code: string): Promise<void> {
    assertEquals((await this.db.refusal("worker", door, args)).code, code);
  }

  /** Every task and the execution are in the same status here and there. */
  private async compare(): Promise<void> {
    const tasks = await this.db.sql<
      { id: string; node_id: string; iteration: number; map_index: number | null; status: string; input_data: Json }[]
    >`select id, node_id, iteration, map_index, status, input_data from public.agent_tasks
      where workflow_execution_id = ${this.id}`;
    this.rows = new Map(tasks.map(({ id, status, input_data, ...task }) => {
      const name = rowName(task.node_id, task.iteration, task.map_index);
      return [name, { id, name, status, input_data }];
    }));
    const [execution] = await this.db.sql`
      select x.status, (select count(*)::int from public.execution_events as e where e.workflow_execution_id = x.id) as n
      from public.workflow_executions as x where x.id = ${this.id}`;
    const sorted = (entries: [string, string][]) =>
      entries.toSorted(([left], [right]) => left < right ? -1 : 1).map((entry) => entry.join(" ")).join(", ");
    const actual = sorted([...this.rows.values()].map(({ name, status }) => [name, status]));
    const expected = sorted(this.model.tasks.map((task) => [nameOf(task), task.status]));
    assertEquals(`${execution?.status}: ${actual}`, `${this.model.status}: ${expected}`);
    this.prefixes.push({
      count: execution?.n ?? 0,
      statuses: new Map(tasks.map((task) => [task.id, task.status])),
      names: new Map([...this.rows.values()].map((row) => [row.id, row.name])),
    });
  }
}

const PEOPLE = ["owner", "editor"] as const;

const rowName = (node: string, iteration: number, index: number | null) =>
  `${node}#${iteration}${index === null ? "" : `[${index}]`}`;

/** Without what only the database knows: when someone decided, and the words they gave with it. */
function comparable(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null), (_, inner) => {
    if (typeof inner !== "object" || inner === null || !("decided_by" in inner)) return inner;
    const { decision, decided_by } = inner;
    return { decision, decided_by };
  });
}

/** A project for one run, of people that all runs share. */
async function createOwnProject(db: TestDatabase, people: Project): Promise<string> {
  const [project] = await db.sql<{ id: string }[]>`
    insert into public.projects (name, owner_id) values ('A run', ${people.owner.id}) returning id`;
  await db.sql`
    insert into public.project_collaborators (project_id, user_id, role)
    values (${project?.id ?? ""}, ${people.editor.id}, 'editor')`;
  return project?.id ?? "";
}

/** A failure of a run as a person would want to read it. */
export function explain(error: unknown, graph: Graph, input: State, history: string[]): Error {
  const refusal = error instanceof postgres.PostgresError ? JSON.stringify(refusalOf(error)) : "";
  const message = error instanceof Error ? error.message : String(error);
  return new Error(
    `${describe(graph)}\ninput ${JSON.stringify(input)}\n${history.join("\n")}\n\n${message}\n${refusal}`,
    {
      cause: error,
    },
  );
}
