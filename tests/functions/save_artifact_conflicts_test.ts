// Conflicts cost more than the requests that meet them: two texts of up to a mebibyte are read and compared. So they are
// worked out in turns, and nobody's keep another's waiting.
import { assertEquals } from "@std/assert";
import { call } from "../support/http.ts";
import { stack } from "../support/stack.ts";
import { platformEnvironment, startFunctionProcess } from "./function_process.ts";
import { createTeam } from "./project.ts";

/** The sides of conflicts that wait to be read, by who asks for them. */
const reading = new Map<string, number>();
const answered: string[] = [];
const [mayRead, sixAnswered, ownerReads] = [
  Promise.withResolvers<void>(),
  Promise.withResolvers<void>(),
  Promise.withResolvers<void>(),
];
let owner = "";

/** The stack's URL as the function knows it, where the sides of conflicts are read when the test says so. */
const way = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
  const { pathname, search } = new URL(request.url);
  const headers = new Headers(request.headers);
  headers.delete("host");
  const who = headers.get("authorization") ?? "";
  if (pathname === "/rest/v1/code_artifacts") {
    reading.set(who, (reading.get(who) ?? 0) + 1);
    if (who === owner) ownerReads.resolve();
    await mayRead.promise;
  }
  const reply = await fetch(stack.url + pathname + search, { method: request.method, headers, body: request.body });
  if (pathname === "/rest/v1/rpc/save_artifact" && answered.push(who) === 6) sixAnswered.resolve();
  return reply;
});
Deno.test.afterAll(() => way.shutdown());

Deno.test("save_artifact: of one person's conflicts two are worked out at once, and somebody else's beside them", async () => {
  const project = await createTeam();
  const { editor } = project;
  owner = `Bearer ${project.owner.token}`;
  for (const content of ["one", "two"]) {
    await call(editor, "save-artifact", { project_id: project.id, file_path: "a", content });
  }
  await using process = await startFunctionProcess(
    "save-artifact",
    await platformEnvironment(`http://127.0.0.1:${way.addr.port}`),
  );
  const save = async ({ token }: { token: string }) => {
    const response = await fetch(process.url, {
      method: "POST",
      headers: {
        apikey: stack.publishableKey,
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ project_id: project.id, file_path: "a", content: "mine", base_version: 1 }),
    });
    await response.body?.cancel();
    return response.status;
  };
  const answers = Array.from({ length: 6 }, () => save(editor));
  await sixAnswered.promise;
  answers.push(save(project.owner));
  await ownerReads.promise;
  const readForEditor = reading.get(`Bearer ${editor.token}`);
  mayRead.resolve();
  assertEquals(readForEditor, 2);
  assertEquals(await Promise.all(answers), Array(7).fill(409));
});
