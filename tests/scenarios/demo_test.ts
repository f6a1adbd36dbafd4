// The demo's story against the suite's stack, and what its fixture has to be for it.
import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { startWorkflow } from "../../shared/contract/start-workflow.ts";
import { call, take } from "./demo/calls.ts";
import { loadFixture } from "./demo/fixture.ts";
import { signUp } from "./demo/people.ts";
import { createProject, importWorkflow } from "./demo/project.ts";
import type { StackAccess } from "./demo/stack.ts";

const MAIN = fileURLToPath(new URL("./demo/main.ts", import.meta.url));

/** The stack that the suite exports. */
function suiteStack(): StackAccess {
  const [url = "", publishableKey = "", secretKey = ""] = [
    "SUPABASE_URL",
    "SUPABASE_PUBLISHABLE_KEY",
    "SUPABASE_SECRET_KEY",
  ].map((name) => Deno.env.get(name));
  return { url, publishableKey, secretKey };
}

async function demo(args: string[], env: Record<string, string> = {}) {
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "--allow-all", MAIN, ...args], env });
  const { code, stdout, stderr } = await command.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("the demo's story holds on this stack and ends in one line of JSON", async () => {
  const { code, stdout, stderr } = await demo(["--json"]);
  assertEquals(code, 0, stderr);
  const { seconds, artifacts, ...rest } = JSON.parse(stdout);
  const { nodes } = await loadFixture();
  assertEquals(rest, { execution: "completed", tasks: nodes.length, files: 1, collaborators: 1 });
  assert(artifacts > nodes.length, `Every task saves a file and one file has two versions: got ${artifacts}`);
  assert(seconds > 0);
  assertEquals(stdout.trim().split("\n").length, 1);
});

Deno.test("a failing step ends the demo with one sentence that names it, and exit code 1", async () => {
  const { code, stdout, stderr } = await demo(["--json"], { DEMO_EMAIL_DOMAIN: "not a domain" });
  assertEquals({ code, stdout }, { code: 1, stdout: "" });
  const last = stderr.trim().split("\n").at(-1) ?? "";
  assert(last.startsWith('Step "Sign up three people" failed: Cannot sign '), last);
});

Deno.test("LangGraph's export is taken unchanged, and every node but the start and the end becomes a task", async () => {
  const fixture = await loadFixture();
  const owner = await signUp(suiteStack(), "Ada");
  const project = await createProject(owner);
  const workflowId = await importWorkflow(owner, project.id, fixture);
  const { tasks } = await call(owner.client, "start-workflow", startWorkflow, { workflow_id: workflowId });
  assertEquals(tasks.map(({ node_id }) => node_id).toSorted(), fixture.nodes.toSorted());

  const version = take(
    "read the version",
    await owner.client.from("workflow_versions").select("definition, warnings").eq("workflow_id", workflowId).single(),
  );
  assertEquals(version, { definition: fixture.definition, warnings: [] });
});
