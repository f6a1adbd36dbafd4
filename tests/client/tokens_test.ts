// Clients whose session cannot be renewed for a while: what is refused meanwhile says nothing about the person.
import { AuthRetryableFetchError, createClient } from "@supabase/supabase-js";
import { assert, assertEquals } from "@std/assert";
import { createGenesis, type Database, GenesisError } from "../../shared/client/mod.ts";
import { asThePerson } from "../../shared/client/person.ts";
import { createWorkflow } from "../functions/project.ts";
import { graph } from "../support/factories.ts";
import { stack } from "../support/stack.ts";
import { sharedClients } from "./team.ts";

type Auth = { leave(): void; comeBack(): Promise<void> };

/**
 * The editor with a session of their own, and Auth, which can be away: supabase-js then asks as nobody, as it does for a
 * minute once Auth could not be reached. `refused` is told of each refusal by its path, before the client is.
 */
async function editorWithSession(refused: (path: string, auth: Auth) => Promise<void> | void = () => {}) {
  const { project } = await sharedClients();
  const supabase = createClient<Database>(stack.url, stack.publishableKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    global: {
      async fetch(input, init) {
        const response = await fetch(input, init);
        if (response.status === 401) await refused(new URL(String(input)).pathname, auth);
        return response;
      },
    },
  });
  const password = "correct-horse-battery-staple";
  const { error } = await supabase.auth.signInWithPassword({ email: project.editor.email, password });
  assertEquals(error, null);
  const getSession = supabase.auth.getSession.bind(supabase.auth);
  let isAway = false;
  supabase.auth.getSession = () => {
    const error = new AuthRetryableFetchError("Auth cannot be reached", 0);
    return isAway ? Promise.resolve({ data: { session: null }, error }) : getSession();
  };
  const auth: Auth = {
    leave() {
      isAway = true;
    },
    async comeBack() {
      isAway = false;
      // Tokens of one second are alike.
      await new Promise((resolve) => setTimeout(resolve, 1100));
      assertEquals((await supabase.auth.refreshSession()).error, null);
    },
  };
  return { supabase, editor: createGenesis(supabase), auth };
}

Deno.test("a worker whose token cannot be renewed waits for it, and keeps what it holds", async () => {
  const { project, owner } = await sharedClients();
  const workflow_id = await createWorkflow(project, graph([["a", "b"]]));
  const { execution } = await owner.startWorkflow({ workflow_id });
  const refusals: string[] = [];
  const heartbeat = Promise.withResolvers<void>();
  const { editor, auth } = await editorWithSession(async (path, auth) => {
    refusals.push(path);
    if (path.endsWith("/heartbeat")) heartbeat.resolve();
    else await auth.comeBack();
  });
  auth.leave();
  const stopping = new AbortController();
  const attempts: number[] = [];
  const working = editor.runWorker({
    agentTypes: ["architect"],
    executionId: execution.id,
    leaseSeconds: 15,
    signal: stopping.signal,
    async handle({ node_id, attempt }, { signal }) {
      attempts.push(attempt);
      if (node_id !== "a") return;
      auth.leave();
      await heartbeat.promise;
      signal.throwIfAborted();
    },
  });
  const last = await owner.execution(execution.id).finished();
  stopping.abort();
  await working;
  const refused = (end: string) => refusals.some((path) => path.endsWith(end));
  assert(refused("/claim") && refused("/heartbeat") && refused("/complete-task"), refusals.join());
  assertEquals([last?.execution.status, attempts], ["completed", [1, 1]]);
});

Deno.test("a message that is refused while the token cannot be renewed is sent again", async () => {
  const { project, owner } = await sharedClients();
  const session = await owner.project(project.id).openChat({ shared: true });
  const { editor, auth } = await editorWithSession((_path, auth) => auth.comeBack());
  auth.leave();
  assertEquals((await editor.chat(session.id).send({ content: "Hello" })).content, "Hello");
});

Deno.test("a refusal may pass where the session was renewed since the request, and not where it is the same", async () => {
  const { supabase, auth } = await editorWithSession();
  const refusal = new GenesisError("unauthorized", "Who is this?");
  await supabase.realtime.setAuth();
  const mayPass = asThePerson(supabase);
  assertEquals(await mayPass(refusal), false);
  await auth.comeBack();
  assertEquals([await mayPass(refusal), await asThePerson(supabase)(refusal)], [true, false]);
});

Deno.test("what is asked while the token cannot be renewed is unavailable, and not refused", async () => {
  const { project, owner } = await sharedClients();
  const { execution } = await owner.startWorkflow({ workflow_id: await createWorkflow(project) });
  const { editor, auth } = await editorWithSession();
  const { id, files, ...here } = editor.project(project.id);
  auth.leave();
  const asked = [
    editor.execution(execution.id).read(),
    here.read(),
    here.readArtifact("a.txt"),
    files.list(),
    here.openChat(),
    here.update({ name: "Mine" }),
    editor.chat(id).read(),
    editor.chat(id).update({ title: "Mine" }),
    editor.startWorkflow({ workflow_id: execution.workflow_id }),
  ];
  const codes = (await Promise.allSettled(asked)).map((result) => result.status === "rejected" && result.reason.code);
  assertEquals(codes, asked.map(() => "unavailable"));
});
