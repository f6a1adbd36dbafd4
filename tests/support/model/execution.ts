// The reference model of the engine: one execution as a handful of maps, settled by rules tried again until none applies.
// It is written for reading: nothing is counted down and nothing remembered that the rules can look up.
import { isDeepStrictEqual } from "node:util";
import { fold, holds, listOf, type State } from "./fold.ts";
import { awaitedBy, type Edge, END, type Json, type Loop, type Node, type Shape, shapeOf, START } from "./graph.ts";

export type TaskStatus =
  | "blocked"
  | "pending"
  | "running"
  | "waiting"
  | "completed"
  | "failed"
  | "skipped"
  | "cancelled";

export interface Task {
  node: Node;
  iteration: number;
  /** Of an element of a map: which one, and whose. */
  index: number | null;
  map?: Task;
  status: TaskStatus;
  attempt: number;
  /** Not before a wait is over. */
  delayed: boolean;
  isLeaseExpired: boolean;
  input?: Json;
  output?: Json;
  label?: string;
  decisions: Map<string, string>;
  /** Its iteration was begun by a loop edge into it, which counts as a live edge. */
  isLooped: boolean;
  /** Edges from outside the loop that began its iteration which were decided by then: they have begun it once before. */
  spent: Edge[];
  areLoopsTried: boolean;
  /** One of its loops ran out, where that fails the execution. */
  hasRunOut: boolean;
  /** Where it stands in the fold. */
  key: number[];
  /** What it was when a failure of the execution cancelled it. */
  before?: TaskStatus;
  /** A retry has forgotten what was reported of it; until it is claimed again. */
  isReopened?: boolean;
  /** Of a workflow: what it runs. */
  child?: Execution;
}

const OPEN: TaskStatus[] = ["blocked", "pending", "running", "waiting"];
const isOpen = (task: Task) => OPEN.includes(task.status);
const isAlive = ({ status, node }: Task) =>
  status === "completed" || (status === "failed" && node.on_failure === "continue");
/** Has an outcome that its edges can be told. */
const isResolved = (task: Task) => isAlive(task) || task.status === "skipped";

/** The id of a task in comparisons. */
export const nameOf = (task: Task) =>
  `${task.node.id}#${task.iteration}${task.index === null ? "" : `[${task.index}]`}`;

function compareKeys(left: number[], right: number[]): number {
  const at = left.findIndex((part, index) => part !== right[index]);
  return at < 0 ? left.length - right.length : (left[at] ?? 0) - (right[at] ?? -1);
}

export class Execution {
  status: "running" | "completed" | "failed" | "cancelled" = "running";
  readonly tasks: Task[] = [];
  readonly shape: Shape;
  private readonly outcomes = new Map<Edge, "live" | "dead">();
  private readonly taken = new Map<Loop, number>();
  /** What a retry allows a loop that ran out, beyond its own bound. */
  private readonly granted = new Map<Loop, number>();
  private readonly ended = new Set<Loop>();
  /** Loops that ran out where that fails the execution. */
  private readonly exhausted = new Set<Loop>();
  private isFailing = false;
  private isSettling = false;

  /**
   * @param order the nodes' places in topological order; where the graph allows several, the engine's choice
   * @param parent the task that runs this execution
   * @param start what a fork keeps: tasks, and loops that are over with how often they were taken; and whose fork it is
   */
  constructor(
    shape: Shape,
    readonly input: State,
    private readonly order: (execution: Execution, node: string) => number,
    private readonly parent?: { execution: Execution; task: Task },
    private readonly start: { kept: Task[]; taken: Map<Loop, number>; source?: Execution } = {
      kept: [],
      taken: new Map(),
    },
  ) {
    this.shape = shape;
    for (const loop of shape.loops) this.taken.set(loop, start.taken.get(loop) ?? 0);
    for (const loop of start.taken.keys()) this.ended.add(loop);
    this.tasks.push(...start.kept);
    for (const node of shape.graph.nodes) if (!this.current(node.id)) this.addTask(node, 0);
    for (const edge of shape.flow) {
      // In a fork what was kept has been folded in by then.
      if (edge.source === START) this.outcomes.set(edge, holds(edge.when, this.state) ? "live" : "dead");
    }
    this.settle();
  }

  // What can be asked.

