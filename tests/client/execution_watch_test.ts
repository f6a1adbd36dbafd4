// execution(id).watch(): the present state first, then every event once and in order, until the caller stops.
import { assert, assertEquals } from "@std/assert";
import { type ExecutionView, type Genesis, GenesisError, listen } from "../../shared/client/mod.ts";
import postgres from "postgres";
import { createWorkflow, type Project } from "../functions/project.ts";
import { eventually } from "../support/eventually.ts";
import { graph } from "../support/factories.ts";
import { stack } from "../support/stack.ts";
import { assertFollowed, readLog } from "./log.ts";
import { sharedClients } from "./team.ts";

async function start(project: Project, definition: unknown): Promise<string> {
  const { owner } = await sharedClients();
  const { execution } = await owner.startWorkflow({ workflow_id: await createWorkflow(project, definition) });
  return execution.id;
}

/** Claims everything there is, and reports it done. */
async function workOff(worker: Genesis, execution_id: string): Promise<number> {
  const { tasks } = await worker.claimTasks({ worker_id: "w", agent_types: ["architect"], execution_id, limit: 100 });
  for (const { id, lease_token } of tasks) {
    await worker.completeTask({ task_id: id, lease_token, status: "completed", output_data: {} });
  }
  return tasks.length;
}

/** Steps on until that event has arrived. */
async function untilEvent(watch: AsyncIterable<ExecutionView>, type: string): Promise<ExecutionView[]> {
  const views: ExecutionView[] = [];
  for await (const view of watch) {
    views.push(view);
    if (view.events.some((event) => event.type === type)) break;
  }
  return views;
}
const untilCompleted = (watch: AsyncIterable<ExecutionView>) => untilEvent(watch, "execution.completed");

Deno.test("the first step is the present state", async () => {
  const { project, viewer, worker } = await sharedClients();
  const id = await start(project, graph([["a", "b"]]));
  await workOff(worker, id);
  await using watch = viewer.execution(id).watch();
  const { value } = await watch.next();
  assertEquals(value?.execution.status, "running");
  assertEquals(value?.tasks.map(({ node_id, status }) => `${node_id} ${status}`), ["a completed", "b pending"]);
  assertEquals(value?.events, []);
});

Deno.test("every event after the first step arrives once and in order, with the rows as they became", async () => {
  const { project, viewer, worker } = await sharedClients();
  const id = await start(project, graph([["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"]]));
  const watch = viewer.execution(id).watch();
  await watch.next();
  // Afterwards: where others hold the log back, the first step may be further than what is read before it.
  const before = await readLog(viewer, id);
  const watched = untilCompleted(watch);
  while (await workOff(worker, id) > 0);
  const views = await watched;
  assertFollowed(views, await readLog(viewer, id), before.length);
  const { execution, tasks } = await viewer.execution(id).read();
  assertEquals([views.at(-1)?.execution, views.at(-1)?.tasks], [execution, tasks]);
});

Deno.test("an execution has ended in the step whose events say so, and not in one before", async () => {
  const { project, viewer, worker } = await sharedClients();
  const sql = postgres(stack.databaseUrl, { max: 2, onnotice: () => {} });
  // The log stops at the oldest transaction that is still writing.
  const atStart = await sql.reserve();
  await atStart`begin`;
  await atStart`select pg_current_xact_id()`;
  const id = await start(project, graph([["a", "b"]]));
  const watch = viewer.execution(id).watch();
  const first = await watch.next();
  const told: string[] = [];
  const statuses = new Set([first.value?.execution.status]);
  await workOff(worker, id);
  await sql.begin(async (open) => {
    await open`select pg_current_xact_id()`;
    await workOff(worker, id);
    await atStart`commit`;
    // In one step, or in several: others' transactions may hold the log back for a while, too.
    while (!told.includes("task.completed")) {
      const { value } = await watch.next();
      statuses.add(value?.execution.status);
      told.push(...value?.events.map(({ type }) => type) ?? []);
    }
  });
  assertEquals([...statuses], ["running"]);
  assertEquals(told, ["execution.started", "task.running", "task.completed"]);
  atStart.release();
  await sql.end();
  assertEquals((await untilCompleted(watch)).at(-1)?.execution.status, "completed");
});

Deno.test("a watch goes on from the cursor of an earlier one, without a gap or a duplicate", async () => {
  const { project, viewer, worker } = await sharedClients();
  const id = await start(project, graph([["a", "b"], ["b", "c"]]));
  await workOff(worker, id);
  const first = await untilEvent(viewer.execution(id).watch({ after: "0-0" }), "task.completed");
  while (await workOff(worker, id) > 0);
  const rest = await untilCompleted(viewer.execution(id).watch({ after: first.at(-1)?.cursor ?? "" }));
  assertFollowed([...first, ...rest], await readLog(viewer, id), 0);
});

