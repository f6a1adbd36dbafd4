// What callers are told when a service behind a function fails: one honest code, nothing half done, nothing given away.
// The processes here have no connection of their own to the database, so that all they ask for can be made to fail.
import { assert, assertEquals } from "@std/assert";
import type { ErrorCode } from "../../shared/errors.ts";
import { anonymous, signUp } from "../support/actors.ts";
import { eventually } from "../support/eventually.ts";
import { assertRefused, type Body, call, type Reply } from "../support/http.ts";
import { stack } from "../support/stack.ts";
import { sql } from "./behind.ts";
import { type FunctionProcess, platformEnvironment, startFunctionProcess } from "./function_process.ts";
import { tokenFor } from "./mailbox.ts";
import { anotherProject, createTeam, type Project } from "./project.ts";
import { leftovers, textUpload } from "./uploads.ts";

/** What the way between a function and the stack does to a request; undefined lets it through. */
type Fault = (request: Request, path: string) => Response | undefined;

let fault: Fault = () => undefined;

/** Paths whose requests arrive, but whose answers are lost on the way back. */
let loses: (path: string) => boolean = () => false;

/** The stack's URL as the functions here know it: everything passes through, unless `fault` answers. */
const way = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
  const { pathname, search } = new URL(request.url);
  const answer = fault(request, pathname);
  if (answer) {
    await request.body?.cancel();
    return answer;
  }
  const headers = new Headers(request.headers);
  headers.delete("host");
  const reply = await fetch(stack.url + pathname + search, { method: request.method, headers, body: request.body });
  if (!loses(pathname)) return reply;
  await reply.body?.cancel();
  return Response.json({ message: "lost" }, { status: 502 });
});

const processes = new Map<string, Promise<FunctionProcess>>();
const processOf = async (name: string) => {
  const environment = await platformEnvironment(`http://127.0.0.1:${way.addr.port}`);
  if (!processes.has(name)) processes.set(name, startFunctionProcess(name, environment));
  return await (processes.get(name) ?? Promise.reject(new Error("not started")));
};

let team: Project;
Deno.test.beforeAll(async () => {
  team = await createTeam();
});
Deno.test.afterAll(async () => {
  for (const process of processes.values()) await (await process)[Symbol.asyncDispose]();
  await way.shutdown();
  await sql().end();
});

/** What a function has written, once that text is in it: an answer may be here before what was written before it. */
async function logWith(name: string, text: string): Promise<string> {
  const process = await processOf(name);
  const log = await eventually(() => Promise.resolve(process.log()), (all) => all.includes(text));
  assert(log.includes(text), log);
  return log;
}

/** Calls the function in its own process as the project's owner, with the fault on the way. */
async function callThrough(name: string, body: unknown, broken: Fault): Promise<Reply> {
  const { url } = await processOf(name);
  fault = broken;
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        apikey: stack.publishableKey,
        authorization: `Bearer ${team.owner.token}`,
        ...(body instanceof FormData ? {} : { "content-type": "application/json" }),
      },
      body: body instanceof FormData ? body : JSON.stringify(body),
    });
    const answer: Body = await response.json();
    return { status: response.status, headers: response.headers, body: answer };
  } finally {
    fault = () => undefined;
  }
}

const on = (prefix: string, answer: () => Response): Fault => (_, path) =>
  path.startsWith(prefix) ? answer() : undefined;
const artifact = (project: Project) => ({ project_id: project.id, file_path: "a.txt", content: "text" });

Deno.test("neighbours: with nothing broken on the way a call goes through", async () => {
  assertEquals((await callThrough("save-artifact", artifact(await anotherProject(team)), () => undefined)).status, 201);
});

const DATABASE: [string, () => Response, ErrorCode][] = [
  ["answers 503", () => Response.json({ message: "no server is available" }, { status: 503 }), "unavailable"],
  ["answers 502 with a page", () => new Response("<html>Bad Gateway</html>", { status: 502 }), "unavailable"],
  ["is not reached by the platform's front", () => new Response("<html>522</html>", { status: 522 }), "unavailable"],
  [
    "is over its statement timeout",
    () => Response.json({ code: "57014", message: "canceling statement" }, { status: 500 }),
    "unavailable",
  ],
  [
    "has no connection left",
    () => Response.json({ code: "53300", message: "too many connections" }, { status: 500 }),
    "unavailable",
  ],
  [
    "has no room left",
    () => Response.json({ code: "53100", message: "could not extend file: secret detail" }, { status: 500 }),
    "unavailable",
  ],
  [
    "takes no changes",
    () =>
      Response.json({ code: "25006", message: "cannot execute INSERT in a read-only transaction" }, { status: 405 }),
    "unavailable",
  ],
  [
    "is being restarted",
    () => Response.json({ code: "57P01", message: "terminating connection" }, { status: 500 }),
    "unavailable",
  ],
  [
    "met a deadlock",
    () => Response.json({ code: "40P01", message: "deadlock detected" }, { status: 500 }),
    "unavailable",
  ],
  [
    "fails in a way nobody foresaw",
    () =>
      Response.json({ code: "XX000", message: "cache lookup failed for relation 16384", details: "secret detail" }, {
        status: 500,
      }),
    "internal",
  ],
  ["answers something else than the contract's shape", () => Response.json({ surprise: "secret detail" }), "internal"],
  [
    "answers no JSON",
    () => new Response("secret detail", { headers: { "content-type": "application/json" } }),
    "internal",
  ],
  [
    "answers an unknown code of its own",
    () => Response.json({ code: "PT418", hint: "teapot", message: "secret detail" }, { status: 418 }),
    "internal",
  ],
];

