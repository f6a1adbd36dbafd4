// publish_workflow: what is wrong with a graph is named, every fault at once, each with its node or edge.
import { assert, assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createAgent, createProject, createWorkflow, graph } from "../../support/factories.ts";

const db = await shareDatabase();
const project = await createProject(db);
const elsewhere = await createProject(db);
const foreignAgent = await createAgent(db, elsewhere.id);
const draft = await createWorkflow(db, project, graph([["a", "b"]]));
const published = await createWorkflow(db, project, graph([["a", "b"]]));
await db.rpc(project.editor.actor, "publish_workflow", { workflow_id: published });
const foreignWorkflow = await createWorkflow(db, elsewhere, graph([["a", "b"]]));
await db.rpc(elsewhere.editor.actor, "publish_workflow", { workflow_id: foreignWorkflow });

interface Fault {
  code: string;
  node?: string;
  edge?: string;
  message: string;
}

/** What the compiler says of a definition; text is sent as it is, for JSON that JavaScript cannot write. */
async function faultsOf(definition: unknown): Promise<Fault[]> {
  const text = typeof definition === "string" ? definition : JSON.stringify(definition);
  const [row] = await db.sql`select private.compile_definition(${project.id}, ${text}::text::jsonb) as compiled`;
  return row?.compiled.faults;
}

/** `a → b`, where node a has these fields too. */
const withNode = (fields: Record<string, unknown>) => graph([["a", "b"]], { a: fields });
/** `a → b`, where the edge has these fields too. */
const withEdge = (fields: Record<string, unknown>) => ({
  ...graph([["a", "b"]]),
  edges: [{ source: "a", target: "b", ...fields }],
});
/** `a → b`, with a loop edge beside it. */
const withLoop = (source: string, target: string, loop: unknown) => ({
  ...graph([["a", "b"]]),
  edges: [{ source: "a", target: "b" }, { source, target, loop }],
});
const raw = (fields: string) => `{"nodes": [{"id": "a", "agent_type": "tester", ${fields}}], "edges": []}`;