  get state(): State {
    const outputs = this.tasks
      .filter((task) => task.status === "completed" && task.index === null && task.output !== undefined)
      .toSorted((left, right) => compareKeys(left.key, right.key))
      .map((task) => ({ node: task.node.id, output: task.output ?? null }));
    return fold(this.shape.graph.state, this.input, outputs);
  }

  get claimable(): Task[] {
    if (this.status !== "running") return [];
    return this.tasks.filter((task) => task.status === "pending" && !task.delayed && task.node.type !== "workflow");
  }

  /** How many more tasks may run at once. */
  get room(): number {
    const running = this.tasks.filter((task) => task.status === "running").length;
    return Math.max(0, (this.shape.graph.concurrency_limit ?? Infinity) - running);
  }

  /** The labels of which a report must name one, if any. */
  labelsOf(task: Task): string[] {
    return this.shape.graph.edges.filter((edge) => edge.source === task.node.id && edge.label !== undefined)
      .map((edge) => edge.label ?? "");
  }

  // What can be done. The caller sees to it that the task is in a status for it.

  /** What every claim does first: expired leases are taken back. */
  sweep(): void {
    for (const task of this.tasks.filter((task) => task.status === "running" && task.isLeaseExpired)) {
      task.isLeaseExpired = false;
      if (task.attempt < task.node.max_attempts) task.status = "pending";
      else this.failForGood(task);
    }
    this.settle();
  }

  claim(task: Task): void {
    task.status = "running";
    task.attempt += 1;
    task.isReopened = false;
    task.isLeaseExpired = false;
  }

  complete(task: Task, output: Json | undefined, label?: string): void {
    task.status = "completed";
    task.isLeaseExpired = false;
    task.output = output;
    task.label = label;
    this.closeMapOf(task);
    this.settle();
  }

  fail(task: Task): void {
    task.isLeaseExpired = false;
    if (task.attempt < task.node.max_attempts) {
      task.status = "pending";
      task.delayed = task.node.backoff_seconds > 0;
    } else {
      this.failForGood(task);
      this.settle();
    }
  }

  release(task: Task): void {
    task.status = "pending";
    task.attempt -= 1;
    task.isLeaseExpired = false;
  }

  decide(task: Task, person: string, decision: "approved" | "rejected"): void {
    task.decisions.set(person, decision);
    if (decision === "approved" && task.decisions.size < task.node.approvals) return;
    task.status = "completed";
    task.label = decision;
    task.output = { [task.node.id]: { decision, decided_by: person } };
    this.settle();
  }

  /** All waits are over. */
  elapse(): void {
    for (const task of this.tasks) task.delayed = false;
  }

  cancel(): void {
    this.end("cancelled");
  }

  /** Another try for what failed the execution. */
  retry(): void {
    const failed = this.tasks.filter((task) => task.status === "failed" && task.node.on_failure === "fail");
    this.status = "running";
    this.isFailing = false;
    for (const loop of this.exhausted) {
      this.granted.set(loop, this.taken.get(loop) ?? 0);
      const source = this.current(loop.edge.source);
      if (source) Object.assign(source, { areLoopsTried: false, hasRunOut: false });
    }
    this.exhausted.clear();
    for (const task of this.tasks) {
      if (!task.before) continue;
      if (task.before === "running") task.attempt -= 1;
      task.status = task.before === "running" ? "pending" : task.before;
      task.before = undefined;
      task.isReopened = true;
    }
    for (const task of failed) {
      task.isReopened = true;
      task.attempt = 0;
      task.delayed = false;
      if (task.child) {
        task.status = "waiting";
      } else if (task.index === null && task.node.type !== "agent") {
        this.begin(task);
      } else {
        task.status = "pending";
      }
    }
    this.settle();
    // Last, what runs inside goes on where it failed: one that fails again at once ends this and with it the others.
    const place = ({ id }: Node) => this.order(this, id);
    for (const { id } of this.shape.graph.nodes.toSorted((left, right) => place(left) - place(right))) {
      const task = this.current(id);
      if (this.status !== "running" || task?.status !== "waiting" || !task.child) continue;
      if (task.child.status !== "running") task.child.retry();
    }
  }

