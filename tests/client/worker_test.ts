// runWorker(): it claims, reports, keeps its leases, hears of cancellations, and gives back what it holds when it stops.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createGenesis, GenesisError, type Task } from "../../shared/client/mod.ts";
import { anotherProject, createWorkflow } from "../functions/project.ts";
import { anonymous, worker } from "../support/actors.ts";
import { eventually } from "../support/eventually.ts";
import { graph } from "../support/factories.ts";
import { expireLease } from "./engine.ts";
import { sharedClients } from "./team.ts";

async function start(definition: unknown, input = {}) {
  const { project, owner } = await sharedClients();
  const workflow_id = await createWorkflow(project, definition);
  return (await owner.startWorkflow({ workflow_id, input })).execution.id;
}

/** Resolves once the condition holds; a test that waits for what never comes fails. */
async function until(condition: () => boolean): Promise<void> {
  if (!await eventually(() => Promise.resolve(condition()), (is) => is)) throw new Error("It never came");
}

const agentTypes = ["architect"];

/** Resolves when the signal has fired, also where it had before. */
const aborted = (signal: AbortSignal) =>
  signal.aborted || new Promise((resolve) => signal.addEventListener("abort", resolve));

Deno.test("a worker does every task of an execution, with inputs handed in and outputs passed on", async () => {
  const { owner, worker } = await sharedClients();
  const executionId = await start(graph([["a", "b"], ["b", "c"]]), { goal: "an app" });
  const stopping = new AbortController();
  const inputs: unknown[] = [];
  const working = worker.runWorker({
    agentTypes,
    executionId,
    signal: stopping.signal,
    handle(task) {
      inputs.push(task.input_data);
      return { output: { [task.node_id]: "done" }, artifacts: [{ file_path: `${task.node_id}.txt`, content: "x" }] };
    },
  });
  const last = await owner.execution(executionId).finished();
  stopping.abort();
  await working;
  assertEquals(last?.execution.status, "completed");
  assertEquals(inputs, [{ goal: "an app" }, { a: { a: "done" } }, { b: { b: "done" } }]);
  assertEquals((await owner.project(last?.execution.project_id ?? "").readArtifact("c.txt")).content, "x");
});

Deno.test("a worker runs as many tasks at once as it was told, and no more", async () => {
  const { owner, worker } = await sharedClients();
  const nodes = ["a", "b", "c", "d", "e"].map((id) => ({ id, type: "agent", agent_type: "architect" }));
  const executionId = await start({ nodes, edges: [] });
  const stopping = new AbortController();
  let [running, most] = [0, 0];
  const working = worker.runWorker({
    agentTypes,
    executionId,
    concurrency: 3,
    signal: stopping.signal,
    async handle() {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 50));
      running--;
    },
  });
  await owner.execution(executionId).finished();
  stopping.abort();
  await working;
  assertEquals(most, 3);
});

Deno.test("idle workers for an execution hear of what is to be done in the workflow inside it, long before they would look", async () => {
  const { project, owner, worker } = await sharedClients();
  const inside = graph([["plan", "build"], ["build", "test"]], { build: { agent_type: "frontend" } });
  const workflow_id = await createWorkflow(project, inside);
  await owner.publishWorkflow({ workflow_id });
  const begin = { agent_type: "tester" };
  const executionId = await start(graph([["begin", "run"]], { begin, run: { type: "workflow", workflow_id } }));
  const stopping = new AbortController();
  const options = { executionId, pollSeconds: 3600, signal: stopping.signal, handle: () => {} };
  const working = ["architect", "frontend"].map((type) => worker.runWorker({ ...options, agentTypes: [type] }));
  // By then they have joined, have looked in vain, and pause for an hour.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const claim = { worker_id: "tester", agent_types: ["tester"], execution_id: executionId };
  const { tasks: [first] } = await worker.claimTasks(claim);
  await worker.completeTask({ task_id: first?.id ?? "", lease_token: first?.lease_token ?? "", status: "completed" });
  const last = await owner.execution(executionId).finished({ signal: AbortSignal.timeout(30_000) });
  stopping.abort();
  await Promise.all(working);
  assertEquals(last?.execution.status, "completed");
});

Deno.test("an idle worker hears of new work, long before it would look", async () => {
  const { project: team, owner, worker } = await sharedClients();
  const project = await anotherProject(team);
  const workflow_id = await createWorkflow(project, graph([["a", "b"]]));
  const stopping = new AbortController();
  const options = { agentTypes, pollSeconds: 3600, signal: stopping.signal };
  const working = worker.runWorker({ ...options, projectId: project.id, handle: () => {} });
  for (let runs = 0; runs < 2; runs++) {
    // By then it is joined, has looked in vain, and pauses for an hour.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const { execution } = await owner.startWorkflow({ workflow_id });
    const last = await owner.execution(execution.id).finished({ signal: AbortSignal.timeout(30_000) });
    assertEquals(last?.execution.status, "completed");
  }
  stopping.abort();
  await working;
});