Deno.test("who goes on from a cursor and stops at the end has been told all that they missed", async () => {
  const { project, viewer, worker } = await sharedClients();
  const id = await start(project, graph([["a", "b"]]));
  const { events_after: after } = await viewer.execution(id).read();
  while (await workOff(worker, id) > 0);
  const views: ExecutionView[] = [];
  for await (const view of viewer.execution(id).watch({ after })) {
    views.push(view);
    if (view.execution.completed_at) break;
  }
  assertEquals(views.at(-1)?.events.at(-1)?.type, "execution.completed");
});

Deno.test("who goes on from a cursor behind which there is nothing is told how it stands", async () => {
  const { project, viewer, worker } = await sharedClients();
  const id = await start(project, graph([["a", "b"]]));
  while (await workOff(worker, id) > 0);
  // Where others hold the log back, what is read now may not be its end yet.
  const after = (await untilCompleted(viewer.execution(id).watch({ after: "0-0" }))).at(-1)?.cursor ?? "";
  const { execution } = await viewer.execution(id).read();
  await using watch = viewer.execution(id).watch({ after });
  const { value } = await watch.next();
  assertEquals([value?.execution, value?.events, value?.cursor], [execution, [], after]);
});

Deno.test("what stood behind an open transaction is told, however many messages members send meanwhile", async () => {
  const { project, owner, viewer, worker } = await sharedClients();
  const sql = postgres(stack.databaseUrl, { max: 1, onnotice: () => {} });
  const id = await start(project, graph([["a", "b"]]));
  await using watch = viewer.execution(id).watch();
  await watch.next();
  const joined = Promise.withResolvers<void>();
  const page = listen(owner.supabase, `execution:${id}`, { joined: (isJoined) => isJoined && joined.resolve() });
  await joined.promise;
  let hasStepped = false;
  const step = watch.next().then(({ done }) => hasStepped = !done);
  const open = await sql.reserve();
  await open`begin`;
  await open`select pg_current_xact_id()`;
  await workOff(worker, id);
  for (let sent = 0; sent < 1500 && !hasStepped; sent++) {
    page.send("cursor", { line: sent });
    if (sent === 50) await open`commit`;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  page.close();
  await watch.return();
  await step;
  open.release();
  await sql.end();
  assert(hasStepped, "It was not told");
});

Deno.test("finished() waits for the end and answers the last state", async () => {
  const { project, owner, worker } = await sharedClients();
  const id = await start(project, graph([["a", "b"]]));
  const finished = owner.execution(id).finished();
  while (await workOff(worker, id) > 0);
  assertEquals((await finished)?.execution.status, "completed");
});

Deno.test("return() ends a watch that is waiting for its next step", async () => {
  const { project, owner } = await sharedClients();
  const watch = owner.execution(await start(project, graph([["a", "b"]]))).watch();
  await watch.next();
  const waiting = watch.next();
  await watch.return();
  assertEquals(await waiting, { done: true, value: undefined });
});

Deno.test("the signal ends a watch quietly", async () => {
  const { project, owner } = await sharedClients();
  const stopping = new AbortController();
  let steps = 0;
  for await (const _ of owner.execution(await start(project, graph([["a", "b"]]))).watch({ signal: stopping.signal })) {
    steps++;
    stopping.abort();
  }
  assertEquals(steps, 1);
});

Deno.test("a watch of what one may not see throws execution_not_found", async () => {
  const { project, stranger } = await sharedClients();
  const id = await start(project, graph([["a", "b"]]));
  const thrown = await stranger.execution(id).watch().next().catch((error) => error);
  assert(thrown instanceof GenesisError);
  assertEquals(thrown.code, "execution_not_found");
});

Deno.test("nothing is left behind when a watch has ended: no channel, no timer that keeps a program alive", async () => {
  const { project, owner } = await sharedClients();
  const id = await start(project, graph([["a", "b"]]));
  for await (const _ of owner.execution(id).watch()) break;
  const channels = () => Promise.resolve(owner.supabase.getChannels());
  assertEquals(await eventually(channels, (left) => left.length === 0), []);
});

Deno.test("a watch that failed leaves nothing at its caller's signal", async () => {
  const { viewer } = await sharedClients();
  const { signal } = new AbortController();
  const left = new Set<unknown>();
  signal.addEventListener = (_type: string, listener: unknown) => void left.add(listener);
  signal.removeEventListener = (_type: string, listener: unknown) => void left.delete(listener);
  await viewer.execution(crypto.randomUUID()).finished({ signal }).catch(() => {});
  assertEquals(left.size, 0);
});
