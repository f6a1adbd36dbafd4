// An export of LangGraph run as LangGraph runs it: one token, led on by the branch that each node names. Whatever graph is
// published must run the nodes named and no others, in that order, until the end is named.
import fc from "fast-check";
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow, report } from "../../support/factories.ts";
import { SEED } from "../../support/seed.ts";

const runs = Math.ceil(Number(Deno.env.get("GENESIS_RUNS") ?? 200) / 2);
const db = await shareDatabase();
const project = await createProject(db);

const END = "__end__";
const LONGEST = 30;

/** Which nodes each node may name: every one can be come to, and at least one can name the end. */
const graph = fc.integer({ min: 3, max: 5 }).chain((count) =>
  fc.record({
    before: fc.tuple(...Array.from({ length: count - 1 }, (_, index) => fc.nat({ max: index }))),
    more: fc.array(fc.tuple(fc.nat({ max: count - 1 }), fc.nat({ max: count - 1 })), {
      minLength: 2,
      maxLength: 2 * count,
    }),
    ends: fc.array(fc.nat({ max: 2 }).map((one) => one === 0), { minLength: count, maxLength: count }),
  }).map(({ before, more, ends }) => {
    const pairs = [...before.map((source, index) => [source, index + 1]), ...more];
    const nodes = Array.from({ length: count }, (_, index) => {
      const targets = new Set(pairs.filter(([source]) => source === index).map(([, target]) => `n${target}`));
      if (ends[index] || targets.size === 0 || index === count - 1) targets.add(END);
      return { id: `n${index}`, targets: [...targets] };
    });
    return nodes;
  })
);

const exportOf = (nodes: { id: string; targets: string[] }[]) => ({
  nodes: [
    { id: "__start__", type: "runnable", data: { id: ["langgraph"], name: "__start__" } },
    ...nodes.map(({ id }) => ({ id, type: "runnable", data: { id: ["langgraph"], name: id } })),
    { id: END },
  ],
  edges: [
    { source: "__start__", target: "n0" },
    ...nodes.flatMap(({ id, targets }) =>
      targets.map((target) => ({ source: id, target, data: `to ${target}`, conditional: true }))
    ),
  ],
  defaults: { agent_type: "architect", max_iterations: 100 },
});

let published = 0;

async function walk(nodes: { id: string; targets: string[] }[], choices: number[]): Promise<void> {
  const workflow_id = await createWorkflow(db, project, exportOf(nodes));
  try {
    await db.rpc(project.owner.actor, "publish_workflow", { workflow_id });
  } catch (error) {
    // Loops that wait for each other are refused; nothing else may be.
    const { faults } = JSON.parse((error as { detail: string }).detail);
    assertEquals([...new Set(faults.map((fault: { code: string }) => fault.code))], ["loops_interlock"]);
    return;
  }
  published += 1;
  const { execution } = await db.rpc(project.owner.actor, "start_workflow", { workflow_id });
  const path: string[] = [];
  let next = "n0";
  while (next !== END) {
    const { tasks } = await db.rpc("worker", "claim_tasks", {
      worker_id: "a worker",
      agent_types: ["architect"],
      limit: 10,
      execution_id: execution.id,
    });
    path.push(next);
    assertEquals(tasks.map((task: { node_id: string }) => task.node_id), [next], path.join(" > "));
    const targets = nodes.find(({ id }) => id === next)?.targets ?? [];
    const choice = targets[(choices[path.length % choices.length] ?? 0) % targets.length] ?? END;
    next = path.length > LONGEST && targets.includes(END) ? END : choice;
    if (path.length > 2 * LONGEST) {
      await db.rpc(project.owner.actor, "cancel_execution", { execution_id: execution.id });
      return;
    }
    await db.rpc("worker", "complete_task", report(tasks[0], { label: `to ${next}` }));
  }
  const [row] = await db.sql`select status from public.workflow_executions where id = ${execution.id}`;
  assertEquals(row?.status, "completed", path.join(" > "));
}

Deno.test("a graph of branches runs the nodes that are named and no others", async () => {
  const choices = fc.array(fc.nat({ max: 9 }), { minLength: 6, maxLength: 20 });
  await fc.assert(fc.asyncProperty(graph, choices, walk), { numRuns: runs, seed: SEED, endOnFailure: true });
  console.log(`${published} of ${runs} graphs published, seed ${SEED}`);
});
