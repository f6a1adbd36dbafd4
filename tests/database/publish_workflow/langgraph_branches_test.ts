// publish_workflow: branches and circles of a LangGraph export run, in both dialects, and every guess is a warning.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { type Answer, shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow } from "../../support/factories.ts";
import { type Run, runOf } from "../../support/run.ts";

const db = await shareDatabase();
const project = await createProject(db);

type Name =
  | "react"
  | "review"
  | "unmapped"
  | "uneven"
  | "routed"
  | "leaving"
  | "returning"
  | "commanded"
  | "supervised";
const exports: Record<Name, Answer> = JSON.parse(
  await Deno.readTextFile(new URL("./langgraph-exports.json", import.meta.url)),
);

/** The same graph as Python writes it: no `conditional` unless true, no empty metadata, a runnable start, a bare end. */
const inPython = ({ nodes, edges }: Answer): Answer => ({
  nodes: nodes.map(({ id, type, data, metadata }: Answer) => {
    if (id === "__end__") return { id };
    if (id === "__start__") return { id, type: "runnable", data: { id: ["langgraph", "RunnableCallable"], name: id } };
    return { id, type, data, ...(Object.keys(metadata ?? {}).length > 0 ? { metadata } : {}) };
  }),
  edges: edges.map(({ conditional, ...edge }: Answer) => conditional ? { ...edge, conditional } : edge),
});

/** Publishes and starts an export whose nodes are all for one agent type. */
async function start(definition: Answer, defaults: Record<string, unknown> = {}) {
  const workflow_id = await createWorkflow(db, project, {
    ...definition,
    defaults: { agent_type: "architect", ...defaults },
  });
  const { warnings } = await db.rpc(project.editor.actor, "publish_workflow", { workflow_id });
  const { execution } = await db.rpc(project.editor.actor, "start_workflow", { workflow_id });
  return { warnings, run: runOf(db, project, execution.id) };
}

const told = (warnings: { code: string; node?: string; edge?: string }[]) =>
  warnings.map(({ code, node, edge }) => `${code} ${node ?? edge}`);

const dialects: [string, (definition: Answer) => Answer][] = [["JavaScript", (it) => it], ["Python", inPython]];
for (const [dialect, write] of dialects) {
  Deno.test(`${dialect}: an agent that calls tools is a loop, whose bound is guessed and said`, async () => {
    const { run, warnings } = await start(write(exports.react));
    assertEquals(told(warnings), [
      "agent_type_guessed agent",
      "agent_type_guessed tools",
      "loop_bound_guessed tools → agent",
    ]);
    assertStringIncludes(warnings.at(-1).message, "25 turns");
    await run.complete("agent", {}, { label: "continue" });
    await run.complete("tools");
    const { execution } = await run.complete("agent#1", {}, { label: "end" });
    assertEquals([execution.status, (await run.statuses())["tools#1"]], ["completed", "skipped"]);
  });

  Deno.test(`${dialect}: a branch is chosen by the label of its path map, or by its target where it has none`, async () => {
    const { run, warnings } = await start(write(exports.review));
    assertEquals(told(warnings).filter((warning) => !warning.startsWith("agent_type")), [
      "interrupt_ignored review",
      "unlabelled_conditional router → search",
      "unlabelled_conditional router → write",
      "loop_bound_guessed review → write",
    ]);
    await run.complete("router", {}, { label: "write" });
    assertEquals(await run.statuses(), {
      router: "completed",
      search: "skipped",
      write: "pending",
      review: "blocked",
    });
    await run.complete("write");
    await run.complete("review", {}, { label: "no" });
    await run.complete("write#1");
    assertEquals((await run.complete("review#1", {}, { label: "yes" })).execution.status, "completed");
  });

  Deno.test(`${dialect}: an agent with tools that a supervisor calls as a graph of its own runs as drawn`, async () => {
    const { run } = await start(write(exports.supervised));
    const call = async (turn: string, calls: number) => {
      await run.complete(`supervisor${turn}`, {}, { label: "call" });
      await run.complete(`team:__start__${turn}`);
      for (let n = 0; n < calls; n++) {
        const [agent] = await run.claim();
        await run.complete(agent ?? "", {}, { label: "continue" });
        const [tools] = await run.claim();
        assertStringIncludes(tools ?? "", "team:tools");
        await run.complete(tools ?? "");
      }
      const [agent] = await run.claim();
      await run.complete(agent ?? "", {}, { label: "end" });
      await run.complete(`team:__end__${turn}`);
    };
    await call("", 2);
    await call("#1", 0);
    await call("#2", 1);
    assertEquals((await run.complete("supervisor#3", {}, { label: "end" })).execution.status, "completed");
  });
}