Deno.test("what a handler throws is the task's failure", async () => {
  const { owner, worker } = await sharedClients();
  const executionId = await start(graph([["a", "b"]], { a: { retry: { max_attempts: 1 } } }));
  const stopping = new AbortController();
  const heard: unknown[] = [];
  const working = worker.runWorker({
    agentTypes,
    executionId,
    signal: stopping.signal,
    handle() {
      throw new Error("the model said no");
    },
    onError: (error) => heard.push(error),
  });
  const last = await owner.execution(executionId).finished();
  stopping.abort();
  await working;
  assertEquals(last?.execution.status, "failed");
  assertEquals(last?.tasks[0]?.error_message, "the model said no");
  assertEquals(heard.map(String), ["Error: the model said no"]);
});

const UNTELLABLE = {
  "of 3 MB": ["y".repeat(3_000_000), "y".repeat(10_000)],
  "with a NUL": ["a\0b", "ab"],
  "with half of a surrogate pair": ["a\ud800b", "a\ufffdb"],
} as const;

for (const [what, [thrown, told]] of Object.entries(UNTELLABLE)) {
  Deno.test(`a failure in words ${what} is reported in what can be stored of them`, async () => {
    const { owner, worker } = await sharedClients();
    const executionId = await start(graph([["a", "b"]], { a: { retry: { max_attempts: 1 } } }));
    const stopping = new AbortController();
    const working = worker.runWorker({
      agentTypes,
      executionId,
      signal: stopping.signal,
      handle() {
        throw new Error(thrown);
      },
    });
    const last = await owner.execution(executionId).finished();
    stopping.abort();
    await working;
    assertEquals(last?.tasks[0]?.error_message, told);
  });
}

Deno.test("an output that cannot be stored is the task's failure, which names the field", async () => {
  const { owner, worker } = await sharedClients();
  const executionId = await start(graph([["a", "b"]], { a: { retry: { max_attempts: 1 } } }));
  const stopping = new AbortController();
  const working = worker.runWorker({
    agentTypes,
    executionId,
    signal: stopping.signal,
    handle: () => ({ output: { page: { title: "a\0b" } } }),
  });
  const last = await owner.execution(executionId).finished();
  stopping.abort();
  await working;
  const message = last?.tasks[0]?.error_message ?? "";
  assert(message.includes("output_data.page.title: contains a NUL character"), message);
});

Deno.test("a result that is refused is the task's failure, with the refusal's words", async () => {
  const { owner, worker } = await sharedClients();
  const executionId = await start(graph([["a", "b"]], { a: { retry: { max_attempts: 1 } } }));
  const stopping = new AbortController();
  const working = worker.runWorker({
    agentTypes,
    executionId,
    signal: stopping.signal,
    handle: () => ({ artifacts: [{ file_path: "../outside", content: "x" }] }),
  });
  const last = await owner.execution(executionId).finished();
  stopping.abort();
  await working;
  assertEquals(last?.tasks[0]?.status, "failed");
  assert(last?.tasks[0]?.error_message);
});

Deno.test("an output that is no JSON is the task's failure, and keeps no lease", async () => {
  const { owner, worker } = await sharedClients();
  const executionId = await start(graph([["a", "b"]], { a: { retry: { max_attempts: 1 } } }));
  const stopping = new AbortController();
  const working = worker.runWorker({
    agentTypes,
    executionId,
    signal: stopping.signal,
    handle: () => ({ output: 10n as never }),
  });
  const last = await owner.execution(executionId).finished();
  stopping.abort();
  await working;
  assertEquals(last?.tasks[0]?.status, "failed");
  assert(last?.tasks[0]?.error_message?.includes("JSON"));
});

Deno.test("heartbeats keep a task that takes longer than its lease", async () => {
  const { owner, worker } = await sharedClients();
  const executionId = await start(graph([["a", "b"]]));
  const stopping = new AbortController();
  const attempts: number[] = [];
  // Long enough for a machine that stands still between two heartbeats.
  const options = { agentTypes, executionId, leaseSeconds: 7, signal: stopping.signal, pollSeconds: 0.2 };
  const handle = async (task: Task) => {
    attempts.push(task.attempt);
    if (task.node_id === "a") await new Promise((resolve) => setTimeout(resolve, 8500));
  };
  const working = [worker.runWorker({ ...options, handle }), worker.runWorker({ ...options, handle })];
  const last = await owner.execution(executionId).finished();
  stopping.abort();
  await Promise.all(working);
  assertEquals([last?.execution.status, attempts], ["completed", [1, 1]]);
});

