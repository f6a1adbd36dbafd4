// Who carries an invitation: Resend with its key, the mailbox of a local stack, and Supabase Auth elsewhere. Resend, and an
// Auth that refuses, are stood in for by a server that answers as they do; mail_auth_test.ts has Auth itself.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { type Body } from "../support/http.ts";
import { stack } from "../support/stack.ts";
import { type FunctionProcess, platformEnvironment, startFunctionProcess } from "./function_process.ts";
import { anotherProject, createTeam, type Project } from "./project.ts";

interface Received {
  path: string;
  query: URLSearchParams;
  body: Body;
  key: string | null;
}

const received: Received[] = [];
/** Addresses that Auth says have an account. */
const known = new Set<string>();
let isDown = false;
/** Auth sends nobody two links within a minute, and none to who is banned; an invite it never refuses for that. */
let isTooSoon = false;
/** Without a mail server of the project's own Auth mails to its team alone, and says to whom it did not. */
let isForTheTeam = false;

/** The stack, but for Auth's ways to send mail. */
const way = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
  const url = new URL(request.url);
  if (/^(\/auth\/v1\/(invite|otp)|\/emails)$/.test(url.pathname)) {
    const body = await request.json();
    const key = request.headers.get("apikey") ?? request.headers.get("authorization");
    received.push({ path: url.pathname, query: url.searchParams, body, key });
    if (isDown) return Response.json({ msg: "mail server down" }, { status: 500 });
    if (isForTheTeam) {
      const msg = `Email address "${body.email}" cannot be used as it is not authorized`;
      return Response.json({ code: 400, error_code: "email_address_not_authorized", msg }, { status: 400 });
    }
    if (url.pathname.endsWith("invite") && known.has(body.email)) {
      return Response.json({ code: 422, error_code: "email_exists", msg: "registered" }, { status: 422 });
    }
    if (url.pathname.endsWith("otp") && isTooSoon) {
      return Response.json({ code: 429, error_code: "over_email_send_rate_limit", msg: "wait" }, { status: 429 });
    }
    return Response.json(url.pathname.endsWith("invite") ? { id: crypto.randomUUID(), email: body.email } : {});
  }
  const headers = new Headers(request.headers);
  headers.delete("host");
  return await fetch(stack.url + url.pathname + url.search, { method: request.method, headers, body: request.body });
});

let team: Project;
let process: FunctionProcess;
let withResend: FunctionProcess;
Deno.test.beforeAll(async () => {
  team = await createTeam();
  // An address of this machine that does not say so, as on the platform.
  const url = `http://0.0.0.0:${way.addr.port}`;
  const environment = { ...await platformEnvironment(url), SITE_URL: "https://app.example.com" };
  process = await startFunctionProcess("invite-collaborator", environment);
  withResend = await startFunctionProcess("invite-collaborator", {
    ...environment,
    RESEND_URL: url,
    RESEND_API_KEY: "re_key",
    MAIL_FROM: "Genesis <no-reply@example.com>",
  });
});
Deno.test.afterAll(async () => {
  await process[Symbol.asyncDispose]();
  await withResend[Symbol.asyncDispose]();
  await way.shutdown();
});

