// Connections of the local Realtime: who gets one, what ends one, and what is left behind.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { SignJWT } from "jose";
import { anonymous, createProject, signUp } from "../support/actors.ts";
import { stack } from "../support/stack.ts";
import { eventually, inDatabase, listen } from "./realtime_fixture.ts";

const room = () => `room-${crypto.randomUUID()}`;
const socketUrl = (key: string) => `${stack.url.replace("http", "ws")}/realtime/v1/websocket?apikey=${key}&vsn=2.0.0`;

async function sign(claims: Record<string, unknown>, expires: number): Promise<string> {
  return await new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).setExpirationTime(expires)
    .sign(new TextEncoder().encode(stack.jwtSecret));
}
const now = () => Math.floor(Date.now() / 1000);

/** Tries with tokens of ever longer lives, in seconds: on a slow machine the shorter ones are over before they are used. */
async function withLives<T>(attempt: (seconds: number) => Promise<T | undefined>): Promise<T> {
  for (const seconds of [2, 8, 32]) {
    const result = await attempt(seconds);
    if (result !== undefined) return result;
  }
  throw new Error("No token lived long enough");
}

/** Joins with a token before it has expired; `renew` makes the client go on with another. */
const joinShortly = (topic: string, claims: Record<string, unknown>, config: Parameters<typeof listen>[2] = {}) =>
  withLives(async (seconds) => {
    let token = await sign(claims, now() + seconds);
    const client = anonymous();
    client.realtime.accessToken = () => Promise.resolve(token);
    const listener = await listen(client, topic, config);
    const renew = async (next: string) => {
      token = next;
      await client.realtime.setAuth();
    };
    if (listener.states[0] === "SUBSCRIBED") return Object.assign(listener, { seconds, renew });
    await listener[Symbol.asyncDispose]();
  });

const handshakes: [string, () => Promise<string>, string][] = [
  ["without a key", () => Promise.resolve(""), "API key is missing"],
  [
    "with a key of another stack",
    () => Promise.resolve("sb_publishable_other"),
    "The token provided is not a valid JWT",
  ],
  ["with an expired token", () => sign({ role: "anon" }, now() - 10), "Token has expired"],
  ["with a token that names no role", () => sign({}, now() + 10), "Fields `role` and `exp` are required in JWT"],
];
for (const [what, key, error] of handshakes) {
  Deno.test(`a handshake ${what} is refused with 401`, async () => {
    const answer = await fetch(socketUrl(await key()).replace("ws", "http"));
    assertEquals([answer.status, await answer.json()], [401, { error }]);
  });
}

interface Payload {
  status?: string;
  message?: string;
  response?: { reason?: string; postgres_changes?: { id: unknown }[] };
}

/** A raw socket and the frames that came. */
async function open() {
  const socket = new WebSocket(socketUrl(stack.publishableKey));
  const frames: [string | null, string | null, string, string, Payload][] = [];
  socket.onmessage = ({ data }) => frames.push(JSON.parse(data));
  const closed = new Promise<number>((resolve) => socket.onclose = ({ code }) => resolve(code));
  await new Promise((resolve) => socket.onopen = resolve);
  return {
    socket,
    closed,
    frames,
    send: (...frame: unknown[]) => socket.send(JSON.stringify(frame)),
    frame: (index: number) =>
      eventually(() => Promise.resolve(frames), (all) => all.length > index).then((all) => all[index]),
    async [Symbol.asyncDispose]() {
      socket.close();
      await closed;
    },
  };
}

Deno.test("a heartbeat is answered", async () => {
  await using client = await open();
  client.send(null, "7", "phoenix", "heartbeat", {});
  assertEquals(await client.frame(0), [null, "7", "phoenix", "phx_reply", { status: "ok", response: {} }]);
});