Deno.test("the handler's signal fires when the execution is cancelled", async () => {
  const { owner, worker } = await sharedClients();
  const executionId = await start(graph([["a", "b"]]));
  const stopping = new AbortController();
  let reason: unknown;
  const working = worker.runWorker({
    agentTypes,
    executionId,
    leaseSeconds: 6,
    signal: stopping.signal,
    async handle(_task, { signal }) {
      await owner.cancelExecution({ execution_id: executionId });
      await aborted(signal);
      reason = signal.reason;
    },
  });
  await until(() => reason !== undefined);
  stopping.abort();
  await working;
  assert(reason instanceof GenesisError);
  assertEquals(reason.code, "execution_not_running");
});

Deno.test("the handler's signal fires when another worker has taken the task over", async () => {
  const { worker } = await sharedClients();
  const executionId = await start(graph([["a", "b"]]));
  const stopping = new AbortController();
  let reason: unknown;
  const working = worker.runWorker({
    agentTypes,
    executionId,
    leaseSeconds: 6,
    signal: stopping.signal,
    async handle(task, { signal }) {
      if (task.attempt > 1) return;
      const claim = { worker_id: "other", agent_types: agentTypes, execution_id: executionId };
      // A heartbeat in between is in time, and somebody else's claim may be taking the task back at that moment.
      const take = async () => {
        await expireLease(task.id);
        return (await worker.claimTasks(claim)).tasks;
      };
      const taken = await eventually(take, ({ length }) => length > 0);
      assertEquals(taken.map(({ id }) => id), [task.id]);
      await aborted(signal);
      reason = signal.reason;
    },
  });
  await until(() => reason !== undefined);
  stopping.abort();
  await working;
  assert(reason instanceof GenesisError);
  assertEquals(reason.code, "task_lease_lost");
});

Deno.test("a worker whose task was deleted while it worked hears so once", async () => {
  const { project, owner, worker } = await sharedClients();
  const definition = { nodes: [{ id: "a", type: "agent", agent_type: "debugger" }], edges: [] };
  const workflows = [await createWorkflow(project, definition), await createWorkflow(project, definition)];
  for (const workflow_id of workflows) await owner.startWorkflow({ workflow_id });
  const stopping = new AbortController();
  const heard: string[] = [];
  // The second task is begun when all has been said about the first.
  await worker.runWorker({
    agentTypes: ["debugger"],
    projectId: project.id,
    signal: stopping.signal,
    async handle() {
      const [workflow_id] = workflows.splice(0, 1);
      if (workflows.length === 0) return stopping.abort();
      await owner.supabase.from("workflows").delete().eq("id", workflow_id ?? "").throwOnError();
    },
    onError: (error) => heard.push(error instanceof GenesisError ? error.code : String(error)),
  });
  assertEquals(heard, ["task_not_found"]);
});

Deno.test("a worker that stops lets its task finish within the grace", async () => {
  const { worker, owner } = await sharedClients();
  const executionId = await start(graph([["a", "b"]]));
  const stopping = new AbortController();
  await worker.runWorker({
    agentTypes,
    executionId,
    signal: stopping.signal,
    async handle() {
      stopping.abort();
      await new Promise((resolve) => setTimeout(resolve, 200));
    },
  });
  const { tasks } = await owner.execution(executionId).read();
  assertEquals(tasks.map(({ status }) => status), ["completed", "pending"]);
});

Deno.test("a handler says what it has done, and not whose task or lease it was", async () => {
  const { owner, worker } = await sharedClients();
  const executionId = await start(graph([["a", "b"]], { a: { retry: { max_attempts: 1 } } }));
  const stopping = new AbortController();
  const other = { task_id: crypto.randomUUID(), lease_token: crypto.randomUUID(), status: "failed" };
  const working = worker.runWorker({
    agentTypes,
    executionId,
    signal: stopping.signal,
    handle: () => ({ ...other, output: "done" }),
  });
  const last = await owner.execution(executionId).finished();
  stopping.abort();
  await working;
  assertEquals(last?.execution.status, "completed");
});

