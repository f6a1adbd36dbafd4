// Whatever refuses, the client throws one class of error with a code of the closed list.
import { createClient } from "@supabase/supabase-js";
import { assert, assertEquals } from "@std/assert";
import { createGenesis, type Database, GenesisError } from "../../shared/client/mod.ts";
import { anonymous } from "../support/actors.ts";
import { stack } from "../support/stack.ts";
import { sharedClients } from "./team.ts";

async function thrownBy(run: () => Promise<unknown>): Promise<GenesisError> {
  try {
    await run();
  } catch (error) {
    assert(error instanceof GenesisError, `Expected a GenesisError: got ${error}`);
    return error;
  }
  throw new Error("Expected a GenesisError, but nothing was thrown");
}

Deno.test("a refusal of a function has its code, status, details and request id", async () => {
  const { project, editor } = await sharedClients();
  const path = { project_id: project.id, file_path: "conflict.txt" };
  await editor.saveArtifact({ ...path, content: "one" });
  await editor.saveArtifact({ ...path, content: "two" });
  const error = await thrownBy(() => editor.saveArtifact({ ...path, content: "three", base_version: 1 }));
  assertEquals([error.code, error.status, error.isTransient], ["artifact_conflict", 409, false]);
  assertEquals(Object.keys(error.details).length > 0, true);
  assert(error.request_id);
});

Deno.test("wrong fields are named in the details of validation_failed", async () => {
  const { owner } = await sharedClients();
  const error = await thrownBy(() => owner.startWorkflow({ workflow_id: "no uuid" }));
  assertEquals([error.code, error.status], ["validation_failed", 422]);
  assert(JSON.stringify(error.details).includes("workflow_id"));
});

Deno.test("a refusal of the Data API has a code of the list too", async () => {
  const { project, viewer } = await sharedClients();
  const error = await thrownBy(() => viewer.project(project.id).update({ name: "Mine" }));
  assertEquals([error.code, error.status, error.request_id], ["forbidden", 403, null]);
});

Deno.test("what a stranger asks for does not exist for them", async () => {
  const { project, stranger } = await sharedClients();
  assertEquals((await thrownBy(() => stranger.project(project.id).update({ name: "Mine" }))).code, "project_not_found");
  const thrown = await thrownBy(() => stranger.project(project.id).watch().next());
  assertEquals(thrown.code, "project_not_found");
});

Deno.test("without an account an operation is unauthorized", async () => {
  const { project } = await sharedClients();
  const nobody = createGenesis(anonymous());
  const error = await thrownBy(() => nobody.saveArtifact({ project_id: project.id, file_path: "a.txt", content: "" }));
  assertEquals([error.code, error.status], ["unauthorized", 401]);
});

Deno.test("without an account a watch, and what is written to the tables, is unauthorized, too", async () => {
  const { project } = await sharedClients();
  const nobody = createGenesis(anonymous());
  const errors = [
    await thrownBy(() => nobody.project(project.id).watch().next()),
    await thrownBy(() => nobody.execution(crypto.randomUUID()).read()),
    await thrownBy(() => nobody.chat(crypto.randomUUID()).send({ content: "Hello" })),
  ];
  assertEquals(errors.map(({ code }) => code), Array(3).fill("unauthorized"));
});

Deno.test("a backend that cannot be reached is unavailable, for functions, data and files", async () => {
  const options = { auth: { persistSession: false, autoRefreshToken: false } };
  const lost = createGenesis(createClient<Database>("http://127.0.0.1:9", stack.publishableKey, options));
  const id = crypto.randomUUID();
  const errors = [
    await thrownBy(() => lost.startWorkflow({ workflow_id: id })),
    await thrownBy(() => lost.project(id).update({ name: "A" })),
    await thrownBy(() => lost.project(id).files.download({ file_path: `${id}/a` })),
  ];
  assertEquals(errors.map(({ code, isTransient }) => [code, isTransient]), Array(3).fill(["unavailable", true]));
});

Deno.test("a request may wait for its answer without end", async () => {
  const { project, owner } = await sharedClients();
  const { invitations } = await owner.listInvitations({ project_id: project.id }, { timeoutMs: Infinity });
  assertEquals(invitations, []);
});

Deno.test("a request that the caller gives up throws the signal's reason", async () => {
  const { owner, project } = await sharedClients();
  const reason = new Error("I changed my mind");
  const giveUp = () => {
    const giving = new AbortController();
    setTimeout(() => giving.abort(reason), 1);
    return { signal: giving.signal };
  };
  const requests = [
    owner.startWorkflow({ workflow_id: crypto.randomUUID() }, { signal: AbortSignal.abort(reason) }),
    owner.execution(crypto.randomUUID()).read({ signal: AbortSignal.abort(reason) }),
    owner.execution(crypto.randomUUID()).read(giveUp()),
    owner.project(project.id).read(giveUp()),
    owner.chat(crypto.randomUUID()).read(giveUp()),
  ];
  const thrown = await Promise.all(requests.map((request) => request.then(() => null, (error: unknown) => error)));
  assertEquals(thrown, Array(requests.length).fill(reason));
});

Deno.test("what can never be right is refused at once, also where a watch waits out what may pass", async () => {
  const { owner } = await sharedClients();
  const refused = await Promise.all([
    thrownBy(() => owner.execution("no uuid").read()),
    thrownBy(() => owner.execution("no uuid").watch().next()),
    thrownBy(() => owner.execution("no uuid").finished()),
    thrownBy(() => owner.project("no uuid").watch().next()),
    thrownBy(() => owner.chat("no uuid").watch().next()),
    thrownBy(() => owner.chat("no uuid").send({ content: "hello" })),
  ]);
  assertEquals(
    refused.map(({ code, isTransient }) => [code, isTransient]),
    Array(6).fill(["validation_failed", false]),
  );
});

Deno.test("an input that is no JSON is validation_failed, and no fault of the network", async () => {
  const { owner } = await sharedClients();
  const input = { amount: 10n } as never;
  const error = await thrownBy(() => owner.startWorkflow({ workflow_id: crypto.randomUUID(), input }));
  assertEquals([error.code, error.isTransient], ["validation_failed", false]);
});
