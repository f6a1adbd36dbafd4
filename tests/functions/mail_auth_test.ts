// Invitations that Supabase Auth carries, the whole way and with nothing stood in for: its message, its link, the sign-in
// that the link brings, and the acceptance by the token that came along.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { signUp } from "../support/actors.ts";
import { stack } from "../support/stack.ts";
import { type FunctionProcess, platformEnvironment, startFunctionProcess } from "./function_process.ts";
import { createTeam, type Project } from "./project.ts";

let team: Project;
let process: FunctionProcess;
Deno.test.beforeAll(async () => {
  team = await createTeam();
  // An address of this machine that does not say so, as on the platform.
  const url = stack.url.replace("127.0.0.1", "0.0.0.0");
  process = await startFunctionProcess("invite-collaborator", await platformEnvironment(url));
});
Deno.test.afterAll(async () => await process[Symbol.asyncDispose]());

async function post(path: string, token: string, body: Record<string, unknown>) {
  const response = await fetch(process.url + path, {
    method: "POST",
    headers: { apikey: stack.publishableKey, authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/** The newest message to an address; the function does not wait for it. */
async function messageTo(email: string): Promise<{ text: string; html: string }> {
  for (;;) {
    const messages = await (await fetch(`${stack.url}/mail`, { headers: { accept: "application/json" } })).json();
    const message = messages.find(({ to }: { to: string }) => to === email);
    if (message) return message;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Invites an address, follows the link in the message as its reader does, and accepts. */
async function inviteAndAccept(email: string) {
  assertEquals(
    (await post("", team.owner.token, { project_id: team.id, email, role: "viewer" })).body.invitation.status,
    "pending",
  );
  const { text, html } = await messageTo(email);
  const response = await fetch(/http\S+\/auth\/v1\/verify\S+/.exec(text)?.[0] ?? "", { redirect: "manual" });
  await response.body?.cancel();
  const page = new URL(response.headers.get("location") ?? "");
  const session = new URLSearchParams(page.hash.slice(1)).get("access_token") ?? "";
  const accepted = await post("/accept", session, { token: page.searchParams.get("token") });
  return { page: page.pathname, html, accepted: [accepted.status, accepted.body.collaborator?.role] };
}

Deno.test("mail by Auth: who has no account gets one by the link, and is in the project by its token", async () => {
  const { page, html, accepted } = await inviteAndAccept(`new-${crypto.randomUUID()}@example.com`);
  assertEquals([page, accepted], ["/invitations/accept", [200, "viewer"]]);
  assertStringIncludes(html, "<strong>A project</strong> as viewer");
});

Deno.test("mail by Auth: who has an account is signed in by the link, and is in the project by its token", async () => {
  const { email } = await signUp("invited");
  const { page, accepted } = await inviteAndAccept(email);
  assertEquals([page, accepted], ["/invitations/accept", [200, "viewer"]]);
});
