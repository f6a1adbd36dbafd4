// complete_task: several ways back to one node, as from the agents of a supervisor, are one loop with one end.
import { assertEquals } from "@std/assert";
import { type Answer, shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow } from "../../support/factories.ts";
import { runOf, startRun } from "../../support/run.ts";

const db = await shareDatabase();

type EdgeFields = Record<string, unknown>;
const definitionOf = (names: string[], edges: [string, string, EdgeFields?][], fields = {}) => ({
  nodes: names.map((id) => ({ id, agent_type: "architect" })),
  edges: edges.map(([source, target, rest]) => ({ source, target, ...rest })),
  ...fields,
});
const loop = { max_iterations: 5 };

/** A supervisor that names who is next, and agents that each report to it. */
const supervisor = (bound: EdgeFields = loop) =>
  definitionOf(["sup", "b", "c", "final"], [
    ["sup", "b", { label: "b" }],
    ["sup", "c", { label: "c" }],
    ["sup", "final", { label: "done" }],
    ["b", "sup", { loop: bound }],
    ["c", "sup", { loop }],
  ], { state: { log: "append" } });

Deno.test("a supervisor calls its agents in any order and as often as it likes, and then the end comes", async () => {
  const run = await startRun(db, supervisor());
  const turns: [string, string][] = [["c", "c"], ["b", "b"], ["b", "b"], ["c", "c"]];
  for (const [turn, [label, agent]] of turns.entries()) {
    const at = turn === 0 ? "" : `#${turn}`;
    await run.complete(`sup${at}`, { log: [`sup ${turn}`] }, { label });
    await run.complete(`${agent}${at}`, { log: [`${agent} ${turn}`] });
  }
  await run.complete("sup#4", { log: ["sup 4"] }, { label: "done" });
  const { execution } = await run.complete("final");
  assertEquals(execution.status, "completed");
  assertEquals((await run.state()).log, ["sup 0", "c 0", "sup 1", "b 1", "sup 2", "b 2", "sup 3", "c 3", "sup 4"]);
});

Deno.test("what leaves a family of loops begins only when the supervisor has said so, and once", async () => {
  const run = await startRun(db, supervisor());
  await run.complete("sup", {}, { label: "b" });
  assertEquals((await run.statuses()).final, "blocked");
  await run.complete("b");
  assertEquals((await run.statuses()).final, "blocked");
  await run.complete("sup#1", {}, { label: "done" });
  assertEquals((await run.statuses()).final, "pending");
});

Deno.test("each edge of a family keeps its own count", async () => {
  const run = await startRun(db, supervisor({ max_iterations: 1, on_exhausted: "fail" }));
  await run.complete("sup", {}, { label: "b" });
  await run.complete("b");
  await run.complete("sup#1", {}, { label: "c" });
  await run.complete("c#1");
  await run.complete("sup#2", {}, { label: "c" });
  await run.complete("c#2");
  await run.complete("sup#3", {}, { label: "b" });
  const { execution } = await run.complete("b#3");
  assertEquals([execution.status, execution.error_message], ["failed", "The loop from b ran out after 1 turns."]);
});

Deno.test("agents that work at once begin one new turn together, when the last is done", async () => {
  const run = await startRun(
    db,
    definitionOf(["sup", "b", "c"], [
      ["sup", "b"],
      ["sup", "c"],
      ["b", "sup", { loop: { max_iterations: 1 } }],
      ["c", "sup", { loop: { max_iterations: 1 } }],
    ]),
  );
  await run.complete("sup");
  await run.complete("c");
  assertEquals((await run.statuses())["sup#1"], undefined);
  await run.complete("b");
  const { b, c, "sup#1": next, "sup#2": none } = await run.statuses();
  assertEquals([b, c, next, none], ["completed", "completed", "pending", undefined]);
});

