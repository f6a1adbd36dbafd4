// What a step reads of its graph does not grow with the graph, whatever that is made of.
import { assert } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import {
  claimAll,
  type Claimed,
  createProject,
  createWorkflow,
  graph,
  report,
  startExecution,
} from "../../support/factories.ts";
import { connectExplained, nodesOf, type StatementPlan } from "./explain.ts";

const db = await shareDatabase();
const project = await createProject(db);

const SMALL = 20;
const LARGE = 2000;
const pairs = (count: number) =>
  Array.from({ length: count - 1 }, (_, index): [string, string] => [`n${index}`, `n${index + 1}`]);

/** A chain of so many nodes whose last edge is of that kind. */
function chain(count: number, kind: Record<string, unknown>) {
  const { nodes, edges } = graph(pairs(count));
  return { nodes, edges: [...edges.slice(0, -1), { ...edges.at(-1), ...kind }] };
}

/** The same, and its last node leads back to the first. */
function circle(count: number) {
  const { nodes, edges } = graph(pairs(count));
  return { nodes, edges: [...edges, { source: `n${count - 1}`, target: "n0", loop: { max_iterations: 1 } }] };
}

/** Everything that ran inside of a report of the first task. */
async function firstReport(definition: unknown) {
  const { execution } = await startExecution(db, project, definition);
  return await nextReport(execution.id);
}

/** The same for the task that is claimed next. */
async function nextReport(execution_id: string) {
  await db.sql`analyze private.workflow_edges, private.workflow_nodes, private.channel_writes, public.agent_tasks`;
  await using explained = await connectExplained(db);
  const { sql } = explained;
  const [claim] = await sql`select public.claim_tasks(
    worker_id := 'w', agent_types := '{architect}'::text[], execution_id := ${execution_id}) -> 'tasks' -> 0 as task`;
  return await explained.plansInside(() =>
    sql`select public.complete_task(
      task_id := ${claim?.task.id}::uuid, lease_token := ${claim?.task.lease_token}::uuid, status := 'completed',
      label := 'on', output_data := '{"on": true}')`
  );
}

/** How many rows of a table were looked at, also those that were passed over. */
function rowsRead(plans: StatementPlan[], table: string): number {
  const scans = plans.flatMap(({ Plan }) => nodesOf(Plan)).filter((node) => node["Relation Name"] === table);
  assert(scans.length > 0);
  return scans.reduce(
    (sum, node) => sum + node["Actual Loops"] * (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)),
    0,
  );
}

const kinds: [string, (count: number) => unknown][] = [
  ["labels", (count) => chain(count, { label: "on" })],
  ["conditions", (count) => chain(count, { when: "$.on == true" })],
  ["a loop", circle],
];
for (const [what, definition] of kinds) {
  Deno.test(`a report in a large graph with ${what} reads no more edges than in a small one`, async () => {
    const edgesRead = async (count: number) => rowsRead(await firstReport(definition(count)), "workflow_edges");
    const small = await edgesRead(SMALL);
    const large = await edgesRead(LARGE);
    assert(large <= small, `${large} of ${LARGE}, ${small} of ${SMALL}`);
  });
}

Deno.test("a turn of a small loop reads no more tasks in a large graph than in a small one", async () => {
  const tasksRead = async (count: number) => {
    const { nodes, edges } = graph(pairs(count));
    const loop = { source: "n0", target: "n0", loop: { max_iterations: 1 } };
    const plans = await firstReport({ nodes, edges: [...edges, loop] });
    return rowsRead(plans, "agent_tasks");
  };
  const small = await tasksRead(SMALL);
  const large = await tasksRead(LARGE);
  assert(large <= small, `${large} of ${LARGE}, ${small} of ${SMALL}`);
});

Deno.test("a turn of a loop around a map reads no more tasks where earlier turns had many elements", async () => {
  const tasksRead = async (elements: number) => {
    const { nodes, edges } = graph([["list", "map"], ["map", "again"]], { map: { type: "map", over: "$.items" } });
    const loop = { source: "again", target: "list", loop: { max_iterations: 2 } };
    const { execution } = await startExecution(db, project, { nodes, edges: [...edges, loop] });
    const done = async (output_data: unknown = null) => {
      const claim = { worker_id: "w", agent_types: ["architect"], limit: 100, execution_id: execution.id };
      const { tasks } = await db.rpc("worker", "claim_tasks", claim);
      const results = tasks.map((task: Claimed) => report(task, { output_data }));
      await db.rpc("worker", "complete_tasks", { results });
    };
    await done({ items: Array.from({ length: elements }, (_, index) => index) });
    await done();
    await done();
    await done({ items: [0] });
    await done();
    return rowsRead(await nextReport(execution.id), "agent_tasks");
  };
  const few = await tasksRead(1);
  const many = await tasksRead(100);
  assert(many <= few, `${many} after a hundred elements, ${few} after one`);
});

