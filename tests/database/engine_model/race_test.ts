// Random graphs under workers and people who race: the engine ends where the model ends, in whatever order they come.
//
// What they report depends on the task alone, and conditions read only the input, so that without `any` joins there is
// one outcome. GENESIS_RUNS and GENESIS_SEED as in model_test.ts.
import fc from "fast-check";
import { assertEquals, fail } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, executionRow, type Project } from "../../support/factories.ts";
import { graph, input } from "../../support/model/arbitraries.ts";
import { Execution } from "../../support/model/execution.ts";
import type { State } from "../../support/model/fold.ts";
import { definitionOf, type Graph, graphsOf, type Json, shapeOf } from "../../support/model/graph.ts";
import { type ClaimedTask, workOn } from "../../support/worker.ts";
import { SEED } from "../../support/seed.ts";
import { createOwnProject, explain, orderOf, publishGraph } from "./setting.ts";
import { comparable, nameOfRow } from "./tables.ts";

const db = await shareDatabase();
const people = await createProject(db);

const runs = Math.ceil(Number(Deno.env.get("GENESIS_RUNS") ?? 200) / 4);

type Named = Pick<ClaimedTask, "node_id" | "iteration" | "map_index">;

/** The same graph with nothing in it whose outcome depends on who is first, but for `any` joins where they may stay. */
function calm(graph: Graph, keepAny: boolean): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map(({ input: _, ...node }) => ({
      ...node,
      join: keepAny ? node.join : "all",
      max_attempts: 1,
      delay_seconds: 0,
      ...(node.workflow && { workflow: calm(withoutLabels(node.workflow), keepAny) }),
    })),
    state: { count: "sum", done: "append" },
  };
}

const withoutLabels = (graph: Graph): Graph => ({
  ...graph,
  edges: graph.edges.map(({ label: _, ...edge }) => edge),
});

const outputOf = (task: Named): { [key: string]: Json } => ({
  count: 1,
  done: [nameOfRow(task.node_id, task.iteration, task.map_index)],
});

function labelOf(graph: Graph, { node_id, iteration }: Named): string | undefined {
  const labels = graph.edges.filter((edge) => edge.source === node_id).flatMap((edge) => edge.label ?? []);
  return labels[iteration % labels.length];
}

const decisionOf = (task: Pick<Named, "iteration">) => task.iteration % 3 === 2 ? "rejected" : "approved";

/** The one outcome, as the model reaches it. */
function runModel(graph: Graph, input: State, order: (execution: Execution, node: string) => number): Execution {
  const root = new Execution(shapeOf(graph), input, order);
  const all = (execution: Execution): Execution[] => [
    execution,
    ...execution.tasks.flatMap((task) => task.child ? all(task.child) : []),
  ];
  while (root.status === "running") {
    for (const execution of all(root)) {
      const task = execution.claimable[0];
      const approval = execution.tasks.find((task) => task.status === "waiting" && task.node.type === "approval");
      if (task) {
        const named = { node_id: task.node.id, iteration: task.iteration, map_index: task.index };
        execution.claim(task);
        execution.complete(task, outputOf(named), execution === root ? labelOf(graph, named) : undefined);
      } else if (approval && execution.status === "running") {
        const person = approval.decisions.size === 0 ? people.owner : people.editor;
        execution.decide(approval, person.id, decisionOf(approval));
      }
    }
  }
  return root;
}

/** People who decide whatever waits for them, until the execution has ended. */
async function decideAll(project: Project, person: "owner" | "editor", execution_id: string): Promise<void> {
  while ((await executionRow(db, execution_id)).status === "running") {
    const waiting = await db.sql<{ id: string; iteration: number }[]>`
      select t.id, t.iteration from public.agent_tasks as t
      where t.project_id = ${project.id} and t.status = 'waiting' and t.node_type = 'approval' and not exists (
        select from public.task_decisions as d where d.task_id = t.id and d.user_id = ${project[person].id}
      )`;
    for (const task of waiting) {
      const decide = db.rpc(project[person].actor, "decide_task", { task_id: task.id, decision: decisionOf(task) });
      await decide.catch((error) => {
        if (!["task_not_waiting", "already_decided"].includes(error.hint)) throw error;
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function race(given: Graph, input: State, keepAny: boolean): Promise<void> {
  const graph = calm(given, keepAny);
  const isOneOutcome = !graphsOf(graph).some(({ nodes }) => nodes.some((node) => node.join === "any"));
  try {
    const project = { ...people, id: await createOwnProject(db, people) };
    const workflowIds = new Map<Graph, string>();
    const orders = new Map<Graph, Map<string, number>>();
    for (const each of graphsOf(graph)) {
      workflowIds.set(each, await publishGraph(db, project, definitionOf(each, workflowIds)));
      orders.set(each, await orderOf(db, workflowIds.get(each) ?? "", each));
    }
    const workflow_id = workflowIds.get(graph);
    const { execution: { id } } = await db.rpc(project.owner.actor, "start_workflow", { workflow_id, input });
    const reportOf = (task: ClaimedTask) => {
      const label = task.execution_id === id ? labelOf(graph, task) : undefined;
      return { output_data: outputOf(task), ...(label !== undefined && { label }) };
    };
    await Promise.all([
      ...[1, 2, 3, 4].map((index) =>
        workOn(db.url, {
          execution_id: id,
          project_id: project.id,
          worker_id: `worker ${index}`,
          limit: index,
          reportOf,
        })
      ),
      ...(["owner", "editor"] as const).map((person) => decideAll(project, person, id)),
    ]);

    const [open] = await db.sql`
      select count(*)::int as n from public.agent_tasks
      where project_id = ${project.id} and status in ('blocked', 'pending', 'running', 'waiting')`;
    assertEquals(open?.n, 0, "Tasks are open although everything has ended");
    const twice = await db.sql`
      select task_id from public.execution_events where project_id = ${project.id} and type = 'task.completed'
      group by task_id having count(*) > 1`;
    assertEquals(twice.length, 0, "A task was completed twice");
    if (!isOneOutcome) return;
    const model = runModel(graph, input, ({ shape }, node) => orders.get(shape.graph)?.get(node) ?? 0);
    const row = await executionRow(db, id);
    assertEquals(row.status, model.status);
    // What a failure cancels depends on how far the others were.
    if (model.status === "failed") return;
    const tasks = await db.sql`
      select node_id, iteration, map_index, status from public.agent_tasks where workflow_execution_id = ${id}`;
    assertEquals(
      tasks.map((task) => `${nameOfRow(task.node_id, task.iteration, task.map_index)} ${task.status}`).toSorted(),
      model.tasks.map((task) => `${nameOfRow(task.node.id, task.iteration, task.index)} ${task.status}`).toSorted(),
    );
    const anyone = (key: string, value: unknown) => key === "decided_by" ? "someone" : value;
    const told = (state: unknown) => JSON.parse(JSON.stringify(comparable(state), anyone));
    assertEquals(told(row.state), told(model.state));
  } catch (error) {
    throw explain(error, graph, input, []);
  }
}

Deno.test("random graphs end as the model says when workers and people race", async () => {
  const result = await fc.check(fc.asyncProperty(graph, input, fc.boolean(), race), { numRuns: runs, seed: SEED });
  console.log(`${result.numRuns} runs, seed ${SEED}`);
  if (!result.failed) return;
  const { message } = result.errorInstance as Error;
  fail(`GENESIS_SEED=${SEED}, after ${result.numRuns} runs and ${result.numShrinks} shrinks:\n${message}`);
});
