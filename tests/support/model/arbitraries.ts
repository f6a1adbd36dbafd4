// Random graphs that publish, and random things that workers and people do with an execution.
import fc from "fast-check";
import {
  type Edge,
  END,
  type Graph,
  interlocks,
  type Json,
  type Node,
  type Predicate,
  reachable,
  shapeOf,
  START,
} from "./graph.ts";
import type { State } from "./fold.ts";

const often = <Value>(usual: Value, ...others: fc.Arbitrary<Value>[]): fc.Arbitrary<Value> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, ...others.map((arbitrary) => ({ weight: 1, arbitrary })));

const predicate: fc.Arbitrary<Predicate> = fc.record({
  channel: fc.constantFrom("c0", "c1"),
  op: fc.constantFrom<Predicate["op"][]>(">", "<", "=="),
  value: fc.integer({ min: 0, max: 2 }),
});

/** What an edge carries; a label is made to fit its source. */
const carried = fc.record({
  when: often<Predicate | undefined>(undefined, predicate),
  label: often<number | undefined>(undefined, fc.integer({ min: 0, max: 1 })),
});

/** The value of a channel, as an input or a report would bring it. */
const values: Record<string, fc.Arbitrary<Json>> = {
  c0: fc.integer({ min: 0, max: 3 }),
  c1: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom<Json[]>("word", null)),
  list: fc.oneof(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 3 }), fc.integer({ min: 0, max: 9 })),
  object: fc.record({ a: fc.integer({ min: 0, max: 9 }), b: fc.string({ maxLength: 2 }) }, { requiredKeys: [] }),
};
const channels = Object.keys(values);
/** The channels of what is no object: the output of a map, and of some reports. */
const ids = ["n0", "n1"];
const some = (...required: string[]) =>
  fc.record(values, { requiredKeys: required }).map((record): State =>
    Object.fromEntries(Object.entries(record).map(([channel, value]) => [channel, value ?? null]))
  );
// Most often with a list, so that there is something for a map to run over.
const object: fc.Arbitrary<State> = fc.oneof({ weight: 2, arbitrary: some("list", "c0") }, {
  weight: 1,
  arbitrary: some(),
});

/** @param inner what a node of type workflow may run; without it there are none */
const nodeWith = (inner?: fc.Arbitrary<Graph>) =>
  fc.record({
    type: fc.oneof(
      { weight: 6, arbitrary: fc.constant<Node["type"]>("agent") },
      { weight: 2, arbitrary: fc.constant<Node["type"]>("map") },
      { weight: 1, arbitrary: fc.constant<Node["type"]>("approval") },
      ...(inner ? [{ weight: 1, arbitrary: fc.constant<Node["type"]>("workflow") }] : []),
    ),
    workflow: inner ?? fc.constant(undefined),
    join: often<Node["join"]>("all", fc.constant("any")),
    on_failure: often<Node["on_failure"]>("fail", fc.constant("skip"), fc.constant("continue")),
    max_attempts: fc.constantFrom(1, 2),
    delay_seconds: often(0, fc.constant(3600)),
    backoff_seconds: often(0, fc.constant(3600)),
    priority: often(0, fc.integer({ min: -1, max: 1 })),
    over: fc.record({ channel: fc.constantFrom("list", "list", "list", "c0", ...ids), items: fc.boolean() }),
    input: often<Record<string, string> | undefined>(
      undefined,
      fc.dictionary(fc.constantFrom("x", "list", "c0"), fc.constantFrom(...channels, ...ids), { maxKeys: 2 }),
    ),
    approvals: fc.constantFrom(1, 1, 2),
    /** How far back each edge into it begins. */
    from: fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 3 }), carried), {
      maxLength: 3,
      selector: ([back]) => back,
    }),
    start: often<{ when: Predicate | undefined } | undefined>(undefined, carried),
    end: often<{ when: Predicate | undefined; label: number | undefined } | undefined>(undefined, carried),
  });

const loop = fc.record({
  source: fc.nat({ max: 9 }),
  back: fc.nat({ max: 3 }),
  carried,
  loop: fc.record({
    max_iterations: fc.integer({ min: 1, max: 2 }),
    on_exhausted: often<"continue" | "fail">("continue", fc.constant("fail")),
  }),
});

/** A node that several lead back to, as the agents of a supervisor do: those of its spokes of which none leads to another. */
const hub = fc.record({
  node: fc.nat({ max: 3 }),
  isDeep: fc.boolean(),
  spokes: fc.array(loop, { minLength: 2, maxLength: 3 }),
});

type NodeRecipe = ReturnType<typeof nodeWith>;
const nodesOf = (node: NodeRecipe, maxLength: number) => fc.array(node, { minLength: 1, maxLength });