for (const dialect of ["JavaScript", "Python"]) {
  Deno.test(`an export of a supervisor runs as it is, in the dialect of ${dialect}`, async () => {
    const project = await createProject(db);
    const said = (conditional: boolean) => dialect === "JavaScript" || conditional ? { conditional } : {};
    const end = dialect === "JavaScript" ? { id: "__end__", type: "schema", data: {} } : { id: "__end__" };
    const definition = {
      nodes: [
        { id: "__start__", type: "runnable", data: { id: ["langgraph"], name: "__start__" } },
        ...["sup", "b", "c"].map((id) => ({ id, type: "runnable", data: { id: ["langgraph"], name: id } })),
        end,
      ],
      edges: [
        { source: "__start__", target: "sup", ...said(false) },
        { source: "sup", target: "b", ...said(true) },
        { source: "sup", target: "c", ...said(true) },
        { source: "sup", target: "__end__", data: "FINISH", ...said(true) },
        { source: "b", target: "sup", ...said(false) },
        { source: "c", target: "sup", ...said(false) },
      ],
      defaults: { agent_type: "architect" },
    };
    const workflow_id = await createWorkflow(db, project, definition);
    const { warnings } = await db.rpc(project.owner.actor, "publish_workflow", { workflow_id });
    assertEquals(
      warnings.filter(({ code }: Answer) => code === "loop_bound_guessed").map(({ edge }: Answer) => edge),
      ["b → sup", "c → sup"],
    );
    const { execution } = await db.rpc(project.owner.actor, "start_workflow", { workflow_id });
    const run = runOf(db, project, execution.id);
    await run.complete("sup", {}, { label: "b" });
    await run.complete("b");
    await run.complete("sup#1", {}, { label: "c" });
    await run.complete("c#1");
    assertEquals((await run.complete("sup#2", {}, { label: "FINISH" })).execution.status, "completed");
  });
}

/** A supervisor with two agents, of which each has tools that lead back to it. */
const withTools = () =>
  definitionOf(["sup", "b", "c", "tools of b", "tools of c", "final"], [
    ["sup", "b", { label: "b" }],
    ["sup", "c", { label: "c" }],
    ["sup", "final", { label: "done" }],
    ["b", "tools of b", { label: "tools" }],
    ["c", "tools of c", { label: "tools" }],
    ["tools of b", "b", { loop }],
    ["tools of c", "c", { loop }],
    ["b", "sup", { label: "report", loop }],
    ["c", "sup", { label: "report", loop }],
  ]);

Deno.test("agents with tools of their own report to a supervisor, who has the last word", async () => {
  const run = await startRun(db, withTools());
  await run.complete("sup", {}, { label: "b" });
  await run.complete("b", {}, { label: "tools" });
  await run.complete("tools of b");
  await run.complete("b#1", {}, { label: "report" });
  await run.complete("sup#1", {}, { label: "c" });
  const names = await run.statuses();
  assertEquals(Object.keys(names).filter((name) => names[name] === "pending"), ["c#1"]);
  await run.complete("c#1", {}, { label: "report" });
  await run.complete("sup#2", {}, { label: "done" });
  const { execution } = await run.complete("final");
  assertEquals(execution.status, "completed");
});

Deno.test("what leaves the supervisor waits for the tools too, and begins once", async () => {
  const run = await startRun(db, withTools());
  await run.complete("sup", {}, { label: "b" });
  await run.complete("b", {}, { label: "tools" });
  assertEquals((await run.statuses()).final, "blocked");
  await run.complete("tools of b");
  await run.complete("b#1", {}, { label: "report" });
  assertEquals((await run.statuses()).final, "blocked");
  await run.complete("sup#1", {}, { label: "done" });
  assertEquals((await run.statuses()).final, "pending");
});

Deno.test("the tools have all their turns again in every turn of the supervisor", async () => {
  const definition = withTools();
  const few = { max_iterations: 1, on_exhausted: "fail" };
  const run = await startRun(db, {
    ...definition,
    edges: definition.edges.map((edge) => edge.source.startsWith("tools") ? { ...edge, loop: few } : edge),
  });
  const round = async (sup: string, turns: [agent: string, tools?: string][]) => {
    await run.complete(sup, {}, { label: "b" });
    for (const [agent, tools] of turns) {
      await run.complete(agent, {}, { label: tools ? "tools" : "report" });
      if (tools) await run.complete(tools);
    }
  };
  await round("sup", [["b", "tools of b"], ["b#1"]]);
  await round("sup#1", [["b#2", "tools of b#2"], ["b#3"]]);
  await run.complete("sup#2", {}, { label: "b" });
  await run.complete("b#4", {}, { label: "tools" });
  await run.complete("tools of b#4");
  await run.complete("b#5", {}, { label: "tools" });
  const { execution } = await run.complete("tools of b#5");
  assertEquals([execution.status, execution.error_message], [
    "failed",
    "The loop from tools of b ran out after 1 turns.",
  ]);
});
