// A function as a process: what it needs to start, how it meets many at once, and what nasty requests do to it.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { FUNCTIONS } from "../support/functions.ts";
import { stack } from "../support/stack.ts";
import { platformEnvironment, startFunctionProcess } from "./function_process.ts";
import { anotherProject, claimTask, createTeam, type Project } from "./project.ts";

let signedUp: Promise<Project> | undefined;
const fresh = async () => await anotherProject(await (signedUp ??= createTeam()));
const worker = { apikey: stack.secretKey, "content-type": "application/json" };

for (const name of FUNCTIONS) {
  Deno.test(`process: ${name} without its environment does not start, and names what is missing`, async () => {
    const thrown = await assertRejects(() => startFunctionProcess(name, {}), Error);
    for (const variable of ["SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEYS", "SUPABASE_SECRET_KEYS", "SUPABASE_JWKS"]) {
      assertStringIncludes(thrown.message, variable);
    }
  });
}

Deno.test("process: the singular names of self-hosted installations are enough", async () => {
  const { SUPABASE_URL = "", SUPABASE_JWKS = "" } = await platformEnvironment();
  await using process = await startFunctionProcess("complete-task", {
    SUPABASE_URL,
    SUPABASE_JWKS,
    SUPABASE_PUBLISHABLE_KEY: stack.publishableKey,
    SUPABASE_SECRET_KEY: stack.secretKey,
  });
  const project = await fresh();
  for (
    const headers of [worker, {
      ...worker,
      apikey: stack.publishableKey,
      authorization: `Bearer ${project.owner.token}`,
    }]
  ) {
    const response = await fetch(`${process.url}/claim`, {
      method: "POST",
      headers,
      body: JSON.stringify({ worker_id: "w", agent_types: ["architect"], project_id: project.id }),
    });
    assertEquals([response.status, await response.json()], [200, { tasks: [] }]);
  }
});

Deno.test("process: thirty first requests at once are all answered, health and operations alike", async () => {
  await using process = await startFunctionProcess("save-artifact");
  const project = await fresh();
  const replies = await Promise.all(Array.from({ length: 30 }, async (_, index) => {
    if (index % 3 === 0) return (await fetch(`${process.url}/health`)).status;
    const body = JSON.stringify({ project_id: project.id, file_path: `f${index}`, content: "x" });
    const response = await fetch(process.url, { method: "POST", headers: worker, body });
    await response.body?.cancel();
    return response.status;
  }));
  assertEquals(replies, Array.from({ length: 30 }, (_, index) => index % 3 === 0 ? 200 : 201));
});

/** Writes a request by hand and leaves its connection open. */
async function write({ hostname, port }: URL, text: string): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(new TextEncoder().encode(text));
  return connection;
}

const handwritten = (path: string, ...lines: string[]) =>
  [
    `POST /complete-task${path} HTTP/1.1`,
    "host: x",
    `apikey: ${stack.secretKey}`,
    "content-type: application/json",
    ...lines,
  ].join("\r\n");

Deno.test("process: a body that is not framed as HTTP has it is the caller's fault", async () => {
  await using process = await startFunctionProcess("complete-task");
  const framing = `2;${"x=y;".repeat(5000)}\r\n{}\r\n0\r\n\r\n`;
  const request = handwritten("/claim", "connection: close", "transfer-encoding: chunked", "", framing);
  using connection = await write(new URL(process.url), request);
  const answer = await new Response(connection.readable).text();
  assertStringIncludes(answer, "HTTP/1.1 400");
  assertStringIncludes(answer, '"code":"malformed_json"');
  assertEquals(process.log().includes('"event":"internal"'), false);
});