const recipeOf = (nodes: ReturnType<typeof nodesOf>) =>
  fc.record({
    nodes,
    loops: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, {
      weight: 3,
      arbitrary: fc.array(loop, { maxLength: 3 }),
    }),
    hub: fc.option(hub, { nil: undefined, freq: 2 }),
    isStartNamed: fc.boolean(),
    state: fc.record({
      c0: fc.constantFrom("replace", "sum"),
      c1: fc.constantFrom("replace", "sum", "append"),
      list: fc.constantFrom("replace", "append"),
      object: fc.constantFrom("replace", "merge"),
    }, { requiredKeys: [] }),
    concurrency_limit: often<number | undefined>(undefined, fc.integer({ min: 1, max: 3 })),
  });

const LABELS: Partial<Record<Node["type"], string[]>> = { agent: ["x", "y"], approval: ["approved", "rejected"] };

function build(
  { nodes, loops, hub, isStartNamed, state, concurrency_limit }: RecipeOf<ReturnType<typeof recipeOf>>,
): Graph {
  const made: Node[] = nodes.map(({ from: _, start: _start, end: _end, over, workflow, ...node }, index) => ({
    ...node,
    id: `n${index}`,
    ...(node.type === "map" ? { over } : {}),
    ...(node.type === "workflow" ? { workflow } : {}),
  }));
  const edge = (source: number | undefined, target: string, { when, label }: RecipeOf<typeof carried>): Edge => {
    const from = source === undefined ? undefined : made[source];
    const name = label !== undefined && from ? LABELS[from.type]?.[label] : undefined;
    return { source: from?.id ?? START, target, ...(when && { when }), ...(name && { label: name }) };
  };
  const bare = { when: undefined, label: undefined };

  const edges = nodes.flatMap(({ from, start, end }, index) => {
    const id = `n${index}`;
    const incoming = from.filter(([back]) => back <= index).map(([back, what]) => edge(index - back, id, what));
    const isEntry = incoming.length === 0;
    const first = start ?? (isEntry ? bare : undefined);
    return [
      ...(first && isStartNamed ? [edge(undefined, id, { ...bare, when: first.when })] : []),
      ...incoming,
      ...(end ? [edge(index, END, end)] : []),
    ];
  });
  // Where the end is named, every node needs a way to it.
  if (edges.some((edge) => edge.target === END)) {
    const sinks = made.filter(({ id }) => !edges.some((edge) => edge.source === id));
    edges.push(...sinks.map(({ id }) => ({ source: id, target: END })));
  }
  // A loop may begin at any node and lead to any of those before it, itself included.
  const { flow } = shapeOf({ nodes: made, edges, state: {} });
  for (const { source, back, carried, loop } of loops) {
    const from = source % made.length;
    const ancestors = [`n${from}`];
    for (const id of ancestors) {
      for (const edge of flow) {
        if (edge.target === id && edge.source !== START && !ancestors.includes(edge.source)) {
          ancestors.push(edge.source);
        }
      }
    }
    edges.push({ ...edge(from, ancestors[back % ancestors.length] ?? "", carried), loop });
  }
  if (hub) {
    const target = `n${hub.node % made.length}`;
    const spokes: string[] = [];
    const behind = [...reachable(target, flow)];
    for (const id of hub.isDeep ? behind.toReversed() : behind) {
      const isApart = spokes.every((spoke) => !reachable(spoke, flow).has(id) && !reachable(id, flow).has(spoke));
      if (id !== END && id !== target && isApart) spokes.push(id);
    }
    for (const [index, { carried, loop }] of hub.spokes.entries()) {
      const source = made.findIndex((node) => node.id === spokes[index]);
      if (source >= 0) edges.push({ ...edge(source, target, carried), loop });
    }
  }
  return { nodes: made, edges, state, ...(concurrency_limit && { concurrency_limit }) };
}

type RecipeOf<Arbitrary> = Arbitrary extends fc.Arbitrary<infer Value> ? Value : never;
type OneNode = RecipeOf<NodeRecipe>;

const isPublishable = (graph: Graph) => !interlocks(shapeOf(graph));
const inner = recipeOf(nodesOf(nodeWith(), 3)).map(build).filter(isPublishable);
const between = recipeOf(nodesOf(nodeWith(inner), 3)).map(build).filter(isPublishable);
const outer = recipeOf(
  nodesOf(nodeWith(fc.oneof({ weight: 2, arbitrary: inner }, { weight: 1, arbitrary: between })), 7),
)
  .map(build);