  /** Another execution of the same graph that keeps what was finished and does not come after `from`. */
  fork(from: string, input: State): Execution {
    const { shape } = this;
    const merged = { ...this.input, ...input };
    // Whoever approved saw another input.
    const behind = new Set([from, ...isDeepStrictEqual(merged, this.input) ? [] : this.approved()]);
    for (const id of behind) {
      for (const edge of [...shape.flow, ...shape.graph.edges]) if (edge.source === id) behind.add(edge.target);
    }
    // What began with the first of its ways does not wait for the others, unless a loop repeats it.
    const isKept = (id: string) => {
      const task = this.current(id);
      return task?.node.join === "any" && isResolved(task) && !behind.has(id) &&
        !shape.loops.some((loop) => loop.body.has(id));
    };
    const anew = new Set(behind);
    for (const { id } of shape.graph.nodes) {
      const task = this.current(id);
      if (!task || !isResolved(task)) anew.add(id);
    }
    // A loop that ran out is tried anew.
    for (const loop of shape.loops) if (!this.ended.has(loop)) anew.add(loop.edge.source);
    for (const id of anew) {
      for (const edge of [...shape.flow, ...shape.graph.edges]) {
        if (edge.source === id && !isKept(edge.target)) anew.add(edge.target);
      }
    }
    const kept = this.tasks.filter((task) => !anew.has(task.node.id) && isResolved(task))
      .map((task): Task => ({ ...task, child: undefined }));
    const turns = shape.loops.filter((loop) => !anew.has(loop.edge.source));
    const taken = new Map(turns.map((loop) => [loop, this.taken.get(loop) ?? 0]));
    return new Execution(shape, merged, this.order, undefined, { kept, taken, source: this });
  }

  /** The nodes that people have let through: in it, or, of a workflow that a fork kept, where it ran. */
  private approved(): string[] {
    const ran = (id: string) => this.line().flatMap(({ tasks }) => tasks.filter(({ node }) => node.id === id));
    return this.tasks.filter(({ status, index }) => status === "completed" && index === null).map(({ node }) => node)
      .filter(({ id, type }) => type === "approval" || ran(id).some(({ child }) => child?.holdsApproval()))
      .map(({ id }) => id);
  }

  /** It and what it is a fork of, and so on. */
  private line(): Execution[] {
    return [this, ...this.start.source?.line() ?? []];
  }

  private holdsApproval(): boolean {
    return this.tasks.some(({ node, status, child }) =>
      node.type === "approval" && status === "completed" || child?.holdsApproval()
    );
  }

  // The rules.

  /** All that follows happens, also beside a failure; only then the execution ends. */
  private settle(): void {
    // What a task runs may end within the step that begins it.
    if (this.status !== "running" || this.isSettling) return;
    this.isSettling = true;
    while (this.takeLoops() || this.resolveEdges() || this.unblock());
    this.isSettling = false;
    const isDone = this.shape.flow.every((edge) => edge.target !== END || this.outcomes.has(edge));
    if (this.isFailing || isDone) this.end(this.isFailing ? "failed" : "completed");
  }

  /** The task of a node's latest iteration: the only one that edges act on. */
  private current(node: string): Task | undefined {
    return this.tasks.findLast((task) => task.node.id === node && task.index === null);
  }

  /** Does all that the edge carries hold, but for its source? */
  private holds(edge: Edge, source: Task): boolean {
    const isApproved = source.node.type !== "approval" || edge.when || edge.label || source.label === "approved";
    return Boolean(isApproved) && holds(edge.when, this.state) &&
      (edge.label === undefined || (source.status === "completed" && source.label === edge.label));
  }

  private isLive(edge: Edge, source: Task): boolean {
    return isAlive(source) && this.holds(edge, source);
  }

  /**
   * Where the source of loops is resolved, and of a family every source: one loop fires, or all of that source's are
   * over. What ran out keeps the rest of its family waiting for a retry.
   */
  private takeLoops(): boolean {
    const place = (id: string) => this.order(this, id);
    const sources = new Set(this.shape.loops.map((loop) => loop.edge.source));
    for (const id of [...sources].toSorted((left, right) => place(left) - place(right))) {
      const source = this.current(id);
      const awaited = [...awaitedBy(id, this.shape.loops)].map((other) => this.current(other));
      if (!source || source.areLoopsTried) continue;
      if (awaited.some((task) => !task || !isResolved(task) || task.hasRunOut)) continue;
      source.areLoopsTried = true;
      const loops = this.shape.loops.filter((loop) => loop.edge.source === id);
      for (const loop of loops) {
        if (!this.isLive(loop.edge, source)) continue;
        const budget = (loop.edge.loop?.max_iterations ?? 0) + (this.granted.get(loop) ?? 0);
        if ((this.taken.get(loop) ?? 0) < budget) {
          this.fire(loop);
          return true;
        }
        if (loop.edge.loop?.on_exhausted === "fail") {
          this.exhausted.add(loop);
          source.hasRunOut = true;
          this.isFailing = true;
          return true;
        }
      }
      for (const loop of loops) this.ended.add(loop);
      return true;
    }
    return false;
  }

