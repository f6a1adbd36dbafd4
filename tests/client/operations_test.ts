// The client's table of operations and the contracts say the same, and every operation goes through.
import { assertEquals } from "@std/assert";
import { OPERATIONS, type Route } from "../../shared/client/operations.ts";
import { CONTRACTS } from "../functions/routes.ts";
import { graph } from "../support/factories.ts";
import { createWorkflow } from "../functions/project.ts";
import { sharedClients } from "./team.ts";

const inCamelCase = (name: string) => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

Deno.test("the client has every operation of the contracts, at its address, and no other", () => {
  const table = Object.entries(OPERATIONS).map(([name, { method, path, body }]: [string, Route]) =>
    `${name}: ${method} ${path} (${body})`
  );
  const contracts = CONTRACTS.flatMap(({ slug, operations }) =>
    // What asks for no credential is a link for a browser to open.
    operations.filter(({ callers }) => callers.length > 0).map(({ name, method, path, body }) =>
      `${inCamelCase(name)}: ${method} ${path === "/" ? slug : slug + path} (${body})`
    )
  );
  assertEquals(table.sort(), contracts.sort());
});

Deno.test("a workflow is started, worked on and completed through the client's methods", async () => {
  const { project, editor, worker } = await sharedClients();
  const workflow_id = await createWorkflow(project, graph([["plan", "build"]]));
  const { execution, tasks, replayed } = await editor.startWorkflow({ workflow_id, input: { goal: "an app" } });
  assertEquals([execution.status, tasks.map(({ node_id }) => node_id), replayed], [
    "running",
    ["plan", "build"],
    false,
  ]);

  const claimed = await worker.claimTasks({
    worker_id: "w",
    agent_types: ["architect"],
    execution_id: execution.id,
  });
  const [task] = claimed.tasks;
  const held = { task_id: task?.id ?? "", lease_token: task?.lease_token ?? "" };
  assertEquals((await worker.heartbeatTask(held)).cancelled, false);
  const answer = await worker.completeTask({ ...held, status: "completed", output_data: { plan: 1 } });
  assertEquals(answer.unlocked.map(({ node_id }) => node_id), ["build"]);
});

Deno.test("an upload takes the file with its name and place, and its link gives it back", async () => {
  const { project, editor } = await sharedClients();
  const file = new File(["hello"], "greeting.txt", { type: "text/plain" });
  const uploaded = await editor.uploadFile({ project_id: project.id, path: "docs/greeting.txt", file });
  assertEquals([uploaded.file.file_name, uploaded.file.file_size], ["greeting.txt", 5]);
  assertEquals(await (await fetch(uploaded.signed_url)).text(), "hello");
});

Deno.test("fields of a path and a query go where the route reads them, and an empty answer is null", async () => {
  const { project, editor } = await sharedClients();
  const file = new File(["hello"], "greeting.txt", { type: "text/plain" });
  const { file: { id: file_id } } = await editor.uploadFile({ project_id: project.id, file });
  const link = await editor.downloadFile({ file_id, expires_in_seconds: 60, download: true });
  const response = await fetch(link.signed_url);
  assertEquals(response.headers.get("content-disposition")?.includes("greeting.txt"), true);
  assertEquals(await response.text(), "hello");
  assertEquals(await editor.deleteFile({ file_id }), null);
});

Deno.test("an artifact is saved and an invitation sent through the client's methods", async () => {
  const { project, owner } = await sharedClients();
  const { artifact } = await owner.saveArtifact({ project_id: project.id, file_path: "a.ts", content: "let a;\n" });
  assertEquals(artifact.version, 1);
  assertEquals(await owner.project(project.id).readArtifact("a.ts"), artifact);
  const email = `guest-${crypto.randomUUID()}@example.com`;
  const { invitation } = await owner.inviteCollaborator({ project_id: project.id, email, role: "viewer" });
  assertEquals([invitation.email, invitation.status], [email, "pending"]);
});
