// POST /save-artifact/revert-execution of more paths than one transaction undoes. Parts of ten thousand paths are made to be
// parts of one here, on the way to the database.
import { assertEquals } from "@std/assert";
import { revertExecution } from "../../shared/contract/save-artifact.ts";
import { assertAnswer, type Body } from "../support/http.ts";
import { stack } from "../support/stack.ts";
import { filesOf, runTask } from "./artifacts.ts";
import { type FunctionProcess, platformEnvironment, startFunctionProcess } from "./function_process.ts";
import { createTeam, type Project } from "./project.ts";

/** Which of the parts that are asked for fail, counted from the start of a test. */
let fails: (part: number) => boolean = () => false;
let parts = 0;

const way = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
  const { pathname, search } = new URL(request.url);
  const headers = new Headers(request.headers);
  for (const name of ["host", "content-length"]) headers.delete(name);
  let body = await request.text();
  if (pathname.endsWith("/rpc/revert_execution")) {
    if (fails(++parts)) return Response.json({ message: "broken" }, { status: 503 });
    body = JSON.stringify({ limit: 1, ...JSON.parse(body) });
  }
  return await fetch(stack.url + pathname + search, { method: request.method, headers, body: body || null });
});

let process: FunctionProcess;
let project: Project;
Deno.test.beforeAll(async () => {
  process = await startFunctionProcess(
    "save-artifact",
    await platformEnvironment(`http://127.0.0.1:${way.addr.port}`),
  );
});
Deno.test.beforeEach(async () => {
  project = await createTeam();
  fails = () => false;
  parts = 0;
});
Deno.test.afterAll(async () => {
  await process[Symbol.asyncDispose]();
  await way.shutdown();
});

async function revert(body: Body): Promise<Body> {
  const reply = await fetch(`${process.url}/revert-execution`, {
    method: "POST",
    headers: {
      apikey: stack.publishableKey,
      authorization: `Bearer ${project.owner.token}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(body),
  });
  return assertAnswer({ status: reply.status, headers: reply.headers, body: await reply.json() }, revertExecution, 200);
}

const paths = (versions: Body[]) => versions.map((version) => version.file_path);
const write = (...names: string[]) => runTask(project, names.map((file_path) => ({ file_path, content: "made" })));

Deno.test("revert_execution: several parts are one answer", async () => {
  const { id } = await write("c", "a", "b");
  const { reverted, next_after } = await revert({ execution_id: id });
  assertEquals([paths(reverted), next_after], [["a", "b", "c"], null]);
  assertEquals(await filesOf(project), {});
});

Deno.test("revert_execution: after four parts it says where to go on, and goes on there", async () => {
  const { id } = await write("a", "b", "c", "d", "e");
  const first = await revert({ execution_id: id });
  assertEquals([paths(first.reverted), first.next_after], [["a", "b", "c", "d"], "d"]);
  assertEquals(await filesOf(project), { e: "made" });
  const second = await revert({ execution_id: id, after: first.next_after });
  assertEquals([paths(second.reverted), second.next_after], [["e"], null]);
});

Deno.test("revert_execution: where a later part fails, what was undone is told, and where to go on", async () => {
  const { id } = await write("a", "b", "c");
  fails = (part) => part === 3;
  const { reverted, next_after } = await revert({ execution_id: id });
  assertEquals([paths(reverted), next_after], [["a", "b"], "b"]);
  assertEquals(await filesOf(project), { c: "made" });
});

Deno.test("revert_execution: who says how many paths is given no more", async () => {
  const { id } = await write("a", "b", "c");
  const { reverted, next_after } = await revert({ execution_id: id, limit: 2 });
  assertEquals([paths(reverted), next_after], [["a", "b"], "b"]);
});