// What is wrong, the definition, and where the fault must point.
const table: [string, string, unknown, { node?: string; edge?: string }][] = [
  ["no nodes list", "invalid_definition", { edges: [] }, {}],
  ["edges that are no list", "invalid_definition", { nodes: [], edges: {} }, {}],
  ["a list for the state", "invalid_definition", { ...graph([["a", "b"]]), state: ["x"] }, {}],
  ["no node at all", "empty_graph", { nodes: [], edges: [] }, {}],
  ["nothing but start and end", "empty_graph", { nodes: [{ id: "__start__" }, { id: "__end__" }], edges: [] }, {}],
  ["a node without an id", "invalid_node", { nodes: [{ agent_type: "tester" }], edges: [] }, { node: "nodes[0]" }],
  ["a node with an empty id", "invalid_node", {
    nodes: [{ id: "__start__" }, { id: "", agent_type: "tester" }],
    edges: [],
  }, { node: "nodes[1]" }],
  ["a node that is no object", "invalid_node", { nodes: ["a"], edges: [] }, { node: "nodes[0]" }],
  ["two nodes with one id", "duplicate_node", {
    nodes: [{ id: "a", agent_type: "tester" }, { id: "a", agent_type: "backend" }],
    edges: [],
  }, { node: "a" }],
  ["an unknown node type", "unknown_node_type", withNode({ type: "wizard" }), { node: "a" }],
  ["an unknown join", "invalid_node", withNode({ join: "some" }), { node: "a" }],
  ["a node without an agent type", "missing_agent_type", { nodes: [{ id: "a" }], edges: [] }, { node: "a" }],
  ["an unknown agent type", "unknown_agent_type", withNode({ agent_type: "wizard" }), { node: "a" }],
  ["an agent that is no id", "unknown_agent", withNode({ agent_id: "bob" }), { node: "a" }],
  ["an agent that does not exist", "unknown_agent", withNode({ agent_id: crypto.randomUUID() }), { node: "a" }],
  ["an agent of another project", "unknown_agent", withNode({ agent_id: foreignAgent }), { node: "a" }],
  ["a map without over", "map_without_over", withNode({ type: "map" }), { node: "a" }],
  ["a map over no jsonpath", "bad_jsonpath", withNode({ type: "map", over: "files[" }), { node: "a" }],
  ["an input that is a list", "invalid_node", withNode({ input: ["$.a"] }), { node: "a" }],
  ["an input with a broken jsonpath", "bad_jsonpath", withNode({ input: { x: "$.a[" } }), { node: "a" }],
  ["an input with a jsonpath variable", "bad_jsonpath", withNode({ input: { x: "$goal" } }), { node: "a" }],
  ["a variable inside a filter", "bad_jsonpath", withNode({ input: { x: "$.a[*] ? (@ == $v)" } }), { node: "a" }],
  ["no attempts", "invalid_node", withNode({ retry: { max_attempts: 0 } }), { node: "a" }],
  ["too many attempts", "invalid_node", withNode({ retry: { max_attempts: 101 } }), { node: "a" }],
  ["half an attempt", "invalid_node", withNode({ retry: { max_attempts: 1.5 } }), { node: "a" }],
  ["attempts in words", "invalid_node", withNode({ retry: { max_attempts: "3" } }), { node: "a" }],
  ["a number in place of a retry", "invalid_node", withNode({ retry: 5 }), { node: "a" }],
  ["a negative backoff", "invalid_node", withNode({ retry: { backoff_seconds: -1 } }), { node: "a" }],
  ["a timeout of nothing", "invalid_node", withNode({ timeout_seconds: 0 }), { node: "a" }],
  ["a priority beyond the scale", "invalid_node", withNode({ priority: 101 }), { node: "a" }],
  [
    "an edge to nowhere",
    "unknown_node",
    {
      ...graph([["a", "b"]]),
      edges: [{ source: "a", target: "b" }, { source: "a", target: "ghost" }],
    },
    { edge: "a → ghost" },
  ],
  ["an edge from nowhere", "unknown_node", {
    ...graph([["a", "b"]]),
    edges: [{ source: "ghost", target: "a" }, { source: "a", target: "b" }],
  }, { edge: "ghost → a" }],
  ["an edge without a target", "unknown_node", { ...graph([["a", "b"]]), edges: [{ source: "a" }] }, {
    edge: "edges[0]",
  }],
  ["an edge that is no object", "unknown_node", {
    ...graph([["a", "b"]]),
    edges: [{ source: "a", target: "b" }, "a → b"],
  }, { edge: "edges[1]" }],
  ["an edge that leaves the end", "invalid_edge", graph([["a", "__end__"], ["__end__", "b"]]), { edge: "__end__ → b" }],
  ["an edge into the start", "invalid_edge", graph([["a", "__start__"], ["a", "b"]]), { edge: "a → __start__" }],
  ["a condition with a number of a hundred thousand digits", "bad_jsonpath", withEdge({ when: "$.a == 1e131071" }), {
    edge: "a → b",
  }],
  [
    "an input with a number of as many behind the point, amid comments",
    "bad_jsonpath",
    withNode({
      input: { x: '$.a /* " */ * 1.5e-1_6_3_8_3 /* " */' },
    }),
    { node: "a" },
  ],
  ["a condition that is no jsonpath", "bad_jsonpath", withEdge({ when: "$.a ==" }), { edge: "a → b" }],
  ["a label that is a number", "invalid_edge", withEdge({ label: 1 }), { edge: "a → b" }],
  ["an empty label", "invalid_edge", withEdge({ label: "" }), { edge: "a → b" }],
  [
    "a label on an edge from the start",
    "invalid_edge",
    {
      ...graph([["a", "b"]]),
      edges: [{ source: "__start__", target: "a", label: "yes" }, { source: "a", target: "b" }],
    },
    { edge: "__start__ → a" },
  ],
  ["a label behind a map", "invalid_edge", {
    ...withNode({ type: "map", over: "$.files" }),
    edges: [{ source: "a", target: "b", label: "yes" }],
  }, { edge: "a → b" }],
  ["a label of an approval that is no decision", "invalid_edge", {
    ...withNode({ type: "approval", agent_type: undefined }),
    edges: [{ source: "a", target: "b", label: "maybe" }],
  }, { edge: "a → b" }],
  ["a loop that leads on instead of back", "invalid_edge", withLoop("a", "b", { max_iterations: 3 }), {
    edge: "a → b",
  }],
  ["a loop from the start", "invalid_edge", withLoop("__start__", "a", { max_iterations: 3 }), {
    edge: "__start__ → a",
  }],
  ["a loop to the end", "invalid_edge", withLoop("b", "__end__", { max_iterations: 3 }), { edge: "b → __end__" }],
  ["a loop without a bound", "invalid_edge", withLoop("b", "a", {}), { edge: "b → a" }],
  ["a loop of no turns", "invalid_edge", withLoop("b", "a", { max_iterations: 0 }), { edge: "b → a" }],
  ["a loop of too many turns", "invalid_edge", withLoop("b", "a", { max_iterations: 1001 }), { edge: "b → a" }],
  ["a loop of half a turn", "invalid_edge", withLoop("b", "a", { max_iterations: 1.5 }), { edge: "b → a" }],
  [
    "a loop that ends in an unknown way",
    "invalid_edge",
    withLoop("b", "a", { max_iterations: 1, on_exhausted: "stop" }),
    {
      edge: "b → a",
    },
  ],
  ["a loop that is no object", "invalid_edge", withLoop("b", "a", 3), { edge: "b → a" }],
  // Each of the two sources stands behind an edge that the other loop holds back until it has ended.
  ["two loops that wait for each other", "loops_interlock", {
    ...graph([["a", "b"], ["c", "d"], ["a", "d"], ["c", "b"]]),
    edges: [
      ...graph([["a", "b"], ["c", "d"], ["a", "d"], ["c", "b"]]).edges,
      { source: "b", target: "a", loop: { max_iterations: 1 } },
      { source: "d", target: "c", loop: { max_iterations: 1 } },
    ],
  }, { node: "b" }],
  // The loops share m, and neither lies inside the other: what b once chose could not be chosen anew after a turn of z's.
  ["a choice that leads from one loop into another beside it", "loops_interlock", {
    ...graph([["a", "m"], ["b", "m"], ["m", "z"]]),
    edges: [
      ...graph([["a", "m"], ["b", "m"], ["m", "z"]]).edges,
      { source: "b", target: "z", label: "straight on" },
      { source: "m", target: "b", loop: { max_iterations: 1 } },
      { source: "z", target: "a", loop: { max_iterations: 1 } },
    ],
  }, { node: "b" }],
  ["more than 100 loops", "too_many_loops", {
    ...graph([["a", "b"]]),
    edges: [
      { source: "a", target: "b" },
      ...Array.from({ length: 101 }, () => ({ source: "b", target: "a", loop: { max_iterations: 1 } })),
    ],
  }, {}],
  ["an unknown way to fail", "invalid_node", withNode({ on_failure: "ignore" }), { node: "a" }],
  ["a negative delay", "invalid_node", withNode({ delay_seconds: -1 }), { node: "a" }],
  ["a delay beyond 30 days", "invalid_node", withNode({ delay_seconds: 2_592_001 }), { node: "a" }],
  ["an approval by an unknown role", "invalid_node", withNode({ type: "approval", role: "viewer" }), { node: "a" }],
  ["an approval by nobody", "invalid_node", withNode({ type: "approval", approvals: 0 }), { node: "a" }],
  ["an approval by eleven", "invalid_node", withNode({ type: "approval", approvals: 11 }), { node: "a" }],
  ["a workflow that is not named", "unknown_workflow", withNode({ type: "workflow" }), { node: "a" }],
  ["a workflow that is no id", "unknown_workflow", withNode({ type: "workflow", workflow_id: "x" }), { node: "a" }],
  ["a workflow of another project", "unknown_workflow", withNode({ type: "workflow", workflow_id: foreignWorkflow }), {
    node: "a",
  }],
  ["a workflow never published", "unknown_workflow", withNode({ type: "workflow", workflow_id: draft }), { node: "a" }],
  [
    "a version never published",
    "unknown_workflow",
    withNode({ type: "workflow", workflow_id: published, version: 2 }),
    {
      node: "a",
    },
  ],
  ["no room to run in", "invalid_definition", { ...graph([["a", "b"]]), concurrency_limit: 0 }, {}],
  ["a concurrency limit in words", "invalid_definition", { ...graph([["a", "b"]]), concurrency_limit: "2" }, {}],
  ["an unknown reducer", "unknown_reducer", { ...graph([["a", "b"]]), state: { x: "concat" } }, {}],
  ["a node that leads to itself", "cycle_without_loop", graph([["a", "a"]]), { node: "a" }],
  ["a circle of two", "cycle_without_loop", graph([["a", "b"], ["b", "a"]]), { node: "a" }],
  [
    "a node that the start does not reach",
    "unreachable_node",
    graph([["__start__", "a"], ["a", "__end__"], [
      "b",
      "__end__",
    ]]),
    { node: "b" },
  ],
  ["a node that does not lead to the end", "no_way_to_end", graph([["__start__", "a"], ["a", "__end__"], ["a", "b"]]), {
    node: "b",
  }],
];
for (const [what, code, definition, place] of table) {
  Deno.test(`${what} is the fault ${code}${place.node ?? place.edge ? ` of ${place.node ?? place.edge}` : ""}`, async () => {
    const faults = await faultsOf(definition);
    const fault = faults.find((one) => one.code === code && one.node === place.node && one.edge === place.edge);
    assert(fault, `Expected ${code} at ${JSON.stringify(place)}: got ${JSON.stringify(faults)}`);
    assert(fault.message.length > 10);
  });
}

