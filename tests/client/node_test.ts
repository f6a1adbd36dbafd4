// The client under Node 20 or newer, bundled and run as a process of its own.
import { assert, assertEquals } from "@std/assert";
import { createWorkflow } from "../functions/project.ts";
import { graph } from "../support/factories.ts";
import { stack } from "../support/stack.ts";
import { bundle } from "./bundle.ts";
import { sharedClients } from "./team.ts";

/** Runs the bundle in Node; `lines` yields what it says. */
async function runNode(entry: string, ...args: string[]) {
  const file = await Deno.makeTempFile({ suffix: ".cjs" });
  await Deno.writeTextFile(file, await bundle(entry, "node"));
  const child = new Deno.Command("node", { args: [file, ...args], stdin: "null", stdout: "piped" }).spawn();
  return { child, lines: linesOf(child.stdout), [Symbol.asyncDispose]: () => Deno.remove(file) };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

Deno.test("a worker in Node works, and at SIGTERM ends with its lease given back", async () => {
  const { project, owner, worker } = await sharedClients();
  const workflow_id = await createWorkflow(project, graph([["quick", "slow"]]));
  const { execution } = await owner.startWorkflow({ workflow_id });
  await using program = await runNode("./programs/node_worker.ts", stack.url, stack.secretKey, execution.id);
  const said: string[] = [];
  for await (const line of program.lines) {
    said.push(line);
    if (line === "began slow") program.child.kill("SIGTERM");
  }
  assertEquals(said, ["began quick", "began slow", "stopped"]);
  assertEquals((await program.child.status).code, 0);

  const request = { worker_id: "next", agent_types: ["architect"], execution_id: execution.id };
  assertEquals((await worker.claimTasks(request)).tasks.map(({ node_id }) => node_id), ["slow"]);
});

Deno.test("no schema and no supabase-js is part of the client's own bundle", async () => {
  const text = await bundle("../../shared/client/mod.ts", "browser");
  assert(!/zod|PostgrestClient|GoTrueClient/.test(text), "The bundle holds more than the client");
  assert(text.length < 70_000, `The bundle has ${text.length} characters`);
});
