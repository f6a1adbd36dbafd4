// Does the same with an execution in the database, through the public doors, and with the reference model, and compares.
import type postgres from "postgres";
import { assert, assertEquals } from "@std/assert";
import { callDoor, refused, type TestDatabase } from "../../support/database.ts";
import type { Project } from "../../support/factories.ts";
import type { Command, Fork } from "../../support/model/arbitraries.ts";
import { Execution, nameOf, type Task } from "../../support/model/execution.ts";
import type { State } from "../../support/model/fold.ts";
import { definitionOf, type Graph, graphsOf, type Json, shapeOf } from "../../support/model/graph.ts";
import { connectAsWorker } from "../../support/worker.ts";
import { type RecordedPrefix, replay, type StoredEvent } from "./replay.ts";
import { createOwnProject, orderOf, publishGraph } from "./setting.ts";
import { comparable, readTables, type Tables } from "./tables.ts";

/** An execution of the tree and the path that its tasks' names begin with: those of child executions have one. */
interface Place {
  execution: Execution;
  path: string;
}

interface ClaimedTask {
  id: string;
  lease_token: string;
  input_data: Json;
}

/** What a worker remembers of a task: its lease, and what it reported under it. */
interface Lease {
  token: string;
  report?: Record<string, unknown>;
}

const PEOPLE = ["owner", "editor"] as const;