Deno.test("faults of every kind are named in one answer, those of the graph's shape too", async () => {
  const definition = {
    nodes: [
      { id: "a", agent_type: "wizard" },
      { id: "b", agent_type: "tester", retry: { max_attempts: 0 } },
      { id: "c", agent_type: "tester" },
      { id: "d", agent_type: "tester" },
      { id: "island", agent_type: "tester" },
      { id: "dead end", agent_type: "tester" },
    ],
    edges: [
      ["__start__", "a"],
      ["a", "b"],
      ["b", "ghost"],
      ["b", "__end__"],
      ["b", "c"],
      ["c", "d"],
      ["d", "c"],
      ["d", "__end__"],
      ["island", "__end__"],
      ["b", "dead end"],
    ].map(([source, target]) => ({ source, target })),
    state: { log: "concat" },
  };
  const found = (await faultsOf(definition)).map((fault) => [fault.code, fault.node ?? fault.edge ?? ""].join(" "));
  for (
    const expected of [
      "unknown_agent_type a",
      "invalid_node b",
      "unknown_node b → ghost",
      "unknown_reducer ",
      "cycle_without_loop c",
      "cycle_without_loop d",
      "unreachable_node island",
      "no_way_to_end dead end",
    ]
  ) {
    assert(found.includes(expected), `${expected} is missing in ${JSON.stringify(found)}`);
  }
});

