// access: what a refusal must not tell, and what a chosen id must not reach.
import { assertEquals } from "@std/assert";
import { type Actor, refused, shareDatabase } from "../../support/database.ts";
import { createFile, createProject, storeObject } from "../../support/factories.ts";
import { createWorld } from "./world.ts";

const db = await shareDatabase();
const world = await createWorld(db);

const inserts: [string, string, string][] = [
  ["a project", "project", "projects (id, name, owner_id) values ('{id}', 'Mine', '{me}')"],
  ["a workflow", "workflow", "workflows (id, project_id, name, definition) values ('{id}', '{own}', 'Mine', '{}')"],
  ["a chat session", "sharedSession", "chat_sessions (id, project_id) values ('{id}', '{own}')"],
  ["a message", "sharedMessage", "chat_messages (id, session_id, role, content) values ('{id}', '{id}', 'user', 'x')"],
];
for (const [what, row, text] of inserts) {
  Deno.test(`nobody chooses the id of ${what}: one that is taken, one that was deleted, and a free one are refused alike`, async () => {
    const own = await createProject(db);
    const ids = [row === "project" ? world.project : world.rows[row] ?? "", crypto.randomUUID()];
    const refusals = await Promise.all(ids.map((id) => {
      const names: Record<string, string> = { id, own: own.id, me: own.owner.id };
      const statement = text.replaceAll(/\{(\w+)\}/g, (_, name: string) => names[name] ?? "");
      return refused(db.as(own.owner.actor, (tx) => tx.unsafe(`insert into public.${statement}`)));
    }));
    assertEquals(refusals.map(({ sqlstate }) => sqlstate), ["42501", "42501"]);
    assertEquals(refusals[0], refusals[1]);
  });
}

Deno.test("a stranger who tries to add an agent does not learn which types a project has", async () => {
  const project = await createProject(db);
  await db.sql`insert into public.agent_types (project_id, name) values (${project.id}, 'secret-project')`;
  const tries = ["secret-project", "no-such-type", "tester"].map((type) =>
    refused(db.as(
      project.stranger.actor,
      (tx) => tx`insert into public.agents (project_id, name, type) values (${project.id}, 'x', ${type})`,
    ))
  );
  const [known, unknown, global] = await Promise.all(tries);
  assertEquals(known?.sqlstate, "42501");
  assertEquals([known, unknown], [global, global]);
});

Deno.test("a row of another project cannot be told from none by any foreign key", async () => {
  const own = await createProject(db);
  const texts = [
    "workflows (project_id, name, definition) values ('{id}', 'x', '{}')",
    "chat_sessions (project_id) values ('{id}')",
    "agents (project_id, name, type) values ('{id}', 'x', 'tester')",
    "agent_types (project_id, name) values ('{id}', 'x')",
  ];
  for (const text of [...texts, "chat_messages (session_id, role, content) values ('{session}', 'user', 'x')"]) {
    const refusals = await Promise.all(
      [
        { id: world.project, session: world.rows.sharedSession },
        { id: crypto.randomUUID(), session: crypto.randomUUID() },
      ].map(({ id, session }) => {
        const statement = text.replace("{id}", id).replace("{session}", session ?? "");
        return refused(db.as(own.owner.actor, (tx) => tx.unsafe(`insert into public.${statement}`)));
      }),
    );
    assertEquals(refusals[0]?.sqlstate, "42501", text);
    assertEquals(refusals[0], refusals[1], text);
  }
});

Deno.test("the function behind the policy of objects tells a stranger of nobody's pending uploads", async () => {
  const paths = (actor: Actor) =>
    db.as(actor, (tx) => tx<{ path: string }[]>`select u.path from private.objects_under_way() as u (path)`);
  const { owner, stranger } = await createProject(db);
  const [file] = await db.sql`select file_path from public.file_storage where id = ${world.rows.pendingFile ?? ""}`;
  const told = (await paths(world.actors.viewer)).map(({ path }) => path);
  assertEquals(told.includes(file?.file_path), true);
  for (const person of [owner, stranger]) assertEquals([...await paths(person.actor)], []);
});

/** A place in a project's folder for each thing that may stand there, a file, an upload under way, and nothing. */
async function places() {
  const project = await createProject(db);
  const ready = (await createFile(db, project)).file_path;
  const upload = { project_id: project.id, file_name: "a.txt", mime_type: "text/plain" };
  const pending = (await db.rpc(project.editor.actor, "register_upload", upload)).file.file_path as string;
  return { project, names: [ready, pending, `${project.id}/${crypto.randomUUID()}`] };
}

const outsiders = { "a stranger": "stranger", "a viewer": "viewer", "someone without an account": "anon" } as const;
for (const [who, name] of Object.entries(outsiders)) {
  Deno.test(`${who} who puts an object there does not learn what stands in a project under that name`, async () => {
    const { project, names } = await places();
    const person = name === "anon" ? undefined : project[name];
    const refusals = await Promise.all(names.map((path) =>
      refused(db.as(
        person?.actor ?? "anon",
        (tx) =>
          tx`insert into storage.objects (bucket_id, name, owner_id, version)
             values ('genesis-files', ${path}, ${person?.id ?? null}, '1')`,
      ))
    ));
    assertEquals(refusals[0]?.sqlstate, "42501");
    assertEquals(refusals, refusals.map(() => refusals[0]));
  });
}

Deno.test("nor does a stranger who moves an object of their own there", async () => {
  const { names } = await places();
  const own = await createProject(db);
  const refusals = await Promise.all(names.map(async (path, index) => {
    const from = `${own.id}/own-${index}.txt`;
    await storeObject(db, from, 1, own.owner);
    return await refused(
      db.as(own.owner.actor, (tx) => tx`update storage.objects set name = ${path} where name = ${from}`),
    );
  }));
  assertEquals(refusals[0]?.sqlstate, "42501");
  assertEquals(refusals, refusals.map(() => refusals[0]));
});
