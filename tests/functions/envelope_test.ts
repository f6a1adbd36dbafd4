// What holds on every route: request ids, CORS, 404, 405, trailing slashes, /health. Bodies have body_test.ts.
import { assert, assertEquals, assertMatch, assertNotEquals, fail } from "@std/assert";
import { createProject, signUp, worker } from "../support/actors.ts";
import { FUNCTIONS } from "../support/functions.ts";
import { assertRefused, call } from "../support/http.ts";
import { stack } from "../support/stack.ts";
import { forge } from "./credentials.ts";
import { CONTRACTS, GUARDED_ROUTES, methodsOf } from "./routes.ts";

const send = (path: string, init: RequestInit = {}) => fetch(`${stack.url}/functions/v1/${path}`, init);
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

Deno.test("envelope: the list of contracts is the list of functions", () => {
  assertEquals(CONTRACTS.map(({ slug }) => slug).sort(), [...FUNCTIONS].sort());
});

for (const { path, operation: { method } } of GUARDED_ROUTES) {
  const route = `${method} /${path}`;
  const body = method === "GET" ? undefined : "{}";

  Deno.test(`envelope: ${route} gives a sane x-request-id back, in header and body`, async () => {
    for (const id of ["a", "req_01.A-z:9", "x".repeat(128), crypto.randomUUID()]) {
      const reply = await call("nobody", path, body, { method, headers: { "x-request-id": id } });
      assertRefused(reply, "unauthorized");
      assertEquals([reply.headers.get("x-request-id"), reply.body.error.request_id], [id, id]);
    }
  });

  Deno.test(`envelope: ${route} replaces an x-request-id that could do harm`, async () => {
    for (const id of ["", "a b", "x".repeat(129), 'a"b', "<script>", "ü", "a,b", "%0d%0a"]) {
      const reply = await call("nobody", path, body, { method, headers: { "x-request-id": id } });
      assertMatch(reply.body.error.request_id, UUID);
      assertNotEquals(reply.headers.get("x-request-id"), id);
    }
  });

  Deno.test(`envelope: ${route} answers a preflight for every header that supabase-js may send`, async () => {
    // The list of @supabase/supabase-js/cors, the region of functions.invoke(), and our own two.
    const wanted = ["authorization", "x-client-info", "apikey", "content-type", "x-retry-count", "traceparent"]
      .concat("tracestate", "baggage", "x-region", "idempotency-key", "x-request-id");
    const response = await send(path, {
      method: "OPTIONS",
      headers: {
        "origin": "https://app.example.com",
        "access-control-request-method": method,
        "access-control-request-headers": wanted.join(","),
      },
    });
    await response.body?.cancel();
    assert(response.ok, `Expected success: got ${response.status}`);
    assertEquals(response.headers.get("access-control-allow-origin"), "*");
    const list = (name: string) => (response.headers.get(name) ?? "").toLowerCase().split(/\s*,\s*/);
    assertEquals(wanted.filter((header) => !list("access-control-allow-headers").includes(header)), []);
    assert(list("access-control-allow-methods").includes(method.toLowerCase()));
    assertEquals(response.headers.get("access-control-allow-credentials"), null);
  });

  Deno.test(`envelope: ${route} lets a page of any origin read its refusals and their request id`, async () => {
    const response = await send(path, { method, headers: { origin: "https://app.example.com" } });
    await response.body?.cancel();
    assertEquals([response.status, response.headers.get("access-control-allow-origin")], [401, "*"]);
    assertMatch(response.headers.get("access-control-expose-headers") ?? "", /\bx-request-id\b/i);
  });

  for (const wrong of ["GET", "PUT", "PATCH", "DELETE", "POST"].filter((each) => !methodsOf(path).includes(each))) {
    Deno.test(`envelope: ${wrong} /${path} is method_not_allowed and says what is allowed`, async () => {
      const reply = await call("worker", path, undefined, { method: wrong });
      assertRefused(reply, "method_not_allowed");
      assertEquals((reply.headers.get("allow") ?? "").split(/\s*,\s*/).includes(method), true);
    });
  }

  const status = methodsOf(path).includes("GET") ? 401 : 405;
  Deno.test(`envelope: HEAD /${path} without a credential is ${status}, without a body`, async () => {
    const response = await send(path, { method: "HEAD" });
    assertEquals([response.status, await response.text()], [status, ""]);
  });

  Deno.test(`envelope: ${route} means the same with a slash at its end`, async () => {
    assertRefused(await call("nobody", `${path}/`, body, { method }), "unauthorized");
    assertRefused(await call("worker", `${path}/`, "{}", { method: "PUT" }), "method_not_allowed");
  });

  Deno.test(`envelope: ${route} with a query behind it is the same route`, async () => {
    assertRefused(await call("nobody", `${path}?a=b&c`, body, { method }), "unauthorized");
  });
}

