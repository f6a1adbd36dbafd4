// The reference model's graphs: how they are written down, and what follows from their shape alone.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Reducer = "replace" | "append" | "merge" | "sum";

/** `$.<channel> <op> <value>`: false where the channel is missing or no number. */
export interface Predicate {
  channel: string;
  op: ">" | "<" | "==";
  value: number;
}

export interface Edge {
  source: string;
  target: string;
  when?: Predicate;
  label?: string;
  loop?: { max_iterations: number; on_exhausted: "continue" | "fail" };
}

export interface Node {
  id: string;
  type: "agent" | "map" | "approval" | "workflow";
  join: "all" | "any";
  on_failure: "fail" | "skip" | "continue";
  max_attempts: number;
  /** Seconds, or none; long enough never to pass by themselves. */
  delay_seconds: number;
  backoff_seconds: number;
  priority: number;
  /** Of a map: `$.<channel>`, or with `items` `$.<channel>[*]`. */
  over?: { channel: string; items: boolean };
  /** Name in the task's input → channel. */
  input?: Record<string, string>;
  /** Of an approval: how many people must approve. */
  approvals: number;
  /** Of a workflow: what it runs. */
  workflow?: Graph;
}

export interface Graph {
  nodes: Node[];
  edges: Edge[];
  state: Record<string, Reducer>;
  concurrency_limit?: number;
}

export const START = "__start__";
export const END = "__end__";

/** A loop edge with what it repeats. */
export interface Loop {
  edge: Edge;
  /** The ways from its target to the sources of its family. */
  core: Set<string>;
  /** What a turn repeats: the core with every loop that begins in it. */
  body: Set<string>;
  /** The loops that turn and end together: into one node, and no source leads to the other. Of one alone itself. */
  family: Loop[];
}

export interface Shape {
  graph: Graph;
  /** Every edge that is no loop, with the implicit ones from the start and to the end. */
  flow: Edge[];
  loops: Loop[];
  /** The loops that must have ended before the edge is resolved. */
  gates: Map<Edge, Loop[]>;
  /** Pairs of nodes of which the first stands before the second in every topological order. */
  before: [string, string][];
}

/** The graph and all that run inside it, each behind those that run inside it. */
export const graphsOf = (graph: Graph): Graph[] => [
  ...graph.nodes.flatMap(({ workflow }) => workflow ? graphsOf(workflow) : []),
  graph,
];

/** Everything that can be reached from a node over these edges, itself included. */
export function reachable(from: string, edges: Pick<Edge, "source" | "target">[]): Set<string> {
  const found = new Set([from]);
  for (const id of found) for (const { source, target } of edges) if (source === id) found.add(target);
  return found;
}

/** Loop edges by family: put together for as long as two belong to one another. */
function familiesOf(edges: Edge[], leads: (from: string, to: string) => boolean): Edge[][] {
  const areKin = (one: Edge, other: Edge) =>
    one.target === other.target && !leads(one.source, other.source) && !leads(other.source, one.source);
  let families: Edge[][] = [];
  for (const edge of edges) {
    const kin = families.filter((family) => family.some((other) => areKin(edge, other)));
    families = [...families.filter((family) => !kin.includes(family)), [...kin.flat(), edge]];
  }
  return families;
}

/** The sources that must be resolved before the loops of this one are tried. */
export function awaitedBy(source: string, loops: Loop[]): Set<string> {
  const mine = loops.filter((loop) => loop.edge.source === source);
  return new Set(mine.flatMap(({ family }) => family.map((loop) => loop.edge.source)));
}

/** Neither lies inside the other, and a turn of the one makes a source of the other anew. */
const share = (one: Loop, other: Loop, loops: Loop[]) =>
  !one.body.isSubsetOf(other.body) && !other.body.isSubsetOf(one.body) &&
  loops.some(({ edge }) => one.body.has(edge.source) && other.body.has(edge.source));

