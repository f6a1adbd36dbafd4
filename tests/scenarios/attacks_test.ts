// Attacks with real tokens through every public door: PostgREST, Storage, Auth and the functions. Whoever is outside a
// project, or was removed from it a moment ago, or only looks on, gets nothing that is not theirs.
import { assert, assertEquals } from "@std/assert";
import { addMember, anonymous, type Client, createProject, type Person, signUp, worker } from "../support/actors.ts";
import { graph } from "../support/factories.ts";
import { type Body, call } from "../support/http.ts";
import { stack } from "../support/stack.ts";

const BUCKET = "genesis-files";
const TABLES = [
  "projects",
  "project_collaborators",
  "project_members",
  "project_invitations",
  "workflows",
  "workflow_versions",
  "workflow_executions",
  "agent_tasks",
  "execution_events",
  "code_artifacts",
  "chat_sessions",
  "chat_messages",
  "file_storage",
] as const;

interface Victim {
  project: string;
  owner: Person;
  viewer: Person;
  editor: Person;
  stranger: Person;
  /** Was an editor until a moment ago. */
  former: Person;
  workflow: string;
  execution: string;
  session: string;
  invitation: string;
  file: { id: string; path: string };
  /** What the former collaborator kept: the lease of a task, and a file of their own. */
  lease: { id: string; lease_token: string };
  formerFile: string;
}

/** A project with everything in it, seen by everybody before one of them is removed. */
async function makeVictim(): Promise<Victim> {
  const [owner, viewer, editor, stranger, former] = await Promise.all(
    ["owner", "viewer", "editor", "stranger", "former"].map((name) => signUp(name)),
  ) as [Person, Person, Person, Person, Person];
  const project = await createProject(owner);
  await addMember(owner, project, viewer, "viewer");
  await addMember(owner, project, editor, "editor");
  await addMember(owner, project, former, "editor");
  const insert = async (client: Client, table: "workflows" | "chat_sessions" | "chat_messages", row: Body) => {
    const { data, error } = await client.from(table).insert(row).select("id").single();
    if (error) throw new Error(`${table}: ${error.message}`);
    return data.id;
  };
  const workflow = await insert(owner.client, "workflows", {
    project_id: project,
    name: "Secret plan",
    definition: graph([["a", "b"]]),
  });
  const { body: { execution } } = await call(owner, "start-workflow", { workflow_id: workflow });
  const { body: { tasks: [lease] } } = await call(former, "complete-task/claim", {
    worker_id: "former",
    agent_types: ["architect"],
    execution_id: execution.id,
    // A day: nobody else may find the task abandoned while what is attacked is to stay as it was.
    lease_seconds: 86_400,
  });
  await call(owner, "save-artifact", { project_id: project, file_path: "secret.txt", content: "secret" });
  const session = await insert(owner.client, "chat_sessions", { project_id: project, is_shared: true });
  await insert(owner.client, "chat_messages", { session_id: session, role: "user", content: "secret" });
  const form = new FormData();
  form.append("project_id", project);
  form.append("file", new File(["secret"], "secret.txt", { type: "text/plain" }));
  const { body: { file } } = await call(owner, "upload-file", form);
  const formerFile = `${project}/of-the-former.txt`;
  await former.client.storage.from(BUCKET).upload(formerFile, new Uint8Array([1]));
  const { body: { invitation } } = await call(owner, "invite-collaborator", {
    project_id: project,
    email: "guest@example.com",
    role: "viewer",
  });
  const { error } = await owner.client.from("project_collaborators").delete()
    .eq("project_id", project).eq("user_id", former.id);
  if (error) throw new Error(error.message);
  return {
    ...{
      project,
      owner,
      viewer,
      editor,
      stranger,
      former,
      workflow,
      execution: execution.id,
      session,
      lease,
      formerFile,
    },
    ...{ invitation: invitation.id, file: { id: file.id, path: file.file_path } },
  };
}

let made: Promise<Victim> | undefined;
const victim = () => made ??= makeVictim();