for (const [claim, answer, code] of DATABASE) {
  Deno.test(`neighbours: a database that ${claim} is ${code}, without a word of its own`, async () => {
    const reply = await callThrough("save-artifact", artifact(team), on("/rest/v1", answer));
    assertRefused(reply, code);
    assert(!JSON.stringify(reply.body).includes("secret detail"), JSON.stringify(reply.body));
  });
}

const LOST: [string, () => Response][] = [
  ["is behind a gateway that answers 502", () => new Response("<html>Bad Gateway</html>", { status: 502 })],
  ["breaks off", () => new Response(new ReadableStream({ pull: (controller) => controller.error("broken") }))],
];

for (const [claim, answer] of LOST) {
  Deno.test(`neighbours: a conflict whose two sides are in a database that ${claim} is unavailable`, async () => {
    const project = await anotherProject(team);
    await callThrough("save-artifact", artifact(project), () => undefined);
    const change = { ...artifact(project), content: "other text", base_version: 0 };
    assertRefused(await callThrough("save-artifact", change, on("/rest/v1/code_artifacts", answer)), "unavailable");
  });
}

Deno.test("neighbours: a token whose key Auth does not give is unavailable, and no refusal of the token", async () => {
  const { SUPABASE_JWKS: _, ...environment } = await platformEnvironment();
  await using process = await startFunctionProcess("save-artifact", {
    ...environment,
    SUPABASE_JWKS_URL: `http://127.0.0.1:${way.addr.port}/nowhere`,
  });
  const headers = { authorization: `Bearer ${team.owner.token}`, "content-type": "application/json" };
  const response = await fetch(process.url, { method: "POST", headers, body: JSON.stringify(artifact(team)) });
  assertRefused({ status: response.status, headers: response.headers, body: await response.json() }, "unavailable");
});

Deno.test("neighbours: an unforeseen failure is in the log with the request's id, and no credential is", async () => {
  const reply = await callThrough(
    "save-artifact",
    artifact(team),
    on("/rest/v1", () => Response.json({ surprise: 1 })),
  );
  const log = await logWith("save-artifact", reply.body.error.request_id);
  for (const secret of [stack.secretKey, team.owner.token]) assert(!log.includes(secret), "A credential is in the log");
});

Deno.test("neighbours: where the mail cannot go out the invitation is withdrawn", async () => {
  const project = await anotherProject(team);
  const body = { project_id: project.id, email: "guest@example.com", role: "viewer" };
  for (const answer of [() => new Response("no", { status: 500 }), () => new Response("<html>", { status: 404 })]) {
    assertRefused(await callThrough("invite-collaborator", body, on("/mail", answer)), "unavailable");
  }
  const { data } = await project.owner.client.from("project_invitations").select("status").eq("project_id", project.id);
  assertEquals(data, []);
  assertEquals((await callThrough("invite-collaborator", body, () => undefined)).status, 201);
});

Deno.test("neighbours: a mail that cannot go out takes no invitation along that was sent again meanwhile", async () => {
  const project = await anotherProject(team);
  const guest = await signUp("guest");
  const body = { project_id: project.id, email: guest.email, role: "viewer" };
  const { promise: isSentAgain, resolve: sentAgain } = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  // The carrier takes its time to say no.
  const slowly = () => {
    begun.resolve();
    return new Response(new ReadableStream({ start: (body) => isSentAgain.then(() => body.close()) }), { status: 500 });
  };
  const first = callThrough("invite-collaborator", body, on("/mail", slowly));
  await begun.promise;
  const { invitations: [{ id }] } =
    (await call(project.owner, `invite-collaborator?project_id=${project.id}`, undefined, { method: "GET" })).body;
  assertEquals((await call(project.owner, "invite-collaborator/resend", { invitation_id: id })).status, 200);
  sentAgain();
  assertRefused(await first, "unavailable");
  const token = await tokenFor(guest.email);
  assertEquals((await call(guest, "invite-collaborator/accept", { token })).status, 200);
});

const STORAGE: [string, () => Response][] = [
  [
    "answers 500",
    () => Response.json({ statusCode: "500", error: "internal", message: "secret detail" }, { status: 500 }),
  ],
  ["answers 503 with a page", () => new Response("<html>secret detail</html>", { status: 503 })],
  ["is full", () => Response.json({ statusCode: "507", error: "full", message: "secret detail" }, { status: 507 })],
];