Deno.test("the bound of a guessed loop can be given, and running out of it fails the execution", async () => {
  const { run } = await start(exports.react, { max_iterations: 1 });
  await turn(run, "agent", "tools");
  const { execution } = await turn(run, "agent#1", "tools#1");
  assertEquals(execution.status, "failed");
  assertStringIncludes(execution.error_message, "ran out");
});

async function turn(run: Run, agent: string, tools: string) {
  await run.complete(agent, {}, { label: "continue" });
  return await run.complete(tools);
}

Deno.test("a branch without a path map leads where it can, and the worker names the target", async () => {
  const { run, warnings } = await start(exports.unmapped);
  assertEquals(told(warnings).filter((warning) => !warning.startsWith("agent_type")), [
    "unlabelled_conditional a → b",
    "unlabelled_conditional a → __end__",
  ]);
  assertEquals((await run.complete("a", {}, { label: "__end__" })).execution.status, "completed");
});

const joins = (warnings: { code: string; node?: string }[]) =>
  warnings.filter(({ code }) => code === "join_guessed").map(({ node }) => node);

Deno.test("a node that ways of different length lead to runs once and not at each step, which is said", async () => {
  const { run, warnings } = await start(exports.uneven);
  assertEquals(joins(warnings), ["print"]);
  await run.complete("plan");
  await run.complete("facts");
  assertEquals((await run.statuses()).print, "blocked");
});

for (const metadata of [{ join: "any" }, { join: "all" }, { defer: true }]) {
  Deno.test(`of a node with ${JSON.stringify(metadata)} nothing is guessed`, async () => {
    const nodes = exports.uneven.nodes.map((node: Answer) => node.id === "print" ? { ...node, metadata } : node);
    assertEquals(joins((await start({ ...exports.uneven, nodes })).warnings), []);
  });
}

Deno.test("of ways of which a router takes one, the lengths say nothing", async () => {
  const edges = exports.uneven.edges.map((edge: Answer) =>
    edge.source === "plan" ? { ...edge, conditional: true } : edge
  );
  assertEquals(joins((await start({ ...exports.uneven, edges })).warnings), []);
});

Deno.test("that a router may lead past the node where ways part takes nothing from their lengths", async () => {
  assertEquals(joins((await start(exports.routed)).warnings), ["print"]);
});

Deno.test("what leaves a loop that may go on runs once, when the loop has ended, which is said", async () => {
  const { run, warnings } = await start(exports.leaving);
  assertEquals(joins(warnings), ["log"]);
  await run.complete("write");
  assertEquals((await run.statuses()).log, "blocked");
});

Deno.test("ways back of different length are one turn, which is said", async () => {
  assertEquals(joins((await start(exports.returning)).warnings), ["write"]);
});

Deno.test("of circles whose router either leads on or back nothing is guessed", async () => {
  for (const name of ["react", "review", "supervised"] as const) {
    assertEquals(joins((await start(exports[name])).warnings), []);
  }
});

for (const [dialect, write] of dialects) {
  Deno.test(`${dialect}: a loop is taken although another one was left out`, async () => {
    const { run, warnings } = await start(write(exports.commanded));
    assertEquals(told(warnings).filter((warning) => warning.startsWith("unreachable")), [
      "unreachable_node agent",
      "unreachable_node tools",
    ]);
    await run.complete("write");
    await run.complete("review", {}, { label: "no" });
    assertEquals((await run.statuses())["write#1"], "pending");
  });
}

Deno.test("in Python such a branch loses its targets: what is left alone is left out with a warning", async () => {
  const { nodes, edges } = inPython(exports.unmapped);
  const lost = { nodes, edges: edges.filter((edge: Answer) => !edge.conditional) };
  const { run, warnings } = await start(lost);
  assertEquals(told(warnings).at(-1), "unreachable_node b");
  assertEquals((await run.complete("a")).execution.status, "completed");
  assertEquals(Object.keys(await run.statuses()), ["a"]);
});

Deno.test("a circle in a definition of our own is a fault: only an export is guessed at", async () => {
  const workflow_id = await createWorkflow(db, project, {
    nodes: ["a", "b"].map((id) => ({ id, agent_type: "architect" })),
    edges: [{ source: "a", target: "b" }, { source: "b", target: "a" }],
  });
  assertEquals((await db.refusal("worker", "publish_workflow", { workflow_id })).code, "workflow_invalid");
});

