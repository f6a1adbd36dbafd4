// Broadcast on the local Realtime: over the socket, over HTTP, from the database, and again for whoever comes late.
import { assert, assertEquals } from "@std/assert";
import { addMember, anonymous, createProject, signUp } from "../support/actors.ts";
import { stack } from "../support/stack.ts";
import { inDatabase, listen } from "./realtime_fixture.ts";

const room = () => `room-${crypto.randomUUID()}`;
const shown = (messages: { event: string; payload: unknown }[]) =>
  messages.map(({ event, payload }) => [event, payload]);

Deno.test("a broadcast reaches the others on its topic, not its sender and not other topics", async () => {
  const topic = room();
  await using sender = await listen(anonymous(), topic);
  await using other = await listen(anonymous(), topic);
  await using elsewhere = await listen(anonymous(), room());
  await sender.channel.send({ type: "broadcast", event: "moved", payload: { x: 1 } });
  await sender.channel.send({ type: "broadcast", event: "moved", payload: { x: 2 } });
  assertEquals(shown(await other.hears(2)), [["moved", { x: 1 }], ["moved", { x: 2 }]]);
  assertEquals([sender.heard, elsewhere.heard], [[], []]);
});

Deno.test("with self the sender hears it too, and with ack it is told that it was sent", async () => {
  await using sender = await listen(anonymous(), room(), { broadcast: { self: true, ack: true } });
  assertEquals(await sender.channel.send({ type: "broadcast", event: "moved", payload: { x: 1 } }), "ok");
  assertEquals(shown(await sender.hears(1)), [["moved", { x: 1 }]]);
});

Deno.test("bytes arrive as bytes", async () => {
  const topic = room();
  await using sender = await listen(anonymous(), topic);
  await using other = await listen(anonymous(), topic);
  await sender.channel.send({ type: "broadcast", event: "bytes", payload: Uint8Array.of(0, 255, 7).buffer });
  const [message] = await other.hears(1);
  assertEquals([...new Uint8Array(message.payload)], [0, 255, 7]);
});

Deno.test("a thousand broadcasts arrive complete and in order", async () => {
  const topic = room();
  await using sender = await listen(anonymous(), topic);
  await using other = await listen(anonymous(), topic);
  for (let n = 0; n < 1000; n++) void sender.channel.send({ type: "broadcast", event: "n", payload: { n } });
  const heard = await other.hears(1000);
  assertEquals(heard.map(({ payload }) => payload.n), Array.from({ length: 1000 }, (_, n) => n));
});

Deno.test("five thousand broadcasts straight after joining a private channel arrive complete and in order", async () => {
  const [owner, member] = [await signUp(), await signUp()];
  const projectId = await createProject(owner);
  await addMember(owner, projectId, member, "editor");
  await using listener = await listen(member.client, `project:${projectId}`, { private: true });
  await using sender = await listen(owner.client, `project:${projectId}`, { private: true });
  for (let n = 0; n < 5000; n++) void sender.channel.send({ type: "broadcast", event: "n", payload: { n } });
  const heard = await listener.hears(5000);
  assertEquals(heard.map(({ payload }) => payload.n), Array.from({ length: 5000 }, (_, n) => n));
  assertEquals(sender.states, ["SUBSCRIBED"]);
});

Deno.test("a public and a private channel of one name are two", async () => {
  const owner = await signUp();
  const topic = `project:${await createProject(owner)}`;
  await using isPrivate = await listen(owner.client, topic, { private: true });
  await using isPublic = await listen(anonymous(), topic);
  await isPublic.channel.send({ type: "broadcast", event: "forged", payload: {} });
  await inDatabase((sql) => sql`select realtime.send('{"n":1}', 'told', ${topic}, true)`);
  assertEquals((await isPrivate.hears(1)).map(({ event }) => event), ["told"]);
  assertEquals(isPublic.heard, []);
});

Deno.test("what the database sends arrives with its id, and only when it was committed", async () => {
  const topic = room();
  await using listener = await listen(anonymous(), topic);
  await inDatabase(async (sql) => {
    await sql.begin(async (tx) => {
      await tx`select realtime.send('{"n":0}', 'told', ${topic}, false)`;
      throw new Error("rolled back");
    }).catch(() => {});
    await sql`select realtime.send('{"n":1}', 'told', ${topic}, false)`;
  });
  const [{ event, payload: { n, id }, meta }] = await listener.hears(1);
  assertEquals([event, n, meta.id], ["told", 1, id]);
});

Deno.test("a message over HTTP arrives, whether it is alone or in a batch", async () => {
  const topic = room();
  await using listener = await listen(anonymous(), topic);
  const client = anonymous();
  const channel = client.channel(topic);
  assertEquals(await channel.httpSend("alone", { n: 1 }), { success: true });
  const answer = await fetch(`${stack.url}/realtime/v1/api/broadcast`, {
    method: "POST",
    headers: { apikey: stack.publishableKey, "content-type": "application/json" },
    body: JSON.stringify({ messages: [2, 3].map((n) => ({ topic, event: "batch", payload: { n } })) }),
  });
  assertEquals([answer.status, await answer.text()], [202, ""]);
  assertEquals(shown(await listener.hears(3)), [["alone", { n: 1 }], ["batch", { n: 2 }], ["batch", { n: 3 }]]);
});

