// The workloads as definitions: how many executions of which graph, and how many tasks that makes.

/** Only the bench's own workers ask for it, so that a shared database gives them nothing else. */
export const AGENT_TYPE = "bench";

export interface Workload {
  name: string;
  executions: number;
  tasks: number;
  definition: unknown;
  input: Record<string, unknown>;
}

type Pair = [source: string, target: string];

const definition = (ids: string[], pairs: Pair[]) => ({
  nodes: ids.map((id) => ({ id, agent_type: AGENT_TYPE })),
  edges: pairs.map(([source, target]) => ({ source, target })),
});

const names = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`);

const times = (executions: number) => executions === 1 ? "" : ` × ${executions}`;

const workload = (name: string, executions: number, tasks: number, definition: unknown, input = {}): Workload => ({
  name: name + times(executions),
  executions,
  tasks: tasks * executions,
  definition,
  input,
});

export const single = (executions: number) => workload("single", executions, 1, definition(["n"], []));

export function chain(length: number, executions: number) {
  const ids = names(length);
  const pairs = ids.slice(1).map((id, index): Pair => [ids[index] ?? "", id]);
  return workload(`chain of ${length}`, executions, length, definition(ids, pairs));
}

/** One task, then `width` side by side, then one that waits for all of them. */
export function fanOut(width: number, executions: number) {
  const ids = names(width);
  const pairs = ids.flatMap((id): Pair[] => [["a", id], [id, "z"]]);
  return workload(`fan-out of ${width}`, executions, width + 2, definition(["a", ...ids, "z"], pairs));
}

/** One task and `width` behind it, side by side, each a branch that ends by itself. */
export function wide(width: number, executions: number) {
  const ids = names(width);
  return workload(
    `wide ${width + 1}`,
    executions,
    width + 1,
    definition(["a", ...ids], ids.map((id): Pair => ["a", id])),
  );
}

/** One node whose tasks are the elements of a list in the input. */
export function mapOver(length: number, executions: number) {
  const nodes = [{ id: "n", type: "map", agent_type: AGENT_TYPE, over: "$.items" }];
  const items = Array.from({ length }, (_, index) => index);
  return workload(`map over ${length}`, executions, length, { nodes, edges: [] }, { items });
}