Deno.test("process: a hundred bodies that are told to be large, and do not come, take no memory for it", async () => {
  await using process = await startFunctionProcess("complete-task");
  const begun = handwritten("/batch", "content-length: 16000000", "", `[${" ".repeat(5000)}`);
  const connections = await Promise.all(Array.from({ length: 100 }, () => write(new URL(process.url), begun)));
  // Whoever is answered came after them.
  const response = await fetch(`${process.url}/batch`, { method: "POST", headers: worker, body: "{}" });
  assertEquals(response.status, 422);
  await response.body?.cancel();
  const peak = (await process.memory())?.peak ?? 0;
  for (const connection of connections) connection.close();
  assert(peak < 256_000_000, `The process took ${Math.round(peak / 1e6)} MB`);
});

const CROWDS: [string, string][] = [
  ["eight million numbers", `[${"0,".repeat(8_000_000)}0]`],
  ["four million lists", `[${"[0],".repeat(3_900_000)}0]`],
];

for (const [claim, output] of CROWDS) {
  Deno.test(`process: an output of ${claim} is refused within the platform's 256 MB, in seconds`, async () => {
    await using process = await startFunctionProcess("complete-task");
    const { id, lease_token } = await claimTask(await fresh());
    const body = `{"task_id":"${id}","lease_token":"${lease_token}","status":"completed","output_data":${output}}`;
    const response = await fetch(process.url, { method: "POST", headers: worker, body });
    assertEquals([response.status, (await response.json()).error.code], [413, "payload_too_large"]);
    const seconds = await process.computed() ?? 0;
    assert(seconds < 15, `It took ${seconds.toFixed(1)} s`);
    const peak = (await process.memory())?.peak ?? 0;
    assert(peak < 256_000_000, `The process took ${Math.round(peak / 1e6)} MB`);
  });
}

Deno.test("process: a report that is as large as it may be passes within the platform's 256 MB", async () => {
  await using process = await startFunctionProcess("complete-task");
  const { id, lease_token } = await claimTask(await fresh());
  const artifacts = Array.from(
    { length: 14 },
    (_, index) => ({ file_path: `f${index}`, content: "x".repeat(1_048_576) }),
  );
  const output_data = Array(300_000).fill(0);
  const body = JSON.stringify({ task_id: id, lease_token, status: "completed", output_data, artifacts });
  const response = await fetch(process.url, { method: "POST", headers: worker, body });
  assertEquals([response.status, (await response.json()).task?.status], [200, "completed"]);
  const peak = (await process.memory())?.peak ?? 0;
  assert(peak < 256_000_000, `The process took ${Math.round(peak / 1e6)} MB`);
});

Deno.test("process: bodies that hang up, stall, lie about their length or mock HTTP leave the process serving", async () => {
  await using process = await startFunctionProcess("complete-task");
  const { port } = new URL(process.url);
  const head =
    `POST /complete-task HTTP/1.1\r\nhost: x\r\napikey: ${stack.secretKey}\r\ncontent-type: application/json\r\n`;
  const requests = [
    `${head}content-length: 100\r\n\r\n{"half":`,
    `${head}transfer-encoding: chunked\r\n\r\n5\r\n{"a":`,
    `${head}transfer-encoding: chunked\r\n\r\nnot a length\r\n`,
    `${head}content-length: 5\r\ncontent-length: 50\r\n\r\n{}`,
    `${head}content-length: -1\r\n\r\n`,
    `${head}x-request-id: ${"y".repeat(60_000)}\r\n\r\n`,
    "\x16\x03\x01\x02\x00\x01\x00\x01",
    "GET /complete-task/health HTTP/9.9\r\n\r\n",
  ];
  await Promise.all(
    requests.flatMap((text) => [text, text, text]).map(async (text, index) => {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
      await connection.write(new TextEncoder().encode(text)).catch(() => 0);
      await new Promise((resolve) => setTimeout(resolve, 20 * (index % 5)));
      connection.close();
    }),
  );
  const health = await fetch(`${process.url}/health`);
  assertEquals([await health.json(), process.isRunning()], [{ status: "ok" }, true]);
  const response = await fetch(`${process.url}/claim`, { method: "POST", headers: worker, body: "{}" });
  assertEquals(response.status, 422);
  await response.body?.cancel();
});