/** What the project looks like to its owner: an attack must leave it as it is. */
async function look({ owner, project, session }: Victim): Promise<Record<string, string[]>> {
  const seen: Record<string, string[]> = {};
  const rows = (data: unknown[] | null) => (data ?? []).map((row) => JSON.stringify(row)).toSorted();
  for (const table of TABLES) {
    const query = from(owner.client, table).select("*");
    const { data, error } = await (table === "projects"
      ? query.eq("id", project)
      : table === "chat_messages"
      ? query.eq("session_id" as never, session)
      : query.eq("project_id" as never, project));
    if (error) {
      throw new Error(`${table}: ${error.message}`);
    }
    seen[table] = rows(data);
  }
  const { data: objects } = await owner.client.storage.from(BUCKET).list(project);
  return { ...seen, objects: rows(objects) };
}

/** Registers a claim about an attack, after which everything must be as before. */
function attack(claim: string, run: (world: Victim) => Promise<void>): void {
  Deno.test(`attacks: ${claim}`, async () => {
    const world = await victim();
    const before = await look(world);
    await run(world);
    assertEquals(await look(world), before);
  });
}

/** Any table by any name: attackers do not care for types. */
const from = (client: Client, table: string) => client.from(table as "workflows");

const outsiders = ({ stranger, former }: Victim) => [stranger, former];
const isRefused = (answer: { error: unknown; data: unknown }) =>
  answer.error !== null || answer.data === null || (Array.isArray(answer.data) && answer.data.length === 0);

attack("outsiders read no row, by selecting, counting, searching or asking for one", async (world) => {
  for (const { client } of [...outsiders(world), { client: anonymous() }]) {
    for (const table of TABLES) {
      assertEquals((await from(client, table).select("*")).data ?? [], [], table);
      assertEquals((await from(client, table).select("*", { count: "exact", head: true })).count ?? 0, 0, table);
    }
    assertEquals((await client.from("projects").select("id").or(`id.eq.${world.project},name.like.*`)).data ?? [], []);
    assert((await client.from("workflows").select("id").eq("id", world.workflow).single()).error);
  }
});

attack("outsiders reach nothing by embedding, in either direction", async ({ stranger, former }) => {
  for (const { client } of [stranger, former]) {
    for (
      const [table, columns] of [
        ["profiles", "id, projects(id, name), project_collaborators!project_collaborators_user_id_fkey(project_id)"],
        ["profiles", "id, code_artifacts(content), chat_messages(content), workflows(definition)"],
        ["agents", "id, agent_tasks(id, input_data)"],
      ] as const
    ) {
      const { data } = await from(client, table).select(columns as "*");
      for (const row of (data ?? []) as Body[]) {
        for (const value of Object.values(row)) if (Array.isArray(value)) assertEquals(value, []);
      }
    }
  }
});

attack("members learn no address, preferences or role of each other, by embedding or directly", async (world) => {
  for (const { id, client } of [world.viewer, world.editor]) {
    const { data } = await client.from("profiles").select("*");
    assertEquals(data?.map((row) => row.id), [id]);
    const embedded = await client.from("projects").select(
      "id, owner:profiles!projects_owner_id_fkey(email, role)" as "*",
    );
    for (const row of (embedded.data ?? []) as Body[]) assertEquals(row.owner, null);
    const members = await client.from("project_members").select("*").eq("project_id", world.project);
    assertEquals(members.data?.length, 3);
    assert(!JSON.stringify(members.data).includes("@"));
  }
});