for (const [claim, answer] of STORAGE) {
  Deno.test(`neighbours: a Storage that ${claim} makes an upload unavailable and leaves nothing`, async () => {
    const project = await anotherProject(team);
    const broken: Fault = ({ method }, path) =>
      method === "POST" && path.startsWith("/storage/v1/object/genesis-files/") ? answer() : undefined;
    const reply = await callThrough("upload-file", textUpload(project.id), broken);
    assertRefused(reply, "unavailable");
    assert(!JSON.stringify(reply.body).includes("secret detail"));
    assertEquals(await leftovers(project.id), { rows: 0, objects: 0 });
  });
}

Deno.test("neighbours: an upload whose last step fails takes its object back", async () => {
  const project = await anotherProject(team);
  const broken = on(
    "/rest/v1/rpc/finish_upload",
    () => Response.json({ code: "57014", message: "slow" }, { status: 500 }),
  );
  assertRefused(await callThrough("upload-file", textUpload(project.id), broken), "unavailable");
  assertEquals(await leftovers(project.id), { rows: 0, objects: 0 });
});

Deno.test("neighbours: an upload whose last step was done, but its answer lost, stays whole", async () => {
  const project = await anotherProject(team);
  loses = (path) => path === "/rest/v1/rpc/finish_upload";
  try {
    assertRefused(await callThrough("upload-file", textUpload(project.id), () => undefined), "unavailable");
  } finally {
    loses = () => false;
  }
  assertEquals(await leftovers(project.id), { rows: 1, objects: 1 });
});

Deno.test("neighbours: an upload that cannot be taken back keeps its row, so that its object can be found", async () => {
  const project = await anotherProject(team);
  const broken: Fault = ({ method }, path) => {
    if (path.startsWith("/rest/v1/rpc/finish_upload")) return Response.json({ code: "57014" }, { status: 500 });
    const isDelete = method === "DELETE" && path.startsWith("/storage/v1/");
    return isDelete ? Response.json({ statusCode: "500", error: "no", message: "no" }, { status: 500 }) : undefined;
  };
  assertRefused(await callThrough("upload-file", textUpload(project.id), broken), "unavailable");
  assertEquals(await leftovers(project.id), { rows: 1, objects: 1 });
  await logWith("upload-file", "upload_not_taken_back");
});

Deno.test("neighbours: a link says unavailable while Storage makes none, and works again after", async () => {
  const project = await anotherProject(team);
  const { url } = await processOf("upload-file");
  const broken = on("/storage/v1/object/sign/", () => Response.json({ message: "no" }, { status: 500 }));
  const { status, body } = await callThrough("upload-file", textUpload(project.id), broken);
  assertEquals(status, 201);
  const link = `${url}/content/${body.signed_url.split("/").at(-1)}`;
  fault = broken;
  const refused = await fetch(link, { redirect: "manual" });
  fault = () => undefined;
  assertEquals([refused.status, (await refused.json()).error.code], [503, "unavailable"]);
  assertEquals(await (await fetch(link)).text(), "some text");
});

Deno.test("neighbours: an upload that is finished twenty times at once is read four times at most", async () => {
  const { id: project_id } = await anotherProject(team);
  const declared = { project_id, file_name: "a.bin", file_size: 5_000_000, mime_type: "application/octet-stream" };
  const { file_id, upload } = (await call(team.owner, "upload-file/signed", declared)).body;
  await anonymous().storage.from(upload.bucket)
    .uploadToSignedUrl(upload.path, upload.token, new Uint8Array(5_000_000), { contentType: declared.mime_type });
  let read = 0;
  const { url } = await processOf("upload-file");
  fault = (_, path) => {
    if (path.startsWith("/storage/v1/object/sign/genesis-files/")) read++;
    return undefined;
  };
  const headers = {
    apikey: stack.publishableKey,
    authorization: `Bearer ${team.owner.token}`,
    "content-type": "application/json",
  };
  const replies = await Promise.all(Array.from({ length: 20 }, async () => {
    const response = await fetch(`${url}/finish`, { method: "POST", headers, body: JSON.stringify({ file_id }) });
    await response.body?.cancel();
    return response;
  }));
  fault = () => undefined;
  assertEquals(replies.map(({ status }) => status), Array(20).fill(200));
  assert(read <= 4, `It was read ${read} times`);
});

Deno.test("neighbours: after all that the same processes still answer", async () => {
  for (const name of processes.keys()) {
    const process = await processOf(name);
    assert(process.isRunning(), `${name} ended: ${process.log()}`);
    const health = await fetch(`${process.url}/health`);
    assertEquals(await health.json(), { status: "ok" });
  }
  assertEquals((await call(team.owner, "save-artifact", artifact(team))).status, 201);
});

Deno.test("neighbours: the log of a share that could not be opened does not hold its token", async () => {
  const { url } = await processOf("upload-file");
  const token = crypto.randomUUID().replaceAll("-", "").repeat(2);
  fault = () => new Response("", { status: 503 });
  const response = await fetch(`${url}/shared/${token}`, { redirect: "manual" });
  fault = () => undefined;
  assertEquals([response.status, (await response.json()).error.code], [503, "unavailable"]);
  const log = await logWith("upload-file", "/upload-file/shared/…");
  assert(!log.includes(token), log);
});