  private fire(loop: Loop): void {
    this.taken.set(loop, (this.taken.get(loop) ?? 0) + 1);
    for (const other of this.shape.loops) {
      if (!loop.body.has(other.edge.source)) continue;
      this.ended.delete(other);
      if (other.edge.source === loop.edge.source || this.compareSize(other, loop) >= 0) continue;
      this.taken.set(other, 0);
      this.granted.delete(other);
    }
    for (const edge of this.shape.flow) {
      if (loop.body.has(edge.source) && loop.body.has(edge.target)) this.outcomes.delete(edge);
    }
    for (const node of this.shape.graph.nodes.filter((node) => loop.body.has(node.id))) {
      const old = this.current(node.id);
      for (const task of this.tasks.filter((task) => task.node === node && isOpen(task))) this.close(task);
      const task = this.addTask(node, (old?.iteration ?? -1) + 1);
      task.isLooped = node.id === loop.edge.target;
      task.spent = this.shape.flow.filter((edge) => edge.target === node.id && this.outcomes.has(edge));
    }
  }

  private resolveEdges(): boolean {
    const open = this.shape.flow.filter((edge) =>
      !this.outcomes.has(edge) && (this.shape.gates.get(edge) ?? []).every((loop) => this.ended.has(loop))
    );
    let hasResolved = false;
    for (const edge of open) {
      const source = this.current(edge.source);
      if (!source || !isResolved(source)) continue;
      this.outcomes.set(edge, this.isLive(edge, source) ? "live" : "dead");
      hasResolved = true;
    }
    return hasResolved;
  }

  /**
   * Tasks whose edges allow it begin or are skipped. First all of them are found; then what can end in this very step, as
   * a map of nothing does, moves last: what begins beside it does not have its output yet.
   */
  private unblock(): boolean {
    const moves = this.shape.graph.nodes.flatMap((node) => {
      const task = this.current(node.id);
      if (task?.status !== "blocked") return [];
      const edges = this.shape.flow.filter((edge) => edge.target === node.id);
      const outcomes = edges.map((edge) => this.outcomes.get(edge));
      const isLive = task.isLooped ||
        edges.some((edge) => this.outcomes.get(edge) === "live" && !task.spent.includes(edge));
      const areAllKnown = !outcomes.includes(undefined);
      if (isLive && (areAllKnown || node.join === "any")) return [{ task, isReady: true }];
      return areAllKnown ? [{ task, isReady: false }] : [];
    });
    const mayEnd = ({ node }: Task) => node.type === "map" || node.type === "workflow";
    const inTurn = [...moves.filter(({ task }) => !mayEnd(task)), ...moves.filter(({ task }) => mayEnd(task))];
    for (const { task, isReady } of inTurn) {
      if (task.status !== "blocked") continue;
      if (isReady) this.begin(task);
      else task.status = "skipped";
    }
    return moves.length > 0;
  }

  private begin(task: Task): void {
    const { node } = task;
    task.input = this.inputOf(node);
    task.status = node.type === "agent" ? "pending" : "waiting";
    task.delayed = node.type === "agent" && node.delay_seconds > 0;
    if (node.type === "map") this.beginMap(task);
    if (node.type === "workflow" && node.workflow) {
      const input = typeof task.input === "object" && !Array.isArray(task.input) ? task.input ?? {} : {};
      task.child = new Execution(shapeOf(node.workflow), input, this.order, { execution: this, task });
      this.heed(task);
    }
  }