Deno.test("a conditional edge from the start is always taken, with a warning, unless it has a condition", async () => {
  const definition = structuredClone(exports.review);
  for (const edge of definition.edges) if (edge.source === "__start__") edge.conditional = true;
  const { run, warnings } = await start(definition);
  assertEquals(told(warnings).includes("unlabelled_conditional __start__ → router"), true);
  assertEquals((await run.statuses()).router, "pending");
});

for (const [dialect, write] of dialects) {
  Deno.test(`${dialect}: branches that the start is said to choose are all taken, each with a warning`, async () => {
    const definition = structuredClone(exports.review);
    const branches = [["router", "ask"], ["write", "write at once"]].map(([target, data]) => ({
      source: "__start__",
      target,
      data,
      conditional: true,
    }));
    definition.edges = [...branches, ...definition.edges.filter((edge: Answer) => edge.source !== "__start__")];
    const { run, warnings } = await start(write(definition));
    assertEquals(told(warnings).filter((warning) => warning.startsWith("start_label_ignored")), [
      "start_label_ignored __start__ → router",
      "start_label_ignored __start__ → write",
    ]);
    assertEquals((await run.statuses()).router, "pending");
  });
}

Deno.test("a graph inside a node that the export does not hold is one task, with a warning", async () => {
  const definition = structuredClone(exports.review);
  const search = definition.nodes.find((node: Answer) => node.id === "search");
  search.data = { id: ["langgraph", "graph", "state", "CompiledStateGraph"], name: "search" };
  const { warnings } = await start(definition);
  assertEquals(told(warnings).filter((warning) => warning.startsWith("subgraph")), ["subgraph_not_expanded search"]);
});

Deno.test("what metadata says is taken: type, condition of joins, loops and approvals", async () => {
  const definition = structuredClone(exports.review);
  for (const node of definition.nodes) {
    if (node.id === "review") node.metadata = { type: "approval", role: "owner" };
    if (node.id === "write") node.metadata = { agent_type: "frontend", join: "any", priority: 3 };
  }
  for (const edge of definition.edges) if (edge.data) edge.label = edge.data === "yes" ? "approved" : "rejected";
  const { run } = await start(definition);
  await run.complete("router", {}, { label: "write" });
  assertEquals([(await run.row("write")).agent_type, (await run.row("write")).priority], ["frontend", 3]);
  await run.complete("write");
  assertEquals((await run.decide("review", project.owner)).execution.status, "completed");
});

Deno.test("a router of several targets is an export whose branches have a condition, as the docs say", async () => {
  const docs = await Deno.readTextFile(new URL("../../../docs/workflows.md", import.meta.url));
  const edges = JSON.parse(
    /\*\*A router that returns several\*\*[\s\S]*?```json\n([\s\S]*?)```/.exec(docs)?.[1] ?? "[]",
  );
  const ids = ["route", "web", "files", "mail"];
  const { run, warnings } = await start({
    nodes: ["__start__", ...ids, "__end__"].map((id) => ({ id, type: "runnable", data: { name: id } })),
    edges: [
      { source: "__start__", target: "route" },
      ...edges,
      { source: "route", target: "mail", conditional: true, when: '$.route.next[*] == "mail"' },
      ...ids.slice(1).map((source) => ({ source, target: "__end__" })),
    ],
  });
  assertEquals(told(warnings).filter((warning: string) => !warning.startsWith("agent_type_guessed")), []);
  await run.complete("route", { route: { next: ["web", "mail"] } });
  assertEquals(await run.statuses(), { route: "completed", web: "pending", files: "skipped", mail: "pending" });
});

Deno.test("a router that sends to a node once per element is an export with a map behind it, as the docs say", async () => {
  const { run } = await start({
    nodes: [
      { id: "__start__" },
      { id: "route", type: "runnable" },
      { id: "work", type: "runnable", metadata: { type: "map", over: "$.route.items" } },
      { id: "__end__" },
    ],
    edges: [
      { source: "__start__", target: "route" },
      { source: "route", target: "work", conditional: true, when: "$.route.items[*] > 0" },
      { source: "work", target: "__end__" },
    ],
  });
  await run.complete("route", { route: { items: [1, 2] } });
  assertEquals(await run.statuses(), {
    route: "completed",
    work: "waiting",
    "work[0]": "pending",
    "work[1]": "pending",
  });
});