const wrongRequests: [string, number, RequestInit & { path?: string }][] = [
  ["without a key", 401, { headers: { "content-type": "application/json" }, body: "{}" }],
  ["that is not JSON", 422, { body: "{" }],
  ["without messages", 422, { body: "{}" }],
  ["that nests too deeply", 422, { body: `${'{"0":'.repeat(20_000)}1${"}".repeat(20_000)}`, path: "/room/events/x" }],
  ["of more than 3 MB", 413, { body: "x".repeat(3_000_001) }],
  ["whose topic is not well encoded", 400, { body: "{}", path: "/%E0%A4%A/events/x" }],
  ["of bytes with an event that is too long for them", 422, {
    body: Uint8Array.of(1),
    headers: { "content-type": "application/octet-stream" },
    path: `/room/events/${"e".repeat(256)}`,
  }],
  ["of another type", 415, { body: "x", headers: { "content-type": "text/plain", apikey: "" } }],
  ["to a private topic one may not send to", 403, { body: "{}", path: "/project:1/events/x?private=true" }],
];
for (const [what, status, { path = "", ...init }] of wrongRequests) {
  Deno.test(`an HTTP broadcast ${what} is refused with ${status}`, async () => {
    const headers = new Headers({
      apikey: stack.publishableKey,
      "content-type": "application/json",
      ...init.headers as object,
    });
    if (status === 401) headers.delete("apikey");
    if (headers.get("apikey") === "") headers.set("apikey", stack.publishableKey);
    const answer = await fetch(`${stack.url}/realtime/v1/api/broadcast${path}`, { method: "POST", ...init, headers });
    await answer.body?.cancel();
    assertEquals(answer.status, status);
  });
}

Deno.test("of an HTTP broadcast that is too large no more is read than shows it", async () => {
  let sent = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (sent++ < 100) controller.enqueue(new Uint8Array(1_000_000));
      else controller.close();
    },
  });
  const headers = { apikey: stack.publishableKey, "content-type": "application/json" };
  const answer = await fetch(`${stack.url}/realtime/v1/api/broadcast`, { method: "POST", headers, body });
  await answer.body?.cancel();
  assertEquals(answer.status, 413);
  assert(sent < 100, `All ${sent} MB were taken`);
});

Deno.test("in an HTTP batch a private message that may not be sent is left out in silence", async () => {
  const [owner, stranger] = [await signUp(), await signUp()];
  const topic = `project:${await createProject(owner)}`;
  await using listener = await listen(owner.client, topic, { private: true });
  for (const { token } of [stranger, owner]) {
    const answer = await fetch(`${stack.url}/realtime/v1/api/broadcast`, {
      method: "POST",
      headers: {
        apikey: stack.publishableKey,
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({
        messages: [{ topic, event: "said", payload: { owner: token === owner.token }, private: true }],
      }),
    });
    assertEquals(answer.status, 202);
    await answer.body?.cancel();
  }
  assertEquals(shown(await listener.hears(1)), [["said", { owner: true }]]);
});

Deno.test("who comes late to a private topic can hear its newest messages again, oldest first", async () => {
  const owner = await signUp();
  const topic = `project:${await createProject(owner)}`;
  const since = Date.now() - 1000;
  await inDatabase(async (sql) => {
    for (let n = 0; n < 4; n++) await sql`select realtime.send(${sql.json({ n })}, 'told', ${topic})`;
  });
  await using late = await listen(owner.client, topic, { private: true, broadcast: { replay: { since, limit: 3 } } });
  const heard = await late.hears(3);
  assertEquals(heard.map(({ payload, meta }) => [payload.n, meta.replayed]), [[1, true], [2, true], [3, true]]);
});

Deno.test("a replay since a moment that no calendar has is refused in words", async () => {
  const owner = await signUp();
  const topic = `project:${await createProject(owner)}`;
  await using late = await listen(owner.client, topic, { private: true, broadcast: { replay: { since: 1e300 } } });
  assertEquals(late.states, ["CHANNEL_ERROR UnableToReplayMessages: Replay params are not valid"]);
});

Deno.test("a client of protocol version 1 hears and is heard", async () => {
  const topic = room();
  await using other = await listen(anonymous(), topic);
  const socket = new WebSocket(
    `${stack.url.replace("http", "ws")}/realtime/v1/websocket?apikey=${stack.publishableKey}&vsn=1.0.0`,
  );
  const frames: Record<string, unknown>[] = [];
  socket.onmessage = ({ data }) => frames.push(JSON.parse(data));
  await new Promise((resolve) => socket.onopen = resolve);
  const send = (event: string, payload: unknown, ref: string) =>
    socket.send(JSON.stringify({ topic: `realtime:${topic}`, event, payload, ref, join_ref: "1" }));
  send("phx_join", { config: {} }, "1");
  send("broadcast", { type: "broadcast", event: "old", payload: { n: 1 } }, "2");
  assertEquals(shown(await other.hears(1)), [["old", { n: 1 }]]);
  await other.channel.send({ type: "broadcast", event: "new", payload: { n: 2 } });
  while (frames.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  assert(!("join_ref" in (frames[0] ?? {})));
  assertEquals(frames[1], {
    topic: `realtime:${topic}`,
    event: "broadcast",
    payload: { type: "broadcast", event: "new", payload: { n: 2 } },
    ref: null,
  });
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
});