export class Driver {
  private readonly leases = new Map<Task, Lease>();
  private readonly lostLeases: { task: Task; token: string }[] = [];
  private tables: Tables = { executions: [], tasks: new Map() };
  private readonly prefixes = new Map<string, RecordedPrefix[]>();
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
    const workflowIds = new Map<Graph, string>();
    const orders = new Map<Graph, Map<string, number>>();
    for (const each of graphsOf(graph)) {
      const id = await publishGraph(db, project, definitionOf(each, workflowIds));
      workflowIds.set(each, id);
      orders.set(each, await orderOf(db, id, each));
    }
    const { execution } = await db.rpc(project.owner.actor, "start_workflow", {
      workflow_id: workflowIds.get(graph),
      input,
    });
    const place = ({ shape }: Execution, node: string) => orders.get(shape.graph)?.get(node) ?? 0;
    const driver = new Driver(db, project, execution.id, new Execution(shapeOf(graph), input, place));
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
    this.history.push(did.startsWith(command.do) ? did : `${command.do}: ${did}`);
    await this.compare();
  }

  private act(command: Command): Promise<string | undefined> | string | undefined {
    const { model } = this;
    const running = this.all((task) => task.status === "running");
    switch (command.do) {
      case "claim":
        return this.claim(command.limit, command.within);
      case "complete":
        return this.on(running, command.pick, (task) => this.complete(task, command.output, command.label));
      case "report several":
        return this.reportSeveral(running, command);
      case "complete with a wrong label": {
        const labelled = running.filter((task) => this.executionOf(task).labelsOf(task).length > 0);
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
          this.executionOf(task).fail(task);
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
          this.executionOf(task).release(task);
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
        const waiting = this.all((task) => task.status === "waiting" && task.node.type === "approval");
        return this.on(waiting, command.pick, (task) => this.decide(task, command.person, command.decision));
      }
      case "let time pass":
        return this.letTimePass();
      case "cancel":
        return this.cancel(command.pick);
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
      for (const task of this.all((task) => task.status === "running")) {
        if (task.status !== "running") continue;
        const output = { c0: round % 4, c1: (round + 1) % 3, list: [round] };
        this.history.push(`complete ${this.nameOf(task)}`);
        await this.complete(task, output, round);
        await this.compare();
      }
      for (const task of this.all((task) => task.node.type === "approval")) {
        for (const person of [0, 1]) {
          if (task.status !== "waiting" || task.decisions.has(PEOPLE[person] ?? "")) continue;
          this.history.push(`decide ${this.nameOf(task)}`);
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
    for (const [id, prefixes] of this.prefixes) {
      const events = await this.db.sql<StoredEvent[]>`
        select task_id, type, data from public.execution_events where workflow_execution_id = ${id}
        order by transaction_id, id`;
      const completions = events.filter((event) => event.type === "task.completed").map((event) => event.task_id);
      assertEquals(completions.length, new Set(completions).size, "A task was completed twice");
      replay(events, prefixes);
    }
  }

  /** @param within which of the executions to claim for, with those inside it; for the project where absent */
  private async claim(limit: number, within?: number): Promise<string> {
    // A claim leaves some of what expired to others while it finds enough else to do; the sweep leaves nothing.
    const expired = this.all((task) => task.isLeaseExpired);
    if (expired.length > 0) {
      await this.db.sql`select private.reclaim_tasks()`;
      this.history.push(`sweep: ${expired.map((task) => this.nameOf(task)).join(" ")}`);
    }
    const places = this.places();
    const around = within === undefined ? undefined : places[within % places.length]?.path;
    const { tasks }: { tasks: ClaimedTask[] } = await this.call("claim_tasks", {
      worker_id: "worker",
      agent_types: ["architect"],
      limit,
      lease_seconds: 600,
      ...(around === undefined ? { project_id: this.project.id } : { execution_id: this.tableOf(around).id }),
    });
    this.tables = await this.read();
    for (const { execution } of this.places()) execution.sweep();
    for (const task of expired) this.lose(task);
    this.take(tasks, limit, around ?? "");
    return `claim ${limit}: ${
      this.all((task) => task.status === "running").map((task) => this.nameOf(task)).join(" ")
    }`;
  }

  /** Claims in the model what was given, which must be as much as there was, and the most urgent. */
  private take(given: ClaimedTask[], limit: number, around: string): void {
    const places = this.places().filter(({ path }) => path.startsWith(around));
    const able = places.flatMap(({ execution }) => execution.claimable);
    const room = places.reduce((sum, { execution }) => sum + Math.min(execution.claimable.length, execution.room), 0);
    const count = Math.min(limit, room);
    const names = (tasks: Task[]) => tasks.map((task) => this.nameOf(task)).join(" ") || "nothing";
    const answers = new Map(given.map((task) => [task.id, task]));
    const claimed = able.filter((task) => answers.has(this.idOf(task)));
    const did = `claim ${limit}${around && ` for ${around}`}: ${names(claimed)}`;
    const isExact = claimed.length === count && given.length === count;
    assert(isExact, `${did} (given ${given.length}), expected ${count} of ${names(able)}`);
    for (const { execution } of places) {
      const mine = execution.claimable;
      const left = mine.filter((task) => !claimed.includes(task)).map((task) => task.node.priority);
      const taken = mine.filter((task) => claimed.includes(task)).map((task) => task.node.priority);
      assert(Math.max(...left) <= Math.min(...taken), `${did}: less urgent ones than were left`);
    }
    for (const task of claimed) {
      const answer = answers.get(this.idOf(task));
      this.lose(task);
      this.leases.set(task, { token: answer?.lease_token ?? "" });
      this.executionOf(task).claim(task);
      assertEquals(comparable(answer?.input_data), comparable(task.input), `${this.nameOf(task)} has another input`);
    }
  }

  private async complete(task: Task, output: Json | undefined, label: number): Promise<void> {
    const result = this.resultOf(task, output, label);
    await this.send(task, result);
    this.executionOf(task).complete(task, output, result.label);
  }

  private resultOf(task: Task, output: Json | undefined, label: number): { status: string; label?: string } {
    const labels = this.executionOf(task).labelsOf(task);
    const chosen = labels[label % labels.length];
    return {
      status: "completed",
      ...(output !== undefined && { output_data: output }),
      ...(chosen !== undefined && { label: chosen }),
    };
  }

  /** In one call; one of them may cancel another that comes after it, and of two about one task the first counts. */
  private async reportSeveral(
    running: Task[],
    { picks, output, label }: Extract<Command, { do: "report several" }>,
  ): Promise<string | undefined> {
    const sent = picks.flatMap(({ pick, how }) => {
      const task = running[pick % running.length];
      if (!task) return [];
      const result = how === "fail"
        ? { status: "failed", error_message: "on purpose" }
        : this.resultOf(task, output, label);
      const artifacts = how === "complete with an artifact" ? [{ file_path: "a.txt", content: "a" }] : undefined;
      return [{ task, how, report: this.report(task, { ...result, ...(artifacts && { artifacts }) }) }];
    });
    if (sent.length === 0) return undefined;
    const { results } = await this.call("complete_tasks", { results: sent.map(({ report }) => report) });
    const did = sent.map(({ task, how }) => `${how} ${this.nameOf(task)}`).join(", ");
    const firsts = new Map<Task, string>();
    sent.forEach(({ task, how, report }, index) => {
      const first = firsts.get(task);
      const isTaken = task.status === "running" && first === undefined;
      const expected = isTaken || first === how
        ? undefined
        : first === undefined
        ? "task_lease_lost"
        : "task_already_reported";
      assertEquals(results[index]?.error?.code, expected, did);
      if (!isTaken) return;
      firsts.set(task, how);
      const lease = this.leases.get(task);
      if (lease) lease.report = report;
      const execution = this.executionOf(task);
      if (how === "fail") execution.fail(task);
      else execution.complete(task, output, report.label as string | undefined);
    });
    return did;
  }

  /** Ends in another execution that keeps some of this one, to be gone on with. */
  async fork({ which, from, input }: Fork): Promise<Driver> {
    const places = this.places();
    const { execution: source, path } = places[which % places.length] ?? { execution: this.model, path: "" };
    const { nodes } = source.shape.graph;
    const from_node = nodes[from % nodes.length]?.id ?? "";
    const { execution } = await this.db.rpc(this.project.owner.actor, "fork_execution", {
      execution_id: this.tables.executions.find((found) => found.path === path)?.id,
      from_node,
      input,
    });
    const driver = new Driver(this.db, this.project, execution.id, source.fork(from_node, input));
    driver.history.push(...this.history, `fork ${path} from ${from_node} with ${JSON.stringify(input)}`);
    await driver.compare();
    return driver;
  }

  /** Cancels what a fork has left behind, if it runs still. */
  async leave(): Promise<void> {
    if (!this.isRunning) return;
    await this.db.rpc(this.project.owner.actor, "cancel_execution", { execution_id: this.id });
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
    this.executionOf(task).decide(task, this.project[name].id, decision);
  }

  private async letTimePass(): Promise<string> {
    await this.db.sql`
      update public.agent_tasks set available_at = now() - interval '1 second'
      where project_id = ${this.project.id} and status in ('pending', 'cancelled') and available_at > now()`;
    for (const { execution } of this.places()) execution.elapse();
    return "let time pass";
  }

  private async cancel(pick: number): Promise<string | undefined> {
    const running = this.places().filter(({ execution }) => execution.status === "running");
    const place = running[pick % running.length];
    if (!place) return undefined;
    const execution_id = this.tableOf(place.path).id;
    await this.db.rpc(this.project.owner.actor, "cancel_execution", { execution_id, reason: "a reason" });
    place.execution.cancel();
    return place.path || "all of it";
  }

  private async retry(): Promise<string> {
    await this.db.rpc(this.project.owner.actor, "retry_execution", { execution_id: this.id, reason: "a reason" });
    this.model.retry();
    for (const [task, lease] of this.leases) if (!lease.report || task.isReopened) this.lose(task);
    return "retry";
  }

  /** Does something with one of the tasks, and says so. */
  private async on(tasks: Task[], pick: number, act: (task: Task) => Promise<void>): Promise<string | undefined> {
    const task = tasks[pick % tasks.length];
    if (!task) return undefined;
    await act(task);
    return this.nameOf(task);
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

  /** The execution and those that its tasks run, the latest of each. */
  private places(execution = this.model, path = ""): Place[] {
    const children = execution.tasks.flatMap((task) =>
      task.child ? this.places(task.child, `${path}${nameOf(task)}/`) : []
    );
    return [{ execution, path }, ...children];
  }

  private all(isWanted: (task: Task) => boolean): Task[] {
    return this.places().flatMap(({ execution }) => execution.tasks).filter(isWanted);
  }

  private placeOf(task: Task): Place {
    const place = this.places().find(({ execution }) => execution.tasks.includes(task));
    assert(place, `${nameOf(task)} is of an execution that is no more`);
    return place;
  }

  private executionOf(task: Task): Execution {
    return this.placeOf(task).execution;
  }

  private nameOf(task: Task): string {
    return this.placeOf(task).path + nameOf(task);
  }

  private tableOf(path: string): Tables["executions"][number] {
    const row = this.tables.executions.find((execution) => execution.path === path);
    assert(row, `There is no execution ${path}`);
    return row;
  }

  private idOf(task: Task): string {
    const row = this.tables.tasks.get(this.nameOf(task));
    assert(row, `There is no task ${this.nameOf(task)}`);
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

  private read(): Promise<Tables> {
    return readTables(this.db, this.project.id, this.id);
  }

  private call(door: string, args: Record<string, unknown>) {
    return callDoor(workerOf(this.db), door, args);
  }

  private async refused(door: string, args: Record<string, unknown>, code: string): Promise<void> {
    assertEquals((await refused(this.call(door, args))).code, code);
  }

  /** Every task and every execution are in the same status here and there. */
  private async compare(): Promise<void> {
    this.tables = await this.read();
    const { executions, tasks } = this.tables;
    const lines = (entries: (readonly [string, string])[]) =>
      entries.map(([name, status]) => `${name || "execution"} ${status}`).toSorted().join("\n");
    const actual = lines([
      ...executions.map(({ path, status }) => [path, status] as const),
      ...[...tasks].map(([name, { status }]) => [name, status] as const),
    ]);
    const expected = lines(
      this.places().flatMap(({ execution, path }) => [
        [path, execution.status] as const,
        ...execution.tasks.map((task) => [path + nameOf(task), task.status] as const),
      ]),
    );
    assertEquals(actual, expected);
    for (const { id, path, events } of executions) {
      const own = [...tasks].filter(([name]) => name.startsWith(path) && !name.slice(path.length).includes("/"));
      const prefix = { events, tasks: own.map(([name, task]) => ({ name, ...task })) };
      this.prefixes.set(id, [...this.prefixes.get(id) ?? [], prefix]);
    }
  }
}

const workers = new Map<TestDatabase, postgres.Sql>();

/** The one connection that all runs work through: a statement a call, for there are many. */
function workerOf(db: TestDatabase): postgres.Sql {
  const worker = workers.get(db) ?? connectAsWorker(db.url);
  workers.set(db, worker);
  return worker;
}