/** What shares a source with a loop, and with what does so, with all that is inside of these. */
function besides(loop: Loop, loops: Loop[]): Loop[] {
  const found = [loop];
  for (const one of found) {
    for (const other of loops) {
      if (!found.includes(other) && (share(one, other, loops) || (one !== loop && other.body.isSubsetOf(one.body)))) {
        found.push(other);
      }
    }
  }
  return found.slice(1);
}

export function shapeOf(graph: Graph): Shape {
  const ids = graph.nodes.map((node) => node.id);
  const given = graph.edges.filter((edge) => !edge.loop);
  const flow = [...given];
  if (!given.some((edge) => edge.source === START)) {
    const entries = ids.filter((id) => !given.some((edge) => edge.target === id));
    flow.push(...entries.map((target) => ({ source: START, target })));
  }
  // Only where the end is not named: publishing refuses a node without a way to an end that is.
  const sinks = ids.filter((id) => !given.some((edge) => edge.source === id));
  flow.push(...sinks.map((source) => ({ source, target: END })));

  const behind = new Map(ids.map((id) => [id, reachable(id, flow)]));
  const leads = (from: string, to: string) => behind.get(from)?.has(to) ?? false;
  const between = (target: string, sources: Iterable<string>) =>
    new Set(ids.filter((id) => leads(target, id) && [...sources].some((source) => leads(id, source))));
  const families = familiesOf(graph.edges.filter((edge) => edge.loop), leads).map((edges) => {
    const target = edges[0]?.target ?? "";
    const sources = new Set(edges.map((edge) => edge.source));
    return { edges, target, sources, core: between(target, sources), body: between(target, sources) };
  });
  // A loop that begins inside another lies inside it whole, wherever it leads back from.
  for (let isGrowing = true; isGrowing;) {
    isGrowing = false;
    for (const one of families) {
      for (const other of families) {
        const begins = one.body.has(other.target) &&
          (one.target !== other.target || !one.body.isDisjointFrom(other.sources));
        if (!begins || other.body.isSubsetOf(one.body)) continue;
        one.sources = one.sources.union(other.sources);
        one.body = between(one.target, one.sources);
        isGrowing = true;
      }
    }
  }
  const loops = families.flatMap(({ edges, core, body }) => {
    const family: Loop[] = [];
    family.push(...edges.map((edge) => ({ edge, core, body, family })));
    return family;
  }).toSorted((left, right) => graph.edges.indexOf(left.edge) - graph.edges.indexOf(right.edge));
  const leaves = (set: Set<string>, edge: Edge) => set.has(edge.source) && !set.has(edge.target);
  // It lies in the core of a loop inside, which must have ended before the loop's own sources have their turn.
  const isDetour = ({ body, family }: Loop, { source, target }: Edge) =>
    loops.some(({ core, body: inner }) =>
      inner.isSubsetOf(body) && core.has(source) && core.has(target) &&
      !family.some(({ edge }) => core.has(edge.source))
    );
  // What leaves a core waits until its loop is done with it, but for detours; what leaves a body waits for every loop
  // inside as well, and for those beside it, of which a turn could open it again.
  const gates = new Map(flow.map((edge) => {
    const around = loops.filter(({ body }) => leaves(body, edge));
    const awaited = around.flatMap((loop) => [
      ...loops.filter(({ body }) => body.isSubsetOf(loop.body)),
      ...besides(loop, loops).filter(({ body }) => !body.has(edge.target)),
    ]);
    return [edge, loops.filter((loop) => (leaves(loop.core, edge) && !isDetour(loop, edge)) || awaited.includes(loop))];
  }));
  const before = flow.flatMap((edge) =>
    [edge.source, ...(gates.get(edge) ?? []).flatMap((loop) => [...awaitedBy(loop.edge.source, loops)])].map((
      id,
    ): [string, string] => [id, edge.target])
  ).filter(([source, target]) => source !== START && target !== END);
  return { graph, flow, loops, gates, before };
}

/**
 * A conditional edge between two loops that share a source, from what only the one repeats to what only the other does:
 * decided once, a later turn of its source could not change it.
 */