const oddFrames: [string, unknown[], string | undefined][] = [
  ["a push to a topic that was not joined", ["1", "2", "realtime:x", "broadcast", {}], "unmatched topic"],
  ["a join outside of realtime:", ["1", "1", "other:x", "phx_join", {}], "unmatched topic"],
  [
    "a join without a name",
    ["1", "1", "realtime:", "phx_join", {}],
    "TopicNameRequired: You must provide a topic name",
  ],
  ["a join of nonsense", ["1", "1", "realtime:x", "phx_join", { config: { broadcast: 7, private: [] } }], undefined],
  ["a join with a list", ["1", "1", "realtime:x", "phx_join", []], undefined],
  ["a join with lists where none belong", ["1", "1", "realtime:x", "phx_join", {
    config: { broadcast: [], presence: [], postgres_changes: {}, postgres_changes_options: [] },
    access_token: [],
  }], undefined],
  ["a join of values of the wrong type", ["1", "1", "realtime:x", "phx_join", {
    config: { presence: { key: 5, enabled: "no" }, postgres_changes: [5], postgres_changes_options: { timeout: "x" } },
    user_token: 5,
  }], undefined],
  ["a leave of what was not joined", ["1", "2", "realtime:x", "phx_leave", {}], undefined],
];
for (const [what, frame, reason] of oddFrames) {
  Deno.test(`${what} is answered with ${reason ?? "ok"}`, async () => {
    await using client = await open();
    client.send(...frame);
    const [, ref, , , payload] = await client.frame(0) ?? [];
    assertEquals([ref, payload?.status, payload?.response?.reason], [frame[1], reason ? "error" : "ok", reason]);
  });
}

const subscriptions: [string, Record<string, unknown>, RegExp][] = [
  ["without a schema", { event: "UPDATE", table: "profiles" }, /^Subscribed/],
  ["to a schema without a table", { event: "*", schema: "public" }, /^Subscribed/],
  ["of an event that does not exist", { event: "MERGE", schema: "public", table: "profiles" }, /^Subscribed/],
  ["without an event", { schema: "public", table: "profiles", filter: " " }, /^Subscribed/],
  ["of nothing", { event: "*" }, /^No subscription params provided/],
  ["with a filter that is a number", { schema: "public", table: "profiles", filter: 5 }, /^Error parsing `filter`/],
  ["with a filter on all tables", { schema: "public", filter: "id=eq.1" }, /^A `filter` needs/],
  ["with a select that is a text", { schema: "public", table: "profiles", select: "id" }, /^Error parsing `select`/],
  ["with columns of all tables", { schema: "public", select: ["id"] }, /^Column selection is not supported/],
];
for (const [what, entry, message] of subscriptions) {
  Deno.test(`a subscription ${what} is echoed, and answered with ${message.source.slice(1)}`, async () => {
    await using client = await open();
    const config = { postgres_changes: [entry] };
    client.send("1", "1", "realtime:x", "phx_join", { config });
    const [, , , , reply] = await client.frame(0) ?? [];
    const [echoed] = reply?.response?.postgres_changes ?? [];
    assertEquals(echoed, { ...entry, id: echoed?.id });
    const [, , , , system] = await client.frame(1) ?? [];
    assertMatch(system?.message ?? "", message);
  });
}

Deno.test("a subscription without a schema, of an event that does not exist, hears all that happens in public", async () => {
  const person = await signUp();
  await using client = await open();
  const config = { postgres_changes: [{ event: "MERGE", table: "profiles" }] };
  const { data } = await person.client.auth.getSession();
  client.send("1", "1", "realtime:x", "phx_join", { config, access_token: data.session?.access_token });
  await client.frame(1);
  await inDatabase((sql) => sql`update public.profiles set updated_at = now() where id = ${person.id}`);
  const [, , , event] = await client.frame(2) ?? [];
  assertEquals(event, "postgres_changes");
});

for (
  const [what, payload] of [
    ["objects", `${'{"0":'.repeat(20_000)}1${"}".repeat(20_000)}`],
    ["lists", `{"a":${"[".repeat(20_000)}${"]".repeat(20_000)}}`],
  ]
) {
  Deno.test(`whoever shows ${what} nested deeply and hangs up leaves the topic to the others`, async () => {
    const topic = room();
    await using listener = await listen(
      anonymous(),
      topic,
      { presence: { key: "a" }, broadcast: { self: true } },
      (channel, hear) => channel.on("presence", { event: "sync" }, () => {}).on("broadcast", { event: "*" }, hear),
    );
    {
      await using client = await open();
      client.send("1", "1", `realtime:${topic}`, "phx_join", { config: { presence: { key: "deep", enabled: true } } });
      await client.frame(1);
      client.socket.send(
        `["1","2","realtime:${topic}","presence",{"type":"presence","event":"track","payload":${payload}}]`,
      );
      await client.frame(2);
    }
    await listener.channel.send({ type: "broadcast", event: "still there", payload: {} });
    assertEquals((await listener.hears(1)).length, 1);
  });
}