const fine: [string, unknown][] = [
  ["a map node", withNode({ type: "map", over: "$.files[*]" })],
  ["an approval by two owners", withNode({ type: "approval", agent_type: undefined, role: "owner", approvals: 2 })],
  ["a workflow of the project", withNode({ type: "workflow", agent_type: undefined, workflow_id: published })],
  ["one version of a workflow", withNode({ type: "workflow", workflow_id: published, version: 1 })],
  ["a join of any", withNode({ join: "any" })],
  ["a condition", withEdge({ when: "$.ok == true" })],
  ["a label", withEdge({ label: "yes" })],
  ["a loop", withLoop("b", "a", { max_iterations: 1000, on_exhausted: "fail" })],
  ["a family of loops with a loop inside and one around it", {
    ...graph([["sup", "b"], ["b", "b2"], ["sup", "c"], ["sup", "d"], ["b2", "e"], ["c", "e"]]),
    edges: [
      ...graph([["sup", "b"], ["b", "b2"], ["sup", "c"], ["b2", "e"], ["c", "e"]]).edges,
      { source: "sup", target: "d" },
      { source: "b2", target: "b", loop: { max_iterations: 1 } },
      { source: "b2", target: "sup", loop: { max_iterations: 1 } },
      { source: "c", target: "sup", loop: { max_iterations: 1 } },
      { source: "e", target: "sup", loop: { max_iterations: 1 } },
    ],
  }],
  ["an agent of a supervisor and its tools, gathered in one node that leads back to either", {
    ...graph([["sup", "b"], ["sup", "c"], ["c", "tool"], ["c", "done"], ["tool", "done"]]),
    edges: [
      ...graph([["sup", "b"], ["sup", "c"], ["c", "tool"], ["c", "done"], ["tool", "done"]]).edges,
      { source: "done", target: "c", loop: { max_iterations: 1 } },
      { source: "done", target: "sup", loop: { max_iterations: 1 } },
      { source: "b", target: "sup", loop: { max_iterations: 1 } },
    ],
  }],
  ["an agent and its tools inside of a loop, gathered in one node", {
    ...graph([["plan", "c"], ["c", "tool"], ["c", "done"], ["tool", "done"], ["done", "check"]]),
    edges: [
      ...graph([["plan", "c"], ["c", "tool"], ["c", "done"], ["tool", "done"], ["done", "check"]]).edges,
      { source: "done", target: "c", loop: { max_iterations: 1 } },
      { source: "check", target: "plan", loop: { max_iterations: 1 } },
    ],
  }],
  ["a loop of one node", withLoop("b", "b", { max_iterations: 1 })],
  ["a condition, a label and a loop on one edge", {
    ...graph([["a", "b"]]),
    edges: [
      { source: "a", target: "b" },
      { source: "b", target: "a", when: "$.ok == false", label: "again", loop: { max_iterations: 2 } },
    ],
  }],
  ["a way to fail, a delay and a limit", {
    ...withNode({ on_failure: "skip", delay_seconds: 5 }),
    concurrency_limit: 2,
  }],
];
for (const [what, definition] of fine) {
  Deno.test(`${what} is no fault`, async () => {
    assertEquals(await faultsOf(definition), []);
  });
}

