// The claims that hold for every operation about who may call it; each operation's test file states its own outcomes.
import { assert } from "@std/assert";
import type { Operation } from "../../shared/contract/operation.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { worker } from "../support/actors.ts";
import { assertRefused, call, type Reply, type Sender } from "../support/http.ts";
import { BAD_CREDENTIALS } from "./credentials.ts";
import { anotherProject, createTeam, type Project, setStatus } from "./project.ts";

export interface Access {
  /** Path below /functions/v1. */
  path: string;
  operation: Operation;
  /** A request about that project that succeeds when an editor (or owner) sends it; FormData and strings go as they are. */
  body(project: Project): Promise<unknown>;
  /** What someone outside the project is told. */
  stranger: ErrorCode;
  /** Who of the members may call, besides the owner. */
  editor: "allowed" | "forbidden";
}

/** Registers one claim per credential that is none. */
export function testCredentials({ name, method }: Operation, path: string, team: () => Promise<Project>): void {
  for (const [credential, headersOf] of BAD_CREDENTIALS) {
    Deno.test(`${name}: ${credential} is unauthorized`, async () => {
      const { owner } = await team();
      const reply = await call("nobody", path, method === "GET" ? undefined : "{}", {
        method,
        headers: { "content-type": "application/json", ...await headersOf(owner) },
      });
      assertRefused(reply, "unauthorized");
    });
  }
}

/** Registers the claims. Returns the team, signed up once per file. */
export function testAccess({ path, operation, body, stranger, editor }: Access): () => Promise<Project> {
  const { name } = operation;
  let signedUp: Promise<Project> | undefined;
  const team = () => signedUp ??= createTeam();
  const fresh = async () => await anotherProject(await team());
  const send = async (sender: Sender, project: Project, headers = {}): Promise<Reply> =>
    await call(sender, path, await body(project), { headers });
  const assertAllowed = (reply: Reply) =>
    assert(reply.status < 300, `Expected success: got ${reply.status} ${JSON.stringify(reply.body)}`);

  testCredentials(operation, path, team);

  Deno.test(`${name}: a stranger gets ${stranger}`, async () => {
    const project = await fresh();
    assertRefused(await send(project.stranger, project), stranger);
  });

  Deno.test(`${name}: a viewer is forbidden`, async () => {
    const project = await fresh();
    assertRefused(await send(project.viewer, project), "forbidden");
  });

  Deno.test(`${name}: an editor is ${editor}`, async () => {
    const project = await fresh();
    const reply = await send(project.editor, project);
    if (editor === "allowed") assertAllowed(reply);
    else assertRefused(reply, "forbidden");
  });

  Deno.test(`${name}: an owner is allowed`, async () => {
    const project = await fresh();
    assertAllowed(await send(project.owner, project));
  });

  const takesSecret = operation.callers.includes("secret");
  Deno.test(`${name}: the secret key is ${takesSecret ? "allowed" : "unauthorized"}`, async () => {
    const project = await fresh();
    const reply = await send("worker", project);
    if (takesSecret) assertAllowed(reply);
    else assertRefused(reply, "unauthorized");
  });

  Deno.test(`${name}: a former collaborator is a stranger at once`, async () => {
    const project = await fresh();
    const request = await body(project);
    const { error } = await worker().from("project_collaborators").delete()
      .eq("project_id", project.id).eq("user_id", project.editor.id);
    assert(!error, error?.message);
    assertRefused(await call(project.editor, path, request), stranger);
  });

  for (const status of ["archived", "deleted"] as const) {
    Deno.test(`${name}: nothing changes in ${status} projects, for the owner nor a worker`, async () => {
      const project = await fresh();
      const request = await body(project);
      await setStatus(project, status);
      assertRefused(await call(project.owner, path, request), "project_not_active");
      if (takesSecret) assertRefused(await call("worker", path, request), "project_not_active");
    });
  }
  return team;
}