Deno.test("what nests too deeply to be passed on is refused in words", async () => {
  await using client = await open();
  client.send("1", "1", "realtime:x", "phx_join", { config: {} });
  await client.frame(0);
  const payload = `${'{"0":'.repeat(20_000)}1${"}".repeat(20_000)}`;
  client.socket.send(`["1","2","realtime:x","presence",{"type":"presence","event":"track","payload":${payload}}]`);
  const [, ref, , , reply] = await client.frame(1) ?? [];
  assertEquals([ref, reply?.response?.reason], ["2", "InvalidPayload: The payload nests too deeply"]);
});

Deno.test("joining a joined topic closes the former channel, and its pushes no longer count", async () => {
  await using client = await open();
  for (const ref of ["1", "2"]) {
    client.send(ref, ref, "realtime:x", "phx_join", { config: { broadcast: { self: true } } });
  }
  const event = { type: "broadcast", event: "e", payload: {} };
  client.send("1", "3", "realtime:x", "broadcast", event);
  client.send("2", "4", "realtime:x", "broadcast", event);
  await client.frame(3);
  assertEquals(client.frames.map(([joinRef, ref, , name]) => [joinRef, ref, name]), [
    ["1", "1", "phx_reply"],
    ["1", "1", "phx_close"],
    ["2", "2", "phx_reply"],
    [null, null, "broadcast"],
  ]);
});

for (const frame of ["{", "[]", "null", "5", JSON.stringify({ topic: 1 })]) {
  Deno.test(`the frame ${frame} ends its connection and nothing else`, async () => {
    await using listener = await listen(anonymous(), room(), { broadcast: { self: true } });
    const client = await open();
    client.socket.send(frame);
    assertEquals(await client.closed, 1003);
    await listener.channel.send({ type: "broadcast", event: "still there", payload: {} });
    assertEquals((await listener.hears(1)).length, 1);
  });
}

Deno.test("whose token expires while they join has no channel to speak on", async () => {
  const owner = await signUp();
  const topic = `realtime:project:${await createProject(owner)}`;
  const joining = await withLives(async (seconds) => {
    const client = await open();
    const first = await inDatabase((sql) =>
      sql.begin(async (tx) => {
        // Its policies answer when this transaction has ended.
        await tx`lock table realtime.messages in access exclusive mode`;
        const access_token = await sign({ role: "authenticated", sub: owner.id }, now() + seconds);
        const config = { private: true, broadcast: { ack: true } };
        client.send("1", "1", topic, "phx_join", { config, access_token });
        return await client.frame(0);
      })
    );
    const [, , , event, payload] = first ?? [];
    if (event === "system") return { client, message: payload?.message };
    await client[Symbol.asyncDispose]();
  });
  await using client = joining.client;
  assertMatch(joining.message ?? "", /^InvalidJWTToken: Token has expired/);
  client.send("1", "2", topic, "broadcast", { type: "broadcast", event: "said", payload: {} });
  const answers = await eventually(
    () => Promise.resolve(client.frames.filter(([, ref]) => ref === "2")),
    ({ length }) => length > 0,
  );
  assertEquals(answers.map(([, , , , { response }]) => response?.reason), ["unmatched topic"]);
});

Deno.test("a channel ends when its token expires, and does not come back by itself", async () => {
  await using listener = await joinShortly(room(), { role: "anon" });
  const states = await eventually(() => Promise.resolve(listener.states), (all) => all.length > 1);
  assertEquals(states, ["SUBSCRIBED", "CLOSED"]);
});

