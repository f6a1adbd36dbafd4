// publish_workflow: the compiled graph, whose order is topological and whose size may be large.
import { assert, assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { claimNode, createProject, createWorkflow, graph, report, startExecution } from "../../support/factories.ts";

const db = await shareDatabase();
const project = await createProject(db);

/** The nodes and edges of a published definition, as the engine runs them. */
async function publish(definition: unknown) {
  const workflowId = await createWorkflow(db, project, definition);
  await db.rpc(project.editor.actor, "publish_workflow", { workflow_id: workflowId });
  const [version] = await db.sql`select id from public.workflow_versions where workflow_id = ${workflowId}`;
  const nodes = await db
    .sql`select * from private.workflow_nodes where version_id = ${version?.id} order by node_index`;
  const edges = await db
    .sql`select * from private.workflow_edges where version_id = ${version?.id} order by edge_index`;
  return { nodes, edges, workflowId };
}

const diamond: [string, string][] = [["d", "e"], ["b", "d"], ["c", "d"], ["a", "b"], ["a", "c"], ["a", "e"]];

Deno.test("every edge leads from a lower node_index to a higher one, however the nodes were listed", async () => {
  const { nodes, edges } = await publish(graph(diamond));
  assertEquals(nodes.map((node) => node.node_index), [1, 2, 3, 4, 5]);
  for (const edge of edges) assert(edge.target_index === null || edge.source_index < edge.target_index);
  assertEquals([nodes[0]?.node_id, nodes[4]?.node_id], ["a", "e"]);
});

Deno.test("a node counts its incoming edges, the one from the start not among them", async () => {
  const { nodes } = await publish(graph([["__start__", "a"], ["__start__", "d"], ...diamond, ["e", "__end__"]]));
  assertEquals(Object.fromEntries(nodes.map((node) => [node.node_id, [node.incoming, node.is_entry]])), {
    a: [0, true],
    b: [1, false],
    c: [1, false],
    d: [2, false],
    e: [2, false],
  });
});

Deno.test("a node that leads nowhere leads to the end, where the graph names no end", async () => {
  const { edges } = await publish(graph([["a", "b"], ["a", "c"]]));
  assertEquals(edges.filter((edge) => edge.target_index === null).length, 2);
});

Deno.test("limits and priority of a node are kept, with defaults where it has none", async () => {
  const options = {
    retry: { max_attempts: 7, backoff_seconds: 9 },
    timeout_seconds: 60,
    priority: -5,
    title: "A title",
  };
  const { nodes } = await publish(graph([["a", "b"]], { a: options }));
  const limits = nodes.map((
    node,
  ) => [node.max_attempts, node.backoff_seconds, node.timeout_seconds, node.priority, node.options]);
  assertEquals(limits, [[7, 9, 60, -5, { title: "A title" }], [3, 5, null, 0, {}]]);
});

const size = 10_000;
const name = (index: number) => `n${index}`;
const nodes = Array.from({ length: size }, (_, index) => ({ id: name(index), agent_type: "tester" }));
const shapes: Record<string, { source: string; target: string }[]> = {
  chain: nodes.slice(1).map((node, index) => ({ source: name(index), target: node.id })),
  "fan-out and fan-in": nodes.slice(1, -1).flatMap((node) => [
    { source: name(0), target: node.id },
    { source: node.id, target: name(size - 1) },
  ]),
};
// Two edges per node are too much text for 1 MiB with every agent type spelled out.
const terse = nodes.map(({ id }) => ({ id }));
for (const [shape, edges] of Object.entries(shapes)) {
  Deno.test(`a ${shape} of 10,000 nodes is published, started and goes on`, async () => {
    const isLarge = edges.length > size;
    const definition = {
      nodes: isLarge ? terse.slice(0, 9_000).concat(terse.slice(-1)) : nodes,
      edges: [] as typeof edges,
      defaults: { agent_type: "tester" },
    };
    const known = new Set(definition.nodes.map((node) => node.id));
    definition.edges = edges.filter((edge) => known.has(edge.source) && known.has(edge.target));
    const { execution } = await startExecution(db, project, definition);
    const answer = await db.rpc("worker", "complete_task", report(await claimNode(db, execution.id, name(0))));
    // An answer names a hundred of them at most.
    assertEquals(answer.unlocked.length, isLarge ? 100 : 1);
    const [row] = await db.sql`
      select count(*)::int as n from public.agent_tasks
      where workflow_execution_id = ${execution.id} and status = 'pending'`;
    assertEquals(row?.n, isLarge ? 8_999 : 1);
  });
}