async function ask(project: Project, method: string, path: string, body?: Body, { url } = process) {
  const response = await fetch(url + path, {
    method,
    headers: {
      apikey: stack.publishableKey,
      authorization: `Bearer ${project.owner.token}`,
      "content-type": "application/json",
    },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: (text ? JSON.parse(text) : null) as Body };
}

const invite = (project: Project, email: string, through = process) =>
  ask(project, "POST", "", { project_id: project.id, email, role: "viewer" }, through);

const until = (isSo: () => boolean) => eventually(() => Promise.resolve(isSo()), (is) => is);

async function sentTo(email: string, path: string): Promise<Received> {
  const find = () => received.find((each) => (each.body.email ?? each.body.to) === email && each.path.endsWith(path));
  const found = await eventually(() => Promise.resolve(find()), (each) => each !== undefined);
  if (!found) throw new Error(`Nothing was sent to ${email}`);
  return found;
}

Deno.test("mail carriers: who has an account is sent a link to the site's own page, and Auth is told to make no account", async () => {
  const email = `known-${crypto.randomUUID()}@example.com`;
  known.add(email);
  assertEquals((await invite(await anotherProject(team), email)).status, 201);
  const { query, body } = await sentTo(email, "/otp");
  assertStringIncludes(query.get("redirect_to") ?? "", "https://app.example.com/invitations/accept?token=");
  assertEquals(body.create_user, false);
});

Deno.test("mail carriers: nobody can tell by waiting: with Auth the answer does not wait for the mail", async () => {
  isDown = true;
  try {
    const project = await anotherProject(team);
    const { status, body } = await invite(project, `down-${crypto.randomUUID()}@example.com`);
    assertEquals([status, body.invitation.status], [201, "pending"]);
    await until(() => process.log().includes("invitation_not_mailed"));
    assert(!process.log().includes("@example.com") && !process.log().includes("token="), "An address is in the log");
  } finally {
    isDown = false;
  }
});

Deno.test("mail carriers: why Auth sent no mail is on the log with the invitation's id, and the address is not", async () => {
  isForTheTeam = true;
  try {
    const email = `guest-${crypto.randomUUID()}@example.com`;
    const { body: { invitation } } = await invite(await anotherProject(team), email);
    const find = () => process.log().split("\n").find((each) => each.includes(invitation.id));
    const line = await eventually(() => Promise.resolve(find()), (each) => each !== undefined);
    assertStringIncludes(line ?? "", '"reason":"email_address_not_authorized"');
    assert(!process.log().includes(email), "The address is in the log");
  } finally {
    isForTheTeam = false;
  }
});

Deno.test("mail carriers: nobody can tell by what becomes of it: what Auth refuses stays pending, and can be sent again", async () => {
  isTooSoon = true;
  try {
    const project = await anotherProject(team);
    const failures = () => process.log().split("invitation_not_mailed").length;
    const fates = [];
    for (const isKnown of [true, false]) {
      const email = `fate-${crypto.randomUUID()}@example.com`;
      if (isKnown) known.add(email);
      const before = failures();
      const { body: { invitation } } = await invite(project, email);
      await (isKnown ? until(() => failures() > before) : sentTo(email, "/invite"));
      const listed = await ask(project, "GET", `?project_id=${project.id}`);
      const statuses = listed.body.invitations.filter((each: Body) => each.email === email).map((each: Body) =>
        each.status
      );
      const resent = await ask(project, "POST", "/resend", { invitation_id: invitation.id });
      const revoked = await ask(project, "DELETE", `/${invitation.id}`);
      fates.push([statuses, resent.status, revoked.status]);
    }
    assertEquals(fates, [[["pending"], 200, 204], [["pending"], 200, 204]]);
  } finally {
    isTooSoon = false;
  }
});

Deno.test("mail carriers: with its key Resend gets the whole message, whoever it is for", async () => {
  const email = `resend-${crypto.randomUUID()}@example.com`;
  assertEquals((await invite(await anotherProject(team), email, withResend)).status, 201);
  const { body, key } = await sentTo(email, "/emails");
  assertEquals([body.from, body.subject, key], [
    "Genesis <no-reply@example.com>",
    "You are invited to A project",
    "Bearer re_key",
  ]);
  for (const text of [body.text, body.html]) {
    assertStringIncludes(text, "https://app.example.com/invitations/accept?token=");
  }
});

Deno.test("mail carriers: where Resend refuses, the caller is told, and the invitation is withdrawn", async () => {
  isDown = true;
  try {
    const project = await anotherProject(team);
    const { status, body } = await invite(project, `down-${crypto.randomUUID()}@example.com`, withResend);
    assertEquals([status, body.error.code], [503, "unavailable"]);
    const { data } = await project.owner.client.from("project_invitations").select("id").eq("project_id", project.id);
    assertEquals(data, []);
  } finally {
    isDown = false;
  }
});