  private beginMap(task: Task): void {
    const list = task.node.over && listOf(task.node.over, this.state);
    if (!list) return this.failForGood(task);
    list.forEach((item, index) => {
      const child = this.addTask(task.node, task.iteration);
      const mapped = task.node.input && this.mapInput(task.node.input, { ...this.state, item, index });
      Object.assign(child, { index, map: task, status: "pending", delayed: task.node.delay_seconds > 0 });
      child.input = mapped ?? item;
    });
    if (list.length === 0) Object.assign(task, { status: "completed", output: [] });
  }

  private failForGood(task: Task): void {
    task.status = task.node.on_failure === "skip" ? "skipped" : "failed";
    if (task.node.on_failure === "fail") this.isFailing = true;
    else this.closeMapOf(task);
  }

  /** After the last element of a map the map is completed. */
  private closeMapOf({ map }: Task): void {
    if (!map || map.status !== "waiting") return;
    const children = this.tasks.filter((task) => task.map === map);
    if (children.some(isOpen)) return;
    map.status = "completed";
    map.output = children.map((child) => child.status === "completed" ? child.output ?? null : null);
  }

  /** The end of a child execution is the end of the task that runs it. */
  private heed(task: Task): void {
    if (task.status !== "waiting" || !task.child || task.child.status === "running") return;
    if (task.child.status !== "completed") return this.failForGood(task);
    Object.assign(task, { status: "completed", output: task.child.state });
  }

  private close(task: Task): void {
    task.status = "cancelled";
    task.isLeaseExpired = false;
    if (task.child?.status === "running") task.child.end("cancelled");
  }

  private end(status: "completed" | "failed" | "cancelled"): void {
    if (this.status !== "running") return;
    this.status = status;
    for (const task of this.tasks.filter(isOpen)) {
      const before = task.status;
      this.close(task);
      // A child that its parent's failure has cancelled runs on with it.
      if (status !== "completed") task.before = before;
    }
    this.parent?.execution.heed(this.parent.task);
    this.parent?.execution.settle();
  }

  /** How far behind its last source stands. */
  private placeOf({ family }: Loop): number {
    return Math.max(...family.map((loop) => this.order(this, loop.edge.source)));
  }

  /** A loop around another is greater; of two with one body, the one that turns from further behind. */
  private compareSize(left: Loop, right: Loop): number {
    return left.body.size - right.body.size || this.placeOf(left) - this.placeOf(right);
  }

  private addTask(node: Node, iteration: number): Task {
    const place = (id: string) => this.order(this, id);
    // Outermost first. A family counts its turns together.
    const around = [...new Set(this.shape.loops.filter((loop) => loop.body.has(node.id)).map((loop) => loop.family))]
      .toSorted(([left], [right]) => left && right ? this.compareSize(right, left) : 0);
    const turnsOf = (family: Loop[]) => family.reduce((sum, loop) => sum + (this.taken.get(loop) ?? 0), 0);
    const key = [
      ...around.flatMap((family) => [family[0] ? this.placeOf(family[0]) : 0, turnsOf(family)]),
      place(node.id),
      iteration,
    ];
    const task: Task = {
      node,
      iteration,
      index: null,
      status: "blocked",
      attempt: 0,
      delayed: false,
      isLeaseExpired: false,
      decisions: new Map(),
      isLooped: false,
      spent: [],
      areLoopsTried: false,
      hasRunOut: false,
      key,
    };
    this.tasks.push(task);
    return task;
  }

  private inputOf(node: Node): Json {
    if (node.input) return this.mapInput(node.input, this.state);
    const incoming = this.shape.flow.filter((edge) => edge.target === node.id);
    const before = incoming.map((edge) => this.current(edge.source)).filter((task) => task?.status === "completed");
    // A loop's source has a new task already: its latest completed one counts.
    const around = this.shape.loops.filter((loop) => loop.edge.target === node.id).map((loop) =>
      this.tasks.findLast(({ node, index, status }) =>
        node.id === loop.edge.source && index === null && status === "completed"
      )
    );
    const sources = [...before, ...around].filter((task) => task !== undefined);
    if (sources.length === 0 && incoming.every((edge) => edge.source === START)) return this.input;
    return Object.fromEntries(sources.map((task) => [task.node.id, task.output ?? null]));
  }

  private mapInput(mapping: Record<string, string>, values: State): Json {
    return Object.fromEntries(Object.entries(mapping).map(([name, channel]) => [name, values[channel] ?? null]));
  }
}