Deno.test("a failure is reported also where whoever is told of it fails", async () => {
  const { owner, worker } = await sharedClients();
  const executionId = await start(graph([["a", "b"]], { a: { retry: { max_attempts: 1 } } }));
  const stopping = new AbortController();
  const working = worker.runWorker({
    agentTypes,
    executionId,
    signal: stopping.signal,
    handle() {
      throw new Error("no idea");
    },
    onError() {
      throw new Error("no log either");
    },
  });
  const last = await owner.execution(executionId).finished();
  stopping.abort();
  await working;
  assertEquals(last?.tasks.map(({ error_message }) => error_message), ["no idea", null]);
});

Deno.test("a worker that looks without any pause leaves its handler time to work", async () => {
  const { worker } = await sharedClients();
  const executionId = await start(graph([["a", "b"]]));
  const stopping = new AbortController();
  const done: string[] = [];
  await worker.runWorker({
    agentTypes,
    executionId,
    pollSeconds: 0,
    signal: stopping.signal,
    async handle({ node_id }) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (done.push(node_id) === 2) stopping.abort();
    },
  });
  assertEquals(done, ["a", "b"]);
});

Deno.test("a worker whose grace is endless waits for what it has begun", async () => {
  const { worker } = await sharedClients();
  const executionId = await start(graph([["a", "b"]]));
  const stopping = new AbortController();
  let wasAborted = true;
  await worker.runWorker({
    agentTypes,
    executionId,
    graceSeconds: Infinity,
    signal: stopping.signal,
    async handle(_task, { signal }) {
      stopping.abort();
      await new Promise((resolve) => setTimeout(resolve, 200));
      wasAborted = signal.aborted;
    },
  });
  assertEquals(wasAborted, false);
});

Deno.test("a worker that stops gives back what it cannot finish, for another to take", async () => {
  const { worker } = await sharedClients();
  const executionId = await start(graph([["a", "b"]]));
  const stopping = new AbortController();
  let isTold = false;
  await worker.runWorker({
    agentTypes,
    executionId,
    leaseSeconds: 600,
    graceSeconds: 0,
    signal: stopping.signal,
    handle(_task, { signal }) {
      stopping.abort();
      return new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => {
          isTold = true;
          resolve();
        });
      });
    },
  });
  assertEquals(isTold, true);
  const { tasks } = await worker.claimTasks({ worker_id: "b", agent_types: agentTypes, execution_id: executionId });
  assertEquals(tasks.map(({ node_id, attempt }) => [node_id, attempt]), [["a", 1]]);
});

Deno.test("what a worker claims while it stops it gives back, and does not begin", async () => {
  const { worker: other } = await sharedClients();
  const stopping = new AbortController();
  const client = worker({
    global: {
      async fetch(input, init) {
        const answer = await fetch(input, init);
        if (String(input).endsWith("/claim")) stopping.abort();
        return answer;
      },
    },
  });
  const executionId = await start(graph([["a", "b"]]));
  const begun: string[] = [];
  await createGenesis(client).runWorker({
    agentTypes,
    executionId,
    leaseSeconds: 600,
    signal: stopping.signal,
    handle: ({ node_id }) => void begun.push(node_id),
  });
  const { tasks } = await other.claimTasks({ worker_id: "b", agent_types: agentTypes, execution_id: executionId });
  assertEquals([begun, tasks.map(({ node_id, attempt }) => [node_id, attempt])], [[], [["a", 1]]]);
});

for (const silent of ["complete-task/claim", "complete-task"]) {
  Deno.test(`a worker that stops does not wait for /${silent}, which nobody answers`, async () => {
    const asked = Promise.withResolvers<void>();
    const client = worker({
      global: {
        fetch(input, init) {
          if (!String(input).endsWith(`/functions/v1/${silent}`)) return fetch(input, init);
          asked.resolve();
          return new Promise((_, reject) => init?.signal?.addEventListener("abort", () => reject(init.signal?.reason)));
        },
      },
    });
    const executionId = await start(graph([["a", "b"]]));
    const stopping = new AbortController();
    const working = createGenesis(client).runWorker({
      agentTypes,
      executionId,
      graceSeconds: 0,
      signal: stopping.signal,
      handle: () => {},
    });
    await asked.promise;
    stopping.abort();
    // Without that it waits for a minute.
    const late = AbortSignal.timeout(20_000);
    await Promise.race([
      working,
      new Promise((_, reject) => late.addEventListener("abort", () => reject(late.reason))),
    ]);
  });
}

Deno.test("a worker without a credential that allows it throws instead of asking for ever", async () => {
  const nobody = createGenesis(anonymous());
  const thrown = await assertRejects(() => nobody.runWorker({ agentTypes, handle: () => {} }), GenesisError);
  assertEquals((thrown as GenesisError).code, "unauthorized");
});
