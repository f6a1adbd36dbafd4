// Watchers whose connections are cut again and again, while several workers go through a graph: every event arrives, once
// and in order.
import { createClient } from "@supabase/supabase-js";
import { assert, assertEquals } from "@std/assert";
import { createGenesis, type Database, type ExecutionView } from "../../shared/client/mod.ts";
import { createWorkflow } from "../functions/project.ts";
import { stack } from "../support/stack.ts";
import { startCuttingProxy } from "./cutting_proxy.ts";
import { assertFollowed, readLog } from "./log.ts";
import { sharedClients } from "./team.ts";

const [WATCHERS, WIDTH] = [4, 40];

/** One task, then many side by side, then one. */
function fan() {
  const ids = Array.from({ length: WIDTH }, (_, index) => `n${index}`);
  return {
    nodes: ["first", ...ids, "last"].map((id) => ({ id, type: "agent", agent_type: "architect" })),
    edges: ids.flatMap((id) => [{ source: "first", target: id }, { source: id, target: "last" }]),
  };
}

Deno.test("watchers whose connections are cut see every event once and in order", async () => {
  const { project, owner, worker } = await sharedClients();
  const { execution } = await owner.startWorkflow({ workflow_id: await createWorkflow(project, fan()) });
  using proxy = startCuttingProxy(stack.url);

  const ready: Promise<void>[] = [];
  const watched = Array.from({ length: WATCHERS }, async () => {
    const supabase = createClient<Database>(proxy.url, stack.publishableKey, {
      accessToken: () => Promise.resolve(project.viewer.token),
    });
    const begun = Promise.withResolvers<void>();
    ready.push(begun.promise);
    const views: ExecutionView[] = [];
    for await (const view of createGenesis(supabase).execution(execution.id).watch()) {
      views.push(view);
      begun.resolve();
      if (view.events.some(({ type }) => type === "execution.completed")) break;
    }
    return views;
  });
  await Promise.all(ready);
  // Afterwards: where others hold the log back, a first step may be further than what is read before it.
  const before = await readLog(owner, execution.id);

  const stopping = new AbortController();
  let cuts = 0;
  const options = { agentTypes: ["architect"], executionId: execution.id, concurrency: 4, signal: stopping.signal };
  const working = [1, 2].map(() =>
    worker.runWorker({
      ...options,
      handle() {
        if (Math.random() < 0.3) cuts += proxy.cut();
      },
    })
  );
  const views = await Promise.all(watched);
  stopping.abort();
  await Promise.all(working);

  const log = await readLog(owner, execution.id);
  assert(cuts > 0, "Nothing was cut");
  for (const seen of views) {
    assertFollowed(seen, log, before.length);
    assertEquals(new Set(seen.at(-1)?.tasks.map(({ status }) => status)), new Set(["completed"]));
  }
});
