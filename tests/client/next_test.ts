// The Next.js variants: a session in cookies, shared by browser and server, renewed by the proxy.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createServerGenesis, renewSession } from "../../shared/client/next/server.ts";
import { createProject, signUp } from "../support/actors.ts";
import { stack } from "../support/stack.ts";

const access = { url: stack.url, publishableKey: stack.publishableKey };

/** A browser's cookies, as next/headers hands them to the server. */
class Cookies {
  readonly jar = new Map<string, string>();
  getAll = () => [...this.jar].map(([name, value]) => ({ name, value }));
  set(name: string, value: string): void {
    if (value === "") this.jar.delete(name);
    else this.jar.set(name, value);
  }
}

const responded = () => ({ cookies: new Cookies(), headers: new Headers() });

/** The access token's end is moved into the past; the refresh token is as good as before. */
function expire(cookies: Cookies): void {
  for (const [name, value] of cookies.jar) {
    const session = JSON.parse(atob(value.replace("base64-", "").replaceAll("-", "+").replaceAll("_", "/")));
    session.expires_at = 1;
    cookies.set(
      name,
      `base64-${btoa(JSON.stringify(session)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`,
    );
  }
}

async function signIn(cookies: Cookies) {
  const person = await signUp("next");
  const genesis = createServerGenesis(access, cookies);
  const { error } = await genesis.supabase.auth.signInWithPassword({
    email: person.email,
    password: "correct-horse-battery-staple",
  });
  assert(!error, error?.message);
  return person;
}

Deno.test("a session that one request put into the cookies is who the next request speaks as", async () => {
  const cookies = new Cookies();
  const person = await signIn(cookies);
  const projectId = await createProject(person);
  const genesis = createServerGenesis(access, cookies);
  const { project } = await genesis.project(projectId).read({ parts: ["project"] });
  assertEquals([project.owner_id, genesis.supabase.getChannels()], [person.id, []]);
  const { artifact } = await genesis.saveArtifact({ project_id: projectId, file_path: "a.txt", content: "a" });
  assertEquals(artifact.created_by, person.id);
});

Deno.test("without cookies a request is nobody's", async () => {
  assertEquals(await renewSession(access, { cookies: new Cookies() }, responded()), null);
});

/** Auth as a stack has it that is starting, or not there at all. */
const ABSENCES: [string, number | undefined][] = [
  ["cannot be reached", undefined],
  ["says that it is not available", 503],
  ["fails", 500],
  ["has been asked too often", 429],
];
for (const [how, status] of ABSENCES) {
  Deno.test(`whose a session is is not known where Auth ${how}, and nobody's is nobody's`, async () => {
    const cookies = new Cookies();
    await signIn(cookies);
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
      return Response.json({ message: "not now" }, { status: status ?? 200 });
    });
    const url = `http://127.0.0.1:${status === undefined ? 1 : server.addr.port}`;
    const answers = [cookies, new Cookies()].map((cookies) =>
      renewSession({ ...access, url }, { cookies }, responded())
    );
    assertEquals(await Promise.all(answers), [undefined, null]);
    assert(cookies.jar.size > 0, "The session is gone");
  });
}

Deno.test("the proxy answers whose session it is, and renews one that has run out, in request and response", async () => {
  const request = new Cookies();
  const person = await signIn(request);
  assertEquals(await renewSession(access, { cookies: request }, responded()), person.id);
  expire(request);
  const before = request.getAll();
  const response = responded();
  assertEquals(await renewSession(access, { cookies: request }, response), person.id);
  assert(response.cookies.jar.size > 0, "The response carries no renewed session");
  assert(JSON.stringify(request.getAll()) !== JSON.stringify(before), "The request still carries the old session");
});

Deno.test("a response that carries a renewed session is nobody's to store, one without may be stored", async () => {
  const cookies = new Cookies();
  await signIn(cookies);
  const [before, after] = [responded(), responded()];
  await renewSession(access, { cookies }, before);
  expire(cookies);
  await renewSession(access, { cookies }, after);
  assertEquals(before.headers.get("cache-control"), null);
  assertStringIncludes(after.headers.get("cache-control") ?? "", "no-store");
});

Deno.test("a Server Component that may not write cookies is no failure", async () => {
  const cookies = new Cookies();
  await signIn(cookies);
  const readOnly = {
    getAll: cookies.getAll,
    set() {
      throw new Error("Cookies can only be modified in a Server Action or Route Handler");
    },
  };
  const genesis = createServerGenesis(access, readOnly);
  const { error } = await genesis.supabase.auth.refreshSession();
  assertEquals(error, null);
});
