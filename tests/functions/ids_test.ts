// Ids as PostgreSQL takes them: an account or a project that was imported, or seeded by hand, may have one that no version
// of UUID would make, and everything is done, and answered, as with any other.
import { assertEquals } from "@std/assert";
import { anonymous, type Person, worker } from "../support/actors.ts";
import { type Body, call } from "../support/http.ts";
import { createWorkflow, type Project } from "./project.ts";
import { textUpload } from "./uploads.ts";

/** Like `11111111-1111-…`, and this test's own. */
const ofNoVersion = () => crypto.randomUUID().replace(/-4(...)-./, "-0$1-0");

async function person(): Promise<Person> {
  const [id, password] = [ofNoVersion(), "correct-horse-battery-staple"];
  const email = `${id}@example.com`;
  const made = await worker().auth.admin.createUser({ id, email, password, email_confirm: true });
  assertEquals([made.error, made.data.user?.id], [null, id]);
  const client = anonymous();
  const { data } = await client.auth.signInWithPassword({ email, password });
  return { id, email, token: data.session?.access_token ?? "", client };
}

let made: Promise<Project> | undefined;
const project = () =>
  made ??= (async () => {
    const [owner, id] = [await person(), ofNoVersion()];
    const { error } = await worker().from("projects").insert({ id, name: "Imported", owner_id: owner.id });
    assertEquals(error, null);
    return { id, owner, editor: owner, viewer: owner, stranger: owner };
  })();

const WORK: [string, (project: Project) => Promise<[path: string, body: Body]>][] = [
  [
    "saves an artifact",
    ({ id }) => Promise.resolve(["save-artifact", { project_id: id, file_path: "a", content: "b" }]),
  ],
  ["uploads a file", ({ id }) => Promise.resolve(["upload-file", textUpload(id)])],
  [
    "invites somebody",
    ({ id }) =>
      Promise.resolve(["invite-collaborator", { project_id: id, email: "guest@example.com", role: "viewer" }]),
  ],
  ["starts a workflow", async (project) => {
    const workflow_id = await createWorkflow(project);
    await call(project.owner, "start-workflow/publish", { workflow_id });
    return ["start-workflow", { workflow_id }];
  }],
];

for (const [claim, request] of WORK) {
  Deno.test(`ids: a person whose id is of no version ${claim} in a project like that`, async () => {
    const [path, body] = await request(await project());
    const { owner } = await project();
    const reply = await call(owner, path, body);
    assertEquals(reply.status, 201, JSON.stringify(reply.body));
  });
}

Deno.test("ids: a link that a person got whose id is of no version opens the file", async () => {
  const { id, owner } = await project();
  const { body } = await call(owner, "upload-file", textUpload(id));
  assertEquals(await (await fetch(body.signed_url)).text(), "some text");
});
