// The claims that hold for all ways to read an execution over HTTP: every member may, and nobody else.
import { assertEquals } from "@std/assert";
import type { Operation } from "../../shared/contract/operation.ts";
import { worker } from "../support/actors.ts";
import { assertAnswer, assertRefused, call, type Sender } from "../support/http.ts";
import { testCredentials } from "./access.ts";
import { anotherProject, createTeam, type Project, setStatus, startExecution } from "./project.ts";

/** Registers the claims for the path below an execution's own, and gives back a fresh project of the same team. */
export function testReading(operation: Operation, below = ""): () => Promise<Project> {
  const { name } = operation;
  let signedUp: Promise<Project> | undefined;
  const team = () => signedUp ??= createTeam();
  const fresh = async () => await anotherProject(await team());
  const pathOf = (id: string) => `start-workflow/executions/${id}${below}`;
  const read = (sender: Sender, id: string) => call(sender, pathOf(id), undefined, { method: "GET" });

  testCredentials(operation, pathOf(crypto.randomUUID()), team);

  for (const who of ["owner", "editor", "viewer", "worker"] as const) {
    Deno.test(`${name}: ${who === "worker" ? "the secret key" : `the project's ${who}`} may read`, async () => {
      const project = await fresh();
      const { execution } = await startExecution(project);
      assertAnswer(await read(who === "worker" ? who : project[who], execution.id), operation, 200);
    });
  }

  Deno.test(`${name}: a stranger and a former collaborator get execution_not_found`, async () => {
    const project = await fresh();
    const { execution } = await startExecution(project);
    assertRefused(await read(project.stranger, execution.id), "execution_not_found");
    await worker().from("project_collaborators").delete().eq("project_id", project.id).eq("user_id", project.viewer.id);
    assertRefused(await read(project.viewer, execution.id), "execution_not_found");
  });

  Deno.test(`${name}: an execution that does not exist is execution_not_found, for a worker too`, async () => {
    const { owner } = await team();
    for (const sender of [owner, "worker"] as const) {
      assertRefused(await read(sender, crypto.randomUUID()), "execution_not_found");
    }
  });

  Deno.test(`${name}: an id that is none is named, or there is no such route`, async () => {
    const { owner } = await team();
    const reply = await read(owner, "x");
    if (reply.status === 404) return assertRefused(reply, "route_not_found");
    assertRefused(reply, "validation_failed");
    assertEquals(reply.body.error.details.fields[0].path, "execution_id");
  });

  Deno.test(`${name}: an archived project can still be read`, async () => {
    const project = await fresh();
    const { execution } = await startExecution(project);
    await setStatus(project, "archived");
    assertAnswer(await read(project.viewer, execution.id), operation, 200);
  });
  return fresh;
}