const crosses = ({ loops, flow }: Shape): boolean =>
  flow.some((edge) =>
    (edge.when ?? edge.label) !== undefined &&
    loops.some((one) =>
      loops.some((other) =>
        share(one, other, loops) && one.body.has(edge.source) && !other.body.has(edge.source) &&
        other.body.has(edge.target) && !one.body.has(edge.target)
      )
    )
  );

/** Two loops of which each waits for the other to end, or that no order of turns fits. */
export function interlocks(shape: Shape): boolean {
  if (crosses(shape)) return true;
  const edges = shape.before.map(([source, target]) => ({ source, target }));
  return shape.before.some(([source, target]) => reachable(target, edges).has(source));
}

/** The definition that a workflow would hold; `workflowIds` has the id of each graph that a node runs. */
export function definitionOf(graph: Graph, workflowIds = new Map<Graph, string>()): Json {
  const path = ({ channel, op, value }: Predicate) => `$.${channel} ${op} ${value}`;
  const nodes = graph.nodes.map((node): Json => ({
    id: node.id,
    type: node.type,
    join: node.join,
    on_failure: node.on_failure,
    priority: node.priority,
    delay_seconds: node.delay_seconds,
    retry: { max_attempts: node.max_attempts, backoff_seconds: node.backoff_seconds },
    ...(node.type === "agent" || node.type === "map" ? { agent_type: "architect" } : {}),
    ...(node.type === "approval" ? { approvals: node.approvals } : {}),
    ...(node.over ? { over: `$.${node.over.channel}${node.over.items ? "[*]" : ""}` } : {}),
    ...(node.input
      ? { input: Object.fromEntries(Object.entries(node.input).map(([key, channel]) => [key, `$.${channel}`])) }
      : {}),
    ...(node.workflow ? { workflow_id: workflowIds.get(node.workflow) ?? "" } : {}),
  }));
  const edges = graph.edges.map(({ source, target, when, label, loop }): Json => ({
    source,
    target,
    ...(when ? { when: path(when) } : {}),
    ...(label ? { label } : {}),
    ...(loop ? { loop: { ...loop } } : {}),
  }));
  return {
    nodes,
    edges,
    state: graph.state,
    ...(graph.concurrency_limit ? { concurrency_limit: graph.concurrency_limit } : {}),
  };
}

/** A graph in a few readable lines. */
export function describe(graph: Graph, indent = ""): string {
  const nodes = graph.nodes.map((node) => {
    const marks = [
      node.type !== "agent" && node.type,
      node.join === "any" && "any",
      node.on_failure !== "fail" && `on_failure=${node.on_failure}`,
      node.max_attempts > 1 && `attempts=${node.max_attempts}`,
      node.delay_seconds && "delayed",
      node.backoff_seconds && "backoff",
      node.priority && `priority=${node.priority}`,
      node.over && `over=$.${node.over.channel}${node.over.items ? "[*]" : ""}`,
      node.input && `input=${JSON.stringify(node.input)}`,
      node.type === "approval" && node.approvals > 1 && `approvals=${node.approvals}`,
    ].filter(Boolean);
    const inside = node.workflow ? `:\n${describe(node.workflow, `${indent}    `)}` : "";
    return `${indent}${node.id}${marks.length > 0 ? ` (${marks.join(", ")})` : ""}${inside}`;
  });
  const edges = graph.edges.map(({ source, target, when, label, loop }) =>
    `${indent}${source} → ${target}` + (label ? ` [${label}]` : "") +
    (when ? ` when $.${when.channel} ${when.op} ${when.value}` : "") +
    (loop ? ` loop ${loop.max_iterations}${loop.on_exhausted === "fail" ? " else fail" : ""}` : "")
  );
  const rest = [`${indent}state ${JSON.stringify(graph.state)}`];
  if (graph.concurrency_limit) rest.push(`${indent}concurrency_limit ${graph.concurrency_limit}`);
  return [...nodes, ...edges, ...rest].join("\n");
}