Deno.test("publishing refuses with workflow_invalid, lists the faults and keeps the draft a draft", async () => {
  const workflow_id = await createWorkflow(db, project, withNode({ agent_type: "wizard" }));
  const refusal = await db.refusal(project.editor.actor, "start_workflow", { workflow_id });
  assertEquals([refusal.code, refusal.sqlstate], ["workflow_invalid", "PT422"]);
  assertEquals((refusal.details.faults as Fault[]).map((fault) => [fault.code, fault.node]), [[
    "unknown_agent_type",
    "a",
  ]]);
  const [row] = await db.sql`select status, current_version from public.workflows where id = ${workflow_id}`;
  assertEquals([row?.status, row?.current_version], ["draft", null]);
});

Deno.test("a field that is null counts as not given", async () => {
  const nulls = {
    agent_id: null,
    join: null,
    retry: { max_attempts: null, backoff_seconds: null },
    priority: null,
    timeout_seconds: null,
  };
  const workflow_id = await createWorkflow(db, project, withNode(nulls));
  const { tasks } = await db.rpc(project.editor.actor, "start_workflow", { workflow_id });
  assertEquals([tasks[0].max_attempts, tasks[0].priority], [3, 0]);
});

Deno.test("a whole number may be written with a decimal point", async () => {
  assertEquals(await faultsOf(raw('"retry": {"max_attempts": 3.0}, "priority": 1.0')), []);
  const [row] = await db.sql`
    insert into public.workflows (project_id, name, definition)
    values (${project.id}, 'Points', ${raw('"retry": {"max_attempts": 3.0}')}::text::jsonb) returning id`;
  await db.rpc(project.owner.actor, "start_workflow", { workflow_id: row?.id });
});

for (const path of ['$.prices[*] ? (@.currency == "US$")', '$."a$"', '$.a ? (@ == "say \\"$x\\"")']) {
  Deno.test(`a dollar sign in a string or a key is no variable: ${path}`, async () => {
    assertEquals(await faultsOf(withNode({ input: { x: path } })), []);
  });
}

Deno.test("more than 10,000 nodes are refused, also where start and end are not listed", async () => {
  const nodes = Array.from({ length: 10_001 }, (_, index) => ({ id: `n${index}` }));
  const faults = await faultsOf({ nodes, edges: [], defaults: { agent_type: "tester" } });
  assertEquals(faults.map((fault) => fault.code), ["too_many_nodes"]);
});

Deno.test("more than 50,000 edges are refused", async () => {
  const edges = Array.from({ length: 50_001 }, () => ({}));
  assertEquals((await faultsOf({ nodes: [], edges })).map((fault) => fault.code), ["too_many_edges"]);
});

Deno.test("a definition over 1 MiB is refused", async () => {
  const definition = { ...graph([["a", "b"]]), note: "x".repeat(1024 * 1024) };
  assertEquals((await faultsOf(definition)).map((fault) => fault.code), ["definition_too_large"]);
});

Deno.test("loops that lead on instead of back are named, also where one ends on another", async () => {
  const { nodes, edges } = graph([["a", "c"], ["c", "d"], ["b", "d"]]);
  const loops = [["d", "c"], ["b", "d"]].map(([source, target]) => ({ source, target, loop: { max_iterations: 1 } }));
  const text = JSON.stringify({ nodes, edges: [...edges, ...loops] });
  const faults = await db.sql.begin(async (tx) => {
    await tx`set local statement_timeout = '20s'`;
    const [row] = await tx`select private.compile_definition(${project.id}, ${text}::text::jsonb) as compiled`;
    return row?.compiled.faults as Fault[];
  });
  assertEquals(faults.map(({ code, edge }) => [code, edge]), [["invalid_edge", "b → d"]]);
});

Deno.test("the list of a node that is no map is read by nobody, and keeps nothing from being published", async () => {
  const workflow_id = await createWorkflow(db, project, graph([["a", "b"]], { a: { over: "all of it (x" } }));
  const { version } = await db.rpc(project.editor.actor, "publish_workflow", { workflow_id });
  assertEquals(version, 1);
});

Deno.test("what only looks like a number of many digits may stand in a path: names, texts, comments, and what a double holds", async () => {
  const paths = ["$.type2024 == 1", "$.e12345", '$."1e99999" == 1', "$.é1e12345 == 1", "$.n < 1e308 /* 1e99999 */"]
    .concat('$.id == "4e123456-4000-8000-9000-1e1234567890"');
  for (const when of paths) assertEquals([when, await faultsOf(withEdge({ when }))], [when, []]);
});