Deno.test("a token that is renewed in time keeps the channel, with the new token's rights", async () => {
  const owner = await signUp();
  const topic = `project:${await createProject(owner)}`;
  await using listener = await joinShortly(topic, { role: "authenticated", sub: owner.id }, { private: true });
  await listener.renew(await sign({ role: "authenticated", sub: owner.id }, now() + 1000));
  await new Promise((resolve) => setTimeout(resolve, (listener.seconds + 0.5) * 1000));
  await inDatabase((sql) => sql`select realtime.send('{}', 'told', ${topic})`);
  assertEquals([(await listener.hears(1)).length, listener.states], [1, ["SUBSCRIBED"]]);
  await listener.renew(await sign({ role: "authenticated", sub: crypto.randomUUID() }, now() + 1000));
  const states = await eventually(() => Promise.resolve(listener.states), (all) => all.length > 1);
  assertEquals(states, ["SUBSCRIBED", "CLOSED"]);
});

Deno.test("a client that does not read is cut off, and the others do not notice", async () => {
  const topic = room();
  await using sender = await listen(anonymous(), topic);
  await using reader = await listen(anonymous(), topic);
  // A socket that joins and then reads nothing at all.
  const slow = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(stack.url).port) });
  const write = (bytes: Uint8Array) => slow.write(bytes);
  await write(new TextEncoder().encode(
    `GET /realtime/v1/websocket?apikey=${stack.publishableKey}&vsn=2.0.0 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n` +
      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  ));
  const join = new TextEncoder().encode(
    JSON.stringify(["1", "1", `realtime:${topic}`, "phx_join", {
      config: { presence: { enabled: true, key: "slow" } },
    }]),
  );
  // Masked with zeros, as a client must.
  await write(Uint8Array.of(0x81, 0x80 | 126, join.length >> 8, join.length & 255, 0, 0, 0, 0, ...join));
  const told = await readUntil(slow, "phx_reply");
  const text = "x".repeat(500_000);
  for (let n = 1; n <= 60; n++) {
    await sender.channel.send({ type: "broadcast", event: "big", payload: { n, text } });
    await reader.hears(n);
  }
  assertEquals(reader.heard.length, 60);
  // What waited for it is all it gets, and then the end.
  const { frames, code } = await readToClose(slow, told);
  slow.close();
  assertEquals(code, 1013);
  assert(frames < 50, `It was sent ${frames} frames`);
});

/** What a server sends first, until that text has come. */
async function readUntil(connection: Deno.Conn, text: string): Promise<Uint8Array> {
  let bytes = new Uint8Array();
  const buffer = new Uint8Array(4096);
  while (!new TextDecoder("latin1").decode(bytes).includes(text)) {
    const count = await connection.read(buffer);
    if (count === null) throw new Error("The connection ended before that");
    bytes = Uint8Array.of(...bytes, ...buffer.subarray(0, count));
  }
  return bytes;
}

/** Counts the frames that a server sends until it closes, those that were read before too, and reads with which code. */
async function readToClose(connection: Deno.Conn, before: Uint8Array): Promise<{ frames: number; code: number }> {
  let bytes = new Uint8Array(before);
  const fill = async (size: number) => {
    const parts = [bytes];
    for (let have = bytes.length; have < size;) {
      const buffer = new Uint8Array(1 << 20);
      const count = await connection.read(buffer);
      if (count === null) throw new Error("The connection ended without a close frame");
      parts.push(buffer.subarray(0, count));
      have += count;
    }
    bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  };
  const take = (size: number) => {
    const taken = bytes.subarray(0, size);
    bytes = bytes.subarray(size);
    return new DataView(taken.buffer, taken.byteOffset, taken.length);
  };
  // The answer to the handshake ends with an empty line.
  const end = () => new TextDecoder("latin1").decode(bytes.subarray(0, 4096)).indexOf("\r\n\r\n");
  while (end() < 0) await fill(bytes.length + 1);
  take(end() + 4);
  for (let frames = 0;; frames++) {
    await fill(2);
    const head = take(2);
    const short = head.getUint8(1);
    const extra = short === 127 ? 8 : short === 126 ? 2 : 0;
    await fill(extra);
    const size = short === 127 ? Number(take(8).getBigUint64(0)) : short === 126 ? take(2).getUint16(0) : short;
    await fill(size);
    const body = take(size);
    if ((head.getUint8(0) & 15) === 8) return { frames, code: body.getUint16(0) };
  }
}
