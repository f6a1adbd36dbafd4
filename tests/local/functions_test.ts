// How the stack runs edge functions: their environment, their processes, and what passes through the gateway.
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { SignJWT } from "jose";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createRunner } from "../../local/functions/runner.ts";
import { eventually, type Fixture, startFixture } from "./fixture.ts";

const REPORT = `const goOn = Promise.withResolvers();
export default { async fetch(request: Request) {
  const url = new URL(request.url);
  if (url.pathname.endsWith("/crash")) Deno.exit(3);
  if (url.pathname.endsWith("/run")) return Response.json(await (async () => (await new Deno.Command("/bin/sh").output()).code)().catch(String));
  if (url.pathname.endsWith("/stream")) return new Response(new ReadableStream({ async start(controller) {
    controller.enqueue(new TextEncoder().encode("one,"));
    await goOn.promise;
    controller.enqueue(new TextEncoder().encode("two"));
    controller.close();
  } }));
  if (url.pathname.endsWith("/go-on")) goOn.resolve();
  const body = request.body ? (await request.arrayBuffer()).byteLength : 0;
  return Response.json({
    method: request.method, path: url.pathname, search: url.search, body, pid: Deno.pid,
    headers: Object.fromEntries(request.headers), env: Deno.env.toObject(),
  }, { status: 201, headers: { "x-from": "function" } });
} };`;

let stack: Fixture;

Deno.test.beforeAll(async () => {
  stack = await startFixture({
    "config.toml": `[functions.report]
      verify_jwt = false
      env = { OWN = "own", SUPABASE_URL = "not mine to set" }
      [functions.off]
      enabled = false
      [functions.elsewhere]
      verify_jwt = false
      entrypoint = "./functions/report/other.ts"`,
    "functions/report/index.ts": REPORT,
    "functions/report/other.ts": `Deno.serve({ port: 1 }, () => new Response("other"));`,
    "functions/strict/index.ts": REPORT,
    "functions/off/index.ts": REPORT,
    "functions/broken/index.ts": `throw new Error("no such luck");`,
    "functions/mute/index.ts": `export const nothing = 1;`,
    "functions/_shared/index.ts": REPORT,
    "functions/changing/index.ts": `import { word } from "../_shared/word.ts"; Deno.serve(() => new Response(word));`,
    "functions/_shared/word.ts": `export const word = "before";`,
    "functions/.env": `FROM_FILE=yes\nSUPABASE_URL=neither\n`,
  });
});

Deno.test.afterAll(async () => {
  await stack?.dispose();
});

function call(path: string, init?: RequestInit): Promise<Response> {
  return fetch(`${stack.url}/functions/v1/${path}`, init);
}