const readers: [string, Record<string, unknown>, Record<string, unknown>][] = [
  ["a condition", { when: "$.on == true" }, {}],
  ["an input", { label: "on" }, { input: { on: "$.on", goal: "$.goal" } }],
];
for (const [what, edge, options] of readers) {
  Deno.test(`${what} reads no more tasks where many are done than where a few are`, async () => {
    const tasksRead = async (count: number) => {
      const before = Array.from({ length: count }, (_, index) => ({ id: `n${index}`, priority: 1 }));
      const nodes = [...before, { id: "first" }, { id: "last", ...options }];
      const { execution } = await startExecution(db, project, {
        nodes: nodes.map((node) => ({ agent_type: "architect", ...node })),
        edges: [{ source: "first", target: "last", ...edge }],
      });
      for (let done = 0; done < count; done += 100) {
        const claimed = Object.values(await claimAll(db, execution.id, { limit: Math.min(100, count - done) }));
        await db.rpc("worker", "complete_tasks", {
          results: claimed.map((task) => report(task, { output_data: { [task.node_id]: 1 } })),
        });
      }
      return rowsRead(await nextReport(execution.id), "agent_tasks");
    };
    const small = await tasksRead(20);
    const large = await tasksRead(500);
    assert(large <= small, `${large} of 500, ${small} of 20`);
  });
}

Deno.test("a fork from the middle of a long chain reads each edge a few times, and not once for each node", async () => {
  const { execution } = await startExecution(db, project, graph(pairs(LARGE)));
  await db.sql`
    update public.agent_tasks set status = 'skipped', remaining = 0, completed_at = now()
    where workflow_execution_id = ${execution.id}`;
  await db.sql`analyze private.workflow_edges, private.workflow_nodes, public.agent_tasks`;
  await using explained = await connectExplained(db);
  const plans = await explained.plansInside(() =>
    explained.sql`select public.fork_execution(execution_id := ${execution.id}::uuid, from_node := ${`n${LARGE / 2}`})`
  );
  const edges = rowsRead(plans, "workflow_edges");
  assert(edges < 20 * LARGE, `${edges} edges read of ${LARGE}`);
});

/** Blocks of the database that a query touched, with all that ran inside of it. */
async function blocksRead(query: string, parameter: string): Promise<number> {
  const [row] = await db.sql.unsafe(`explain (analyze, buffers, format json) ${query}`, [parameter]);
  const { Plan } = row?.["QUERY PLAN"][0];
  return Plan["Shared Hit Blocks"] + Plan["Shared Read Blocks"];
}

Deno.test("a definition that leaves its agent types to the defaults is unpacked once, not for every node", async () => {
  const blocksPerNode = async (count: number) => {
    const nodes = Array.from({ length: count }, (_, index) => ({ id: `n${index}` }));
    const id = await createWorkflow(db, project, { nodes, defaults: { agent_type: "architect" } });
    return await blocksRead(
      "select private.read_nodes(w.project_id, w.definition) from public.workflows as w where w.id = $1",
      id,
    ) / count;
  };
  const small = await blocksPerNode(SMALL);
  const large = await blocksPerNode(LARGE);
  assert(large <= small + 1, `${large} blocks a node of ${LARGE}, ${small} of ${SMALL}`);
});

Deno.test("where a task of a loop stands in the state is found without reading the loop's body", async () => {
  const blocksPerNode = async (count: number) => {
    const { execution } = await startExecution(db, project, circle(count));
    return await blocksRead(
      `select count(private.fold_order(t.workflow_execution_id, t.version_id, n.loops, n.node_index))
      from public.agent_tasks as t
      join private.workflow_nodes as n on n.version_id = t.version_id and n.node_index = t.node_index
      where t.workflow_execution_id = $1`,
      execution.id,
    ) / count;
  };
  const small = await blocksPerNode(SMALL);
  const large = await blocksPerNode(LARGE);
  assert(large <= small + 1, `${large} blocks a node of ${LARGE}, ${small} of ${SMALL}`);
});

Deno.test("publishing a family of loops looks at what leaves it once, and not once for each loop of it and each node", async () => {
  const AGENTS = 30;
  const STEPS = 10;
  const agents = Array.from({ length: AGENTS }, (_, agent) => {
    const steps = Array.from({ length: STEPS }, (_, step) => `a${agent}_${step}`);
    return ["sup", ...steps].slice(0, -1).map((source, place): [string, string] => [source, steps[place] ?? ""]);
  });
  const { nodes, edges } = graph(agents.flat());
  const loops = agents.map((_, agent) => ({
    source: `a${agent}_${STEPS - 1}`,
    target: "sup",
    loop: { max_iterations: 2 },
  }));
  const workflow_id = await createWorkflow(db, project, { nodes, edges: [...edges, ...loops] });
  await using explained = await connectExplained(db);
  await explained.sql`
    select set_config('role', 'none', false), set_config('request.jwt.claims', ${
    JSON.stringify({ role: "authenticated", sub: project.owner.id })
  }, false)`;
  const plans = await explained.plansInside(() => explained.sql`select public.publish_workflow(${workflow_id})`);
  const rows = plans.flatMap(({ Plan }) => nodesOf(Plan)).map((node) => node["Actual Loops"] * node["Actual Rows"]);
  assert(rows.length > 50 && Math.max(...rows) < 2 * AGENTS * AGENTS * STEPS, `${Math.max(...rows)} rows at most`);
});
