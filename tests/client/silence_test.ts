// Watches over a connection that is there and carries nothing.
import { createClient } from "@supabase/supabase-js";
import { assert, assertEquals } from "@std/assert";
import { createGenesis, type Database, type Genesis, type Watch } from "../../shared/client/mod.ts";
import { createWorkflow } from "../functions/project.ts";
import { stack } from "../support/stack.ts";
import { sharedClients } from "./team.ts";

/** The viewer, whose requests to the Data API go that way. */
async function viewerOver(way: typeof fetch): Promise<Genesis> {
  const { project } = await sharedClients();
  return createGenesis(createClient<Database>(stack.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(project.viewer.token),
    global: { fetch: way },
  }));
}

Deno.test("a watch ends when it is told to, although one of its requests is never answered", async () => {
  const { project } = await sharedClients();
  const asked = Promise.withResolvers<void>();
  const viewer = await viewerOver((input, init) => {
    if (!String(input).includes("/file_storage?")) return fetch(input, init);
    asked.resolve();
    return new Promise(() => {});
  });
  const watch = viewer.project(project.id).watch();
  const step = watch.next();
  await asked.promise;
  await watch.return();
  assertEquals(await step, { done: true, value: undefined });
});

const WATCHES: Record<string, (viewer: Genesis) => Promise<Watch<unknown>>> = {
  async project(viewer) {
    return viewer.project((await sharedClients()).project.id).watch();
  },
  async chat(viewer) {
    const { project, owner } = await sharedClients();
    return viewer.chat((await owner.project(project.id).openChat({ shared: true })).id).watch();
  },
  async execution(viewer) {
    const { project, owner } = await sharedClients();
    const { execution } = await owner.startWorkflow({ workflow_id: await createWorkflow(project) });
    return viewer.execution(execution.id).watch();
  },
};

for (const [name, begin] of Object.entries(WATCHES)) {
  Deno.test(`every request of a watch of one ${name} can be given up`, async () => {
    const requests: { table: string; hasSignal: boolean }[] = [];
    const viewer = await viewerOver((input, init) => {
      requests.push({ table: new URL(String(input)).pathname, hasSignal: init?.signal instanceof AbortSignal });
      return fetch(input, init);
    });
    await using watch = await begin(viewer);
    await watch.next();
    assert(requests.length > 0, "It asked nothing");
    assertEquals(requests.filter(({ hasSignal }) => !hasSignal), []);
  });
}