attack(
  "outsiders and viewers write no row: not one, not many at once, not by upsert, not with RETURNING",
  async (world) => {
    const { project, workflow, session, execution, viewer } = world;
    for (const person of [...outsiders(world), viewer]) {
      const { id, client } = person;
      const inserts: [string, Body][] = [
        ["projects", { name: "x", owner_id: world.owner.id }],
        ["projects", { id: project, name: "x", owner_id: id }],
        ["project_collaborators", { project_id: project, user_id: id, role: "owner" }],
        ["project_invitations", { project_id: project, email: person.email, role: "owner" }],
        ["workflows", { project_id: project, name: "x", definition: {} }],
        ["agents", { project_id: project, name: "x", type: "tester" }],
        ["agent_types", { name: "mine" }],
        ["code_artifacts", { project_id: project, name: "x", file_path: "x", content: "x" }],
        ["file_storage", { project_id: project, file_path: `${project}/x`, file_name: "x" }],
        ["agent_tasks", { workflow_execution_id: execution, project_id: project, agent_type: "tester" }],
        ["chat_messages", { session_id: session, role: "assistant", content: "x" }],
        ["chat_messages", { session_id: session, role: "user", content: "x", user_id: world.owner.id }],
        ["chat_sessions", { project_id: project, user_id: world.owner.id }],
        ["profiles", { id, email: person.email, role: "admin" }],
      ];
      for (const [table, row] of inserts) {
        const target = from(client, table);
        for (
          const answer of [await target.insert(row), await target.insert(row).select(), await target.upsert([row, row])]
        ) {
          assert(answer.error, `${person.email} could insert into ${table}: ${JSON.stringify(row)}`);
        }
      }
      const updates: [string, Body][] = [
        ["projects", { name: "x" }],
        ["projects", { owner_id: id }],
        ["project_collaborators", { role: "owner" }],
        ["project_collaborators", { user_id: id }],
        ["workflows", { name: "x" }],
        ["workflows", { project_id: crypto.randomUUID() }],
        ["agents", { name: "x" }],
        ["agent_tasks", { status: "completed" }],
        ["workflow_executions", { status: "completed" }],
        ["code_artifacts", { content: "x" }],
        ["chat_sessions", { title: "x" }],
        ["chat_messages", { content: "x" }],
        ["file_storage", { public_url: "https://example.com" }],
        ["project_invitations", { status: "accepted" }],
      ];
      for (const [table, row] of updates) {
        const answer = await from(client, table).update(row).neq("id", crypto.randomUUID()).select();
        assert(isRefused(answer), `${person.email} could update ${table}: ${JSON.stringify(answer.data)}`);
      }
      for (const table of TABLES.filter((name) => name !== "project_collaborators" || person !== viewer)) {
        const answer = await from(client, table).delete().not("id", "is", null).select();
        assert(isRefused(answer), `${person.email} could delete from ${table}: ${JSON.stringify(answer.data)}`);
      }
      assert(isRefused(await client.from("projects").delete().eq("id", project).select()));
      assert(isRefused(await client.from("workflows").delete().eq("id", workflow).select()));
    }
  },
);

attack(
  "nobody becomes an admin: not by sign-up, profile, bulk update, upsert, Auth's metadata or the door",
  async (world) => {
    const client = anonymous();
    const admin = { role: "admin", user_role: "admin", app_metadata: { role: "admin" } };
    const { data } = await client.auth.signUp({
      email: `climber-${crypto.randomUUID()}@example.com`,
      password: "correct-horse-battery-staple-1",
      options: { data: admin },
    });
    const id = data.user?.id ?? "";
    await client.auth.updateUser({ data: admin });
    await client.auth.refreshSession();
    const profiles = client.from("profiles");
    await profiles.update({ role: "admin" }).eq("id", id);
    await profiles.update({ full_name: "x", role: "admin" }).neq("id", crypto.randomUUID());
    await profiles.upsert({ id, email: "x@example.com", role: "admin" });
    await profiles.upsert([{ id, email: "x@example.com", role: "admin" }], { onConflict: "id" });
    await profiles.insert({ id, email: "x@example.com", role: "admin" });
    assertEquals((await client.rpc("set_user_role", { user_id: id, role: "admin" })).status, 403);
    assertEquals((await profiles.select("id, role")).data, [{ id, role: "user" }]);
    assertEquals((await client.from("projects").select("id").eq("id", world.project)).data, []);
  },
);

attack("the schemas behind the API are not to be had", async ({ stranger, former }) => {
  for (const { client } of [stranger, former, { client: anonymous() }]) {
    for (
      const [schema, table] of [["private", "invitation_tokens"], ["auth", "users"], ["storage", "objects"]] as const
    ) {
      const answer = await client.schema(schema as "public").from(table as "projects").select("*");
      assert(answer.error, `${schema}.${table} can be read`);
      assert(
        await client.schema(schema as "public").rpc("set_user_role", { user_id: "", role: "" }).then((a) => a.error),
      );
    }
    assert((await client.rpc("custom_access_token_hook" as "claim_tasks", {} as never)).error);
    assert((await client.from("pg_user" as "projects").select("*")).error);
  }
});