for (const { slug } of CONTRACTS) {
  Deno.test(`envelope: /${slug} has no other routes, for anyone`, async () => {
    for (const path of ["nope", "claim/nope", "_shared", "..%2f..%2fetc", "%00", "health/x", "toString", "__proto__"]) {
      for (const method of ["GET", "POST"]) {
        assertRefused(await call("worker", `${slug}/${path}`, undefined, { method }), "route_not_found");
      }
    }
  });

  Deno.test(`envelope: /${slug}/health answers anyone that it is well, and nothing else`, async () => {
    for (const path of ["health", "health/"]) {
      const reply = await call("nobody", `${slug}/${path}`, undefined, { method: "GET" });
      assertEquals([reply.status, reply.body], [200, { status: "ok" }]);
      assertEquals(reply.headers.get("access-control-allow-origin"), "*");
      assertMatch(reply.headers.get("x-request-id") ?? "", UUID);
    }
    assertRefused(await call("worker", `${slug}/health`, "{}"), "method_not_allowed");
    const head = await send(`${slug}/health`, { method: "HEAD" });
    assertEquals([head.status, await head.text()], [200, ""]);
  });
}

Deno.test("envelope: functions.invoke of supabase-js works for a person and for a worker", async () => {
  const person = await signUp();
  const project_id = await createProject(person);
  for (const [content, client] of [["person", person.client], ["worker", worker()]] as const) {
    const answer = await client.functions.invoke("save-artifact", {
      body: { project_id, file_path: "a.txt", content },
    });
    assertEquals([answer.error, answer.data?.artifact?.content], [null, content]);
    const claimed = await client.functions.invoke("complete-task/claim", {
      body: { worker_id: "w", agent_types: ["architect"], project_id },
    });
    assertEquals([claimed.error, claimed.data], [null, { tasks: [] }]);
  }
});

Deno.test("envelope: a token that was taken a moment ago is refused once it has expired", async () => {
  const person = await signUp();
  const body = { worker_id: "w", agent_types: ["architect"] };
  // On a slow machine a short life is over before the token is taken.
  for (const seconds of [2, 8, 32]) {
    const exp = Math.floor(Date.now() / 1000) + seconds;
    const token = await forge(person, { exp });
    const { status } = await call({ token }, "complete-task/claim", body);
    if (status !== 200 && Date.now() > exp * 1000) continue;
    assertEquals(status, 200);
    await new Promise((resolve) => setTimeout(resolve, exp * 1000 + 1100 - Date.now()));
    return assertRefused(await call({ token }, "complete-task/claim", body), "unauthorized");
  }
  fail("No token lived long enough");
});

const FORM = '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--b--\r\n';

for (
  const [path, type, body] of [
    ["complete-task/claim", "application/json", '{"worker_id":"w","agent_types":["architect"]}'],
    ["upload-file", "multipart/form-data; boundary=b", FORM],
  ] as const
) {
  Deno.test(`envelope: a body that comes to ${path} when its token has expired is refused`, async () => {
    const exp = Math.floor(Date.now() / 1000) + 2;
    const token = await forge(await signUp(), { exp });
    const late = new ReadableStream({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode(body.slice(0, 10)));
        await new Promise((resolve) => setTimeout(resolve, exp * 1000 + 100 - Date.now()));
        controller.enqueue(new TextEncoder().encode(body.slice(10)));
        controller.close();
      },
    });
    assertRefused(await call({ token }, path, late, { headers: { "content-type": type } }), "unauthorized");
  });
}

Deno.test("envelope: what one person may do another may not, in the same process and moment", async () => {
  const [owner, stranger] = await Promise.all([signUp("owner"), signUp("stranger")]);
  const project_id = await createProject(owner);
  const save = (sender: typeof owner) =>
    call(sender, "save-artifact", { project_id, file_path: "a.txt", content: "text" });
  const replies = await Promise.all(Array.from({ length: 20 }, (_, index) => save(index % 2 === 0 ? owner : stranger)));
  replies.forEach((reply, index) =>
    assertEquals(reply.status < 300 ? "saved" : reply.body.error.code, index % 2 === 0 ? "saved" : "project_not_found")
  );
});

Deno.test("envelope: functions.invoke hands a refusal's code to its caller", async () => {
  const { client } = await signUp();
  const { error } = await client.functions.invoke("save-artifact", {
    body: { project_id: crypto.randomUUID(), file_path: "a.txt", content: "" },
  });
  const context: unknown = error?.context;
  assert(context instanceof Response, String(error));
  assertEquals([context.status, (await context.json()).error.code], [404, "project_not_found"]);
});

Deno.test("envelope: no answer may be kept on the way or taken for a page, refusals and files of text among them", async () => {
  const owner = await signUp("owner");
  const project_id = await createProject(owner);
  const asked = [
    `save-artifact/snapshot?project_id=${project_id}`,
    `save-artifact/snapshot?project_id=${project_id}&format=zip`,
    `invite-collaborator?project_id=${crypto.randomUUID()}`,
    "upload-file/nowhere",
    ...FUNCTIONS.map((name) => `${name}/health`),
  ];
  for (const path of asked) {
    const response = await send(path, { headers: { apikey: stack.secretKey } });
    await response.body?.cancel();
    const [kept, sniffed] = ["cache-control", "x-content-type-options"].map((name) => response.headers.get(name));
    assertEquals([path, kept, sniffed], [path, "no-store", "nosniff"]);
  }
});