/** Agents and plain edges alone: the graphs whose reports share their execution. */
const plain: fc.Arbitrary<Graph> = fc.integer({ min: 1, max: 2 }).chain((count) =>
  fc.array(nodeWith(), { minLength: count, maxLength: count })
).map((nodes) => {
  const agents = nodes.map((node) => ({
    ...node,
    type: "agent" as const,
    join: "all" as const,
    from: node.from.map(([back]): (typeof node.from)[number] => [back, { when: undefined, label: undefined }]),
    start: undefined,
    end: undefined,
  }));
  return build({
    nodes: agents,
    loops: [],
    hub: undefined,
    isStartNamed: false,
    state: {},
    concurrency_limit: undefined,
  });
});

/** What such a workflow inside sets going with its last report fails: a map over no list. Nothing here takes turns. */
const beforeFailure = fc.tuple(nodeWith(), nodeWith(), plain, nodesOf(nodeWith(inner), 3)).map(
  ([first, second, workflow, rest]): OneNode[] => {
    const bare = { when: undefined, label: undefined };
    const running = { ...first, type: "workflow" as const, workflow, from: [], start: undefined, end: undefined };
    const over = { channel: "c0" as const, items: false };
    const map = {
      ...second,
      type: "map" as const,
      over,
      from: [[1, bare]] as OneNode["from"],
      start: undefined,
      on_failure: "fail" as const,
    };
    return [running, map, ...rest].map((node) => ({ ...node, join: "all" as const }));
  },
);

/** Graphs that are published; those whose loops wait for each other in a circle are not. */
export const graph: fc.Arbitrary<Graph> = fc.oneof(
  { weight: 9, arbitrary: outer },
  { weight: 1, arbitrary: recipeOf(beforeFailure).map((recipe) => build({ ...recipe, loops: [], hub: undefined })) },
).filter(isPublishable);
export const interlocked: fc.Arbitrary<Graph> = outer.filter((graph) => !isPublishable(graph));

export const input: fc.Arbitrary<State> = object;

const output: fc.Arbitrary<Json | undefined> = fc.oneof(
  { weight: 6, arbitrary: object },
  { weight: 1, arbitrary: fc.constantFrom<(Json | undefined)[]>(undefined, 7, "done") },
);

/** Of a report in a batch. With an artifact it cannot be applied together with others. */
export type How = "complete" | "complete with an artifact" | "fail";

/** `pick` names one of the tasks that it can be done with at that moment. */
export type Command =
  | { do: "claim"; limit: number; within?: number | undefined }
  | { do: "complete"; pick: number; output: Json | undefined; label: number }
  | { do: "report several"; picks: { pick: number; how: How }[]; output: Json | undefined; label: number }
  | { do: "complete with a wrong label" | "complete with a lost lease"; pick: number }
  | { do: "fail" | "heartbeat" | "release" | "let the lease expire"; pick: number }
  | { do: "report the same again" | "report something else"; pick: number }
  | { do: "decide"; pick: number; person: number; decision: "approved" | "rejected" }
  | { do: "cancel"; pick: number }
  | { do: "let time pass" | "retry" };

/** Which execution is forked (the first, or one inside), from which node, and what is merged over its input. */
export interface Fork {
  which: number;
  from: number;
  input: State;
}

export const forkOf: fc.Arbitrary<Fork> = fc.record({
  which: often(0, fc.nat({ max: 3 })),
  from: fc.nat({ max: 9 }),
  input: object,
});
export const fork: fc.Arbitrary<Fork | undefined> = often(undefined, forkOf);

const pick = fc.nat({ max: 9 });
const simple = <Name extends Command["do"]>(...names: Name[]) => fc.record({ do: fc.constantFrom(...names), pick });

export const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        do: fc.constant("claim" as const),
        limit: fc.integer({ min: 1, max: 4 }),
        within: fc.option(fc.nat(9), { nil: undefined, freq: 2 }),
      }),
    },
    {
      weight: 10,
      arbitrary: fc.record({ do: fc.constant("complete" as const), pick, output, label: fc.nat({ max: 1 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("report several" as const),
        picks: fc.array(
          fc.record({ pick, how: often<How>("complete", fc.constantFrom("complete with an artifact", "fail")) }),
          { minLength: 1, maxLength: 5 },
        ),
        output,
        label: fc.nat({ max: 1 }),
      }),
    },
    { weight: 3, arbitrary: simple("fail") },
    { weight: 4, arbitrary: simple("heartbeat", "release", "let the lease expire") },
    { weight: 3, arbitrary: simple("report the same again", "report something else") },
    { weight: 2, arbitrary: simple("complete with a wrong label", "complete with a lost lease") },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("decide" as const),
        pick,
        person: fc.nat({ max: 1 }),
        decision: fc.constantFrom("approved" as const, "approved" as const, "rejected" as const),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("let time pass" as const, "retry" as const) }) },
    { weight: 1, arbitrary: simple("cancel") },
  ),
  { maxLength: 40, size: "max" },
);