attack("every operation is closed to whoever was removed, with the lease they hold too", async (world) => {
  const { former, project, workflow, execution, lease, invitation, file } = world;
  const requests: [string, Body, string, string?][] = [
    ["start-workflow", { workflow_id: workflow }, "workflow_not_found"],
    ["complete-task/claim", { worker_id: "w", agent_types: ["architect"], project_id: project }, "project_not_found"],
    ["complete-task/claim", { worker_id: "w", agent_types: ["a"], execution_id: execution }, "execution_not_found"],
    ["complete-task/heartbeat", { task_id: lease.id, lease_token: lease.lease_token }, "task_not_found"],
    ["complete-task", { task_id: lease.id, lease_token: lease.lease_token, status: "completed" }, "task_not_found"],
    ["complete-task", { task_id: lease.id, lease_token: lease.lease_token, status: "failed" }, "task_not_found"],
    ["save-artifact", { project_id: project, file_path: "secret.txt", content: "x" }, "project_not_found"],
    ["invite-collaborator", { project_id: project, email: former.email, role: "owner" }, "project_not_found"],
    ["invite-collaborator/resend", { invitation_id: invitation }, "invitation_not_found"],
    [`invite-collaborator/${invitation}`, undefined, "invitation_not_found", "DELETE"],
    [`invite-collaborator?project_id=${project}`, undefined, "project_not_found", "GET"],
  ];
  for (const [path, body, code, method = "POST"] of requests) {
    const reply = await call(former, path, body, { method });
    assertEquals([path, reply.body?.error?.code], [path, code]);
  }
  const form = new FormData();
  form.append("project_id", project);
  form.append("file", new File(["x"], "x.txt"));
  assertEquals((await call(former, "upload-file", form)).body.error.code, "project_not_found");
  const everywhere = await call(former, "complete-task/claim", { worker_id: "w", agent_types: ["architect"] });
  assertEquals(everywhere.body, { tasks: [] });
  const doors: [string, Body][] = [
    ["register_upload", { project_id: project, file_name: "x" }],
    ["finish_upload", { file_id: file.id, file_size: 1, sha256: "0".repeat(64) }],
    ["transfer_project", { project_id: project, user_id: former.id }],
  ];
  for (const [door, args] of doors) assert((await former.client.rpc(door as "claim_tasks", args)).error, door);
});

attack(
  "outsiders get no file: not by path, list, info, link, copy, move, upsert or removal, nor their own from before",
  async (world) => {
    const { project, file, formerFile } = world;
    for (const person of outsiders(world)) {
      const bucket = person.client.storage.from(BUCKET);
      for (const path of [file.path, formerFile]) {
        assert((await bucket.download(path)).error, "download");
        assert((await bucket.info(path)).error, "info");
        assert((await bucket.createSignedUrl(path, 60)).error, "createSignedUrl");
        assert(
          (await bucket.createSignedUrls([path], 60)).data?.every(({ signedUrl }) => !signedUrl),
          "createSignedUrls",
        );
        assert((await bucket.copy(path, `${person.id}/x`)).error, "copy");
        assert((await bucket.move(path, `${person.id}/x`)).error, "move");
        assert((await bucket.upload(path, new Uint8Array([2]), { upsert: true })).error, "upsert");
        assert((await bucket.update(path, new Uint8Array([2]))).error, "update");
        assertEquals((await bucket.remove([path])).data ?? [], [], "remove");
      }
      for (
        const path of [
          `${project}/new`,
          `${project}/../${project}/new`,
          `${project.toUpperCase()}/new`,
          `/${project}/new`,
          `${person.id}/../${project}/new`,
          "new",
          ".",
        ]
      ) assert((await bucket.upload(path, new Uint8Array([2]))).error, `upload to ${path}`);
      assert((await bucket.createSignedUploadUrl(`${project}/new`)).error, "createSignedUploadUrl");
      for (const prefix of ["", project, `${project}/`]) assertEquals((await bucket.list(prefix)).data ?? [], []);
      assertEquals((await person.client.storage.listBuckets()).data, []);
      assert((await person.client.storage.createBucket("mine", { public: true })).error);
      assert((await person.client.storage.updateBucket(BUCKET, { public: true })).error);
      assert((await person.client.storage.emptyBucket(BUCKET)).error);
    }
  },
);

