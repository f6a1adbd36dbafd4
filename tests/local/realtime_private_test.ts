// Private topics on the local Realtime: the policies on realtime.messages decide, for as long as a channel is open.
import { assertEquals, assertMatch } from "@std/assert";
import { addMember, anonymous, createProject, type Person, signUp, worker } from "../support/actors.ts";
import { eventually, inDatabase, listen, type Listener } from "./realtime_fixture.ts";

interface Team {
  owner: Person;
  viewer: Person;
  stranger: Person;
  projectId: string;
  topic: string;
}

async function createTeam(): Promise<Team> {
  const [owner, viewer, stranger] = await Promise.all([signUp(), signUp(), signUp()]);
  const projectId = await createProject(owner);
  await addMember(owner, projectId, viewer, "viewer");
  const topic = `project:${projectId}`;
  // Whoever listens from now on is told nothing more of how the team was made.
  await using witness = await listen(worker(), topic, isPrivate);
  await told(topic, 0);
  await eventually(() => Promise.resolve(witness.heard), (heard) => heard.some(({ event }) => event === "told"));
  return { owner, viewer, stranger, projectId, topic };
}

const told = (topic: string, n: number) =>
  inDatabase((sql) => sql`select realtime.send(${sql.json({ n })}, 'told', ${topic})`);
const states = ({ states }: Listener, count: number) =>
  eventually(() => Promise.resolve(states), (all) => all.length >= count);
const isPrivate = { private: true, broadcast: { ack: true } };

Deno.test("members hear what happens in their project, a stranger and someone without an account cannot join", async () => {
  const { owner, viewer, stranger, topic } = await createTeam();
  await using first = await listen(owner.client, topic, isPrivate);
  await using second = await listen(viewer.client, topic, isPrivate);
  for (const client of [stranger.client, anonymous()]) {
    await using outside = await listen(client, topic, isPrivate);
    assertMatch(outside.states[0] ?? "", /^CHANNEL_ERROR Unauthorized: You do not have permissions to read from this/);
  }
  await told(topic, 1);
  assertEquals([(await first.hears(1)).length, (await second.hears(1)).length], [1, 1]);
});

Deno.test("a worker hears every project", async () => {
  const { topic } = await createTeam();
  await using listener = await listen(worker(), topic, isPrivate);
  await told(topic, 1);
  assertEquals((await listener.hears(1)).length, 1);
});

Deno.test("a change in the project arrives as ids and states", async () => {
  const { owner, viewer, projectId, topic } = await createTeam();
  await using listener = await listen(viewer.client, topic, isPrivate);
  await owner.client.rpc("save_artifact", { project_id: projectId, file_path: "a.ts", content: "secret" });
  const [{ event, payload: { artifacts: [artifact] } }] = await listener.hears(1);
  assertEquals([event, artifact.file_path, artifact.version, "content" in artifact], ["artifacts", "a.ts", 1, false]);
});

Deno.test("who may only read hears, but is not heard", async () => {
  const { owner, stranger: admin, topic } = await createTeam();
  await inDatabase((sql) => sql`update public.profiles set role = 'admin' where id = ${admin.id}`);
  await using member = await listen(owner.client, topic, isPrivate);
  await using reader = await listen(admin.client, topic, { private: true });
  await reader.channel.send({ type: "broadcast", event: "said", payload: {} });
  await member.channel.send({ type: "broadcast", event: "answered", payload: {} });
  assertEquals((await reader.hears(1)).map(({ event }) => event), ["answered"]);
  assertEquals(member.heard, []);
});

Deno.test("a member who is removed hears of it, and nothing more", async () => {
  const { owner, viewer, projectId, topic } = await createTeam();
  await using staying = await listen(owner.client, topic, isPrivate);
  await using removed = await listen(viewer.client, topic, isPrivate);
  await owner.client.from("project_collaborators").delete().eq("user_id", viewer.id).eq("project_id", projectId);
  const [{ event, payload }] = await removed.hears(1);
  assertEquals([event, payload.collaborators], ["collaborators", [{ user_id: viewer.id, role: null }]]);
  assertEquals(await states(removed, 2), ["SUBSCRIBED", "CLOSED"]);
  await told(topic, 1);
  assertEquals((await staying.hears(2)).length, 2);
  assertEquals(removed.heard.length, 1);
});

Deno.test("a chat that is no longer shared ends for the others", async () => {
  const { owner, viewer, projectId } = await createTeam();
  const { data: session } = await owner.client.from("chat_sessions").insert({ project_id: projectId, is_shared: true })
    .select("id").single();
  await using other = await listen(viewer.client, `chat:${session?.id}`, isPrivate);
  assertEquals(other.states, ["SUBSCRIBED"]);
  await owner.client.from("chat_sessions").update({ is_shared: false }).eq("id", session?.id ?? "");
  assertEquals(await states(other, 2), ["SUBSCRIBED", "CLOSED"]);
});

Deno.test("a token that is no longer good does not let in, and one that was never good neither", async () => {
  const { topic } = await createTeam();
  for (const [token, reason] of [["not.a.token", /^MalformedJWT/], [await forged(), /^JwtSignatureError/]] as const) {
    const client = anonymous();
    // Through the callback, which is where clients take their token from.
    client.realtime.accessToken = () => Promise.resolve(token);
    await using listener = await listen(client, topic, isPrivate);
    assertMatch((listener.states[0] ?? "").replace("CHANNEL_ERROR ", ""), reason);
  }
});

async function forged(): Promise<string> {
  const { SignJWT } = await import("jose");
  return await new SignJWT({ role: "service_role" }).setProtectedHeader({ alg: "HS256" }).setExpirationTime("1h")
    .sign(new TextEncoder().encode("another secret, of another stack, of this length"));
}