function userToken(secret = stack.jwtSecret, expires = "1h"): Promise<string> {
  return new SignJWT({ sub: crypto.randomUUID(), role: "authenticated", aud: "authenticated" })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" }).setIssuedAt().setExpirationTime(expires)
    .sign(new TextEncoder().encode(secret));
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

Deno.test("a function sees the platform's environment, its own variables, and nothing else", async () => {
  const { env } = await (await call("report")).json();
  assertEquals(Object.keys(env).sort(), [
    "FROM_FILE",
    "OWN",
    "SB_EXECUTION_ID",
    "SB_REGION",
    "SUPABASE_ANON_KEY",
    "SUPABASE_DB_URL",
    "SUPABASE_JWKS",
    "SUPABASE_PUBLISHABLE_KEYS",
    "SUPABASE_SECRET_KEYS",
    "SUPABASE_SERVICE_ROLE_KEY",
    "SUPABASE_URL",
  ]);
  assertEquals(env.SUPABASE_URL, stack.url);
  assertEquals(JSON.parse(env.SUPABASE_SECRET_KEYS), { default: stack.secretKey });
  assertEquals(env.OWN, "own");
});

Deno.test("a function gets the path from its own name on, and its answer comes back unchanged", async () => {
  const response = await call("report/a/b?c=d", { method: "PUT", body: "12345", headers: { "x-to": "function" } });
  const seen = await response.json();
  assertEquals(response.status, 201);
  assertEquals(response.headers.get("x-from"), "function");
  assertEquals([seen.method, seen.path, seen.search, seen.body], ["PUT", "/report/a/b", "?c=d", 5]);
  assertEquals(seen.headers["x-to"], "function");
});

Deno.test("a function may be served by Deno.serve, from the entrypoint that config.toml names", async () => {
  assertEquals(await (await call("elsewhere")).text(), "other");
});

Deno.test("requests that arrive before a function runs share one process", async () => {
  await call("report/crash").then((response) => response.body?.cancel());
  const answers = await eventually(
    () => Promise.all([1, 2, 3, 4].map(async () => await (await call("report")).json())),
    (all) => all.every(({ pid }) => typeof pid === "number"),
  );
  assertEquals(new Set(answers.map(({ pid }) => pid)).size, 1);
});

Deno.test("a function that crashed answers 502 to that request and is started again by the next", async () => {
  const first = await (await call("report")).json();
  const crashed = await call("report/crash");
  assertEquals([crashed.status, (await crashed.json()).code], [502, "WORKER_ERROR"]);
  const second = await (await call("report")).json();
  assert(second.pid !== undefined && second.pid !== first.pid);
});

Deno.test("a request after one that failed because its process ends goes to another process", async () => {
  const entrypoint = pathToFileURL(join(stack.project, "functions/report/index.ts")).href;
  const runner = createRunner((name) => Promise.resolve({ name, entrypoint, environment: {} }), () => {});
  const over = Promise.resolve();
  try {
    let crashing = 0;
    const crash = runner.withFunction("report", over, (port) => {
      crashing = port;
      fetch(`http://127.0.0.1:${port}/report/crash`).catch(() => {});
      return Promise.reject(new Error("The connection was closed"));
    });
    await assertRejects(() => crash, Error, "The connection was closed");
    const next = await runner.withFunction("report", over, (port) => Promise.resolve(port));
    assert(next !== crashing);
  } finally {
    await runner.stop();
  }
});

Deno.test("a function that cannot start answers 503 BOOT_ERROR, and the log says why", async () => {
  for (const name of ["broken", "mute"]) {
    // verify_jwt is on for a function that config.toml does not name, as on the platform.
    const response = await call(name, bearer(await userToken()));
    assertEquals([response.status, (await response.json()).code], [503, "BOOT_ERROR"]);
  }
  const log = stack.lines.join("\n");
  assertMatch(log, /\[broken\].*no such luck/);
  assertMatch(log, /\[broken\] BOOT_ERROR/);
  assertMatch(log, /\[mute\].*neither exports default/);
});

Deno.test("a function runs its new code after a file that it imports has changed", async () => {
  const token = await userToken();
  assertEquals(await (await call("changing", bearer(token))).text(), "before");
  await stack.write("functions/_shared/word.ts", `export const word = "after";`);
  const now = await eventually(
    async () => await (await call("changing", bearer(token))).text(),
    (text) => text === "after",
  );
  assertEquals(now, "after");
});

Deno.test("where no files can be watched any more the stack starts, says so, and its functions answer", async () => {
  const { watchFs } = Deno;
  Deno.watchFs = () => {
    throw new Error("Too many open files (os error 24)");
  };
  let unwatched: Fixture;
  try {
    unwatched = await startFixture({
      "config.toml": `[functions.one]\nverify_jwt = false`,
      "functions/one/index.ts": `Deno.serve(() => new Response("one"));`,
    });
  } finally {
    Deno.watchFs = watchFs;
  }
  const answer = await (await fetch(`${unwatched.url}/functions/v1/one`)).text();
  await unwatched.dispose();
  assertEquals(answer, "one");
  assertEquals(unwatched.notices, [
    "Functions keep running the code they started with: files cannot be watched (Too many open files (os error 24)).",
  ]);
});

Deno.test("a name without a function, a disabled one and a shared folder answer 404", async () => {
  for (const name of ["nobody", "off", "_shared", "..%2fx"]) {
    const response = await call(name, bearer(await userToken()));
    assertEquals([name, response.status, (await response.json()).code], [name, 404, "NOT_FOUND"]);
  }
});

Deno.test("a page of any origin reads why no function answered", async () => {
  for (const [name, status] of [["nobody", 404], ["broken", 503], ["mute", 503]] as const) {
    const asked = { method: "OPTIONS", headers: { "access-control-request-method": "POST" } };
    for (const [expected, init] of [[200, asked], [status, bearer(await userToken())]] as const) {
      const response = await call(name, init);
      await response.body?.cancel();
      assertEquals([name, response.status, response.headers.get("access-control-allow-origin")], [name, expected, "*"]);
    }
  }
});

Deno.test("verify_jwt lets a valid token or legacy key in and refuses none, a forged one, an expired one and sb_ keys", async () => {
  const status = async (init?: RequestInit) => {
    const response = await call("strict", init);
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await status(bearer(await userToken())), 201);
  assertEquals(await status(bearer(stack.anonKey)), 201);
  assertEquals(await status(), 401);
  assertEquals(await status(bearer(await userToken("another-secret-of-thirty-two-bytes-and-more"))), 401);
  assertEquals(await status(bearer(await userToken(stack.jwtSecret, "-1m"))), 401);
  assertEquals(await status({ headers: { apikey: stack.secretKey } }), 401);
  assertEquals(await status(bearer(stack.secretKey)), 401);
});

Deno.test("a preflight reaches the function whatever verify_jwt says", async () => {
  const response = await call("strict", { method: "OPTIONS", headers: { "access-control-request-method": "POST" } });
  assertEquals([response.status, (await response.json()).method], [201, "OPTIONS"]);
});

Deno.test("a user's token reaches the function with the name of the key it was signed with", async () => {
  const { headers, env } = await (await call("report", bearer(await userToken()))).json();
  const header = JSON.parse(atob(headers.authorization.replace("Bearer ", "").split(".")[0]));
  assertEquals(header.kid, JSON.parse(env.SUPABASE_JWKS).keys[0].kid);
});

Deno.test("a large upload goes through whole, and a response arrives while it is still being made", async () => {
  const size = 8 * 1024 * 1024;
  assertEquals((await (await call("report", { method: "POST", body: new Uint8Array(size) })).json()).body, size);
  const reader = (await call("report/stream")).body?.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await reader?.read())?.value, "one,");
  await (await call("report/go-on")).body?.cancel();
  assertEquals((await reader?.read())?.value, "two");
  await reader?.cancel();
});

Deno.test("a function cannot run programs", async () => {
  assertMatch(await (await call("report/run")).json(), /NotCapable/);
});