attack("a viewer reads files and changes none", async ({ viewer, file, project, formerFile }) => {
  const bucket = viewer.client.storage.from(BUCKET);
  assertEquals((await bucket.download(file.path)).error, null);
  for (const path of [file.path, formerFile, `${project}/new`]) {
    assert((await bucket.upload(path, new Uint8Array([2]), { upsert: true })).error);
    assert((await bucket.move(file.path, path)).error);
    assert((await bucket.copy(file.path, `${path}-copy`)).error);
    assertEquals((await bucket.remove([path])).data ?? [], []);
  }
});

attack(
  "an editor replaces and moves nobody else's file, and none out of the project",
  async ({ editor, stranger, file, project, formerFile }) => {
    const bucket = editor.client.storage.from(BUCKET);
    for (const path of [file.path, formerFile]) {
      assert((await bucket.upload(path, new Uint8Array([2]), { upsert: true })).error, "upsert");
      assert((await bucket.move(path, `${project}/moved`)).error, "move");
      assertEquals((await bucket.remove([path])).data ?? [], [], "remove");
    }
    const own = await createProject(stranger);
    assert((await bucket.copy(file.path, `${own}/stolen`)).error, "copy into another project");
  },
);

attack("the path of a removed project cannot be taken over by a new one of the same id", async ({ stranger }) => {
  const owner = await signUp("owner");
  const project = await createProject(owner);
  await owner.client.storage.from(BUCKET).upload(`${project}/left.txt`, new Uint8Array([1]));
  await owner.client.from("projects").delete().eq("id", project);
  const { error } = await stranger.client.from("projects").insert({
    id: project,
    name: "Mine now",
    owner_id: stranger.id,
  });
  assertEquals(error?.code, "42501");
  assert((await stranger.client.storage.from(BUCKET).download(`${project}/left.txt`)).error);
});

attack(
  "an editor cannot raise themselves, and an owner makes nobody a member unasked",
  async ({ editor, owner, stranger, project }) => {
    const collaborators = editor.client.from("project_collaborators");
    assert(isRefused(await collaborators.update({ role: "owner" }).eq("user_id", editor.id).select()));
    assert(
      (await owner.client.from("project_collaborators")
        .insert({ project_id: project, user_id: stranger.id, role: "viewer" })).error,
    );
    assertEquals(
      (await editor.client.rpc("transfer_project", { project_id: project, user_id: editor.id })).status,
      403,
    );
  },
);

attack(
  "the same answer comes for an address with and without an account, and for a member",
  async ({ owner, viewer, stranger }) => {
    const project = await createProject(owner);
    await addMember(owner, project, viewer, "viewer");
    const shapes = [];
    for (const email of [stranger.email, viewer.email, `nobody-${crypto.randomUUID()}@example.com`]) {
      const { status, body } = await call(owner, "invite-collaborator", { project_id: project, email, role: "viewer" });
      shapes.push([status, Object.keys(body), Object.keys(body.invitation), body.invitation.status]);
    }
    assertEquals(shapes[1], shapes[0]);
    assertEquals(shapes[2], shapes[0]);
  },
);

attack(
  "the secret key's rights are not to be had with a publishable key and a worker's claims",
  async ({ project }) => {
    for (const header of ["role", "x-supabase-role"]) {
      const response = await fetch(`${stack.url}/rest/v1/projects?id=eq.${project}`, {
        headers: { apikey: stack.publishableKey, [header]: "service_role" },
      });
      assertEquals(response.ok ? await response.json() : [], []);
      await response.body?.cancel().catch(() => {});
    }
    assertEquals((await worker().from("projects").select("id").eq("id", project)).data?.length, 1);
  },
);
