// Presence on the local Realtime: who is there, what they show, and that they are gone when they go.
import { assertEquals } from "@std/assert";
import { addMember, anonymous, type Client, createProject, signUp } from "../support/actors.ts";
import { eventually, listen, type Listener } from "./realtime_fixture.ts";

const room = () => `room-${crypto.randomUUID()}`;
const attend = (client: Client, topic: string, key: string, isPrivate = false) =>
  listen(client, topic, { private: isPrivate, presence: { key } }, (channel, hear) => {
    channel.on("presence", { event: "sync" }, () => {});
    channel.on("presence", { event: "join" }, ({ key }) => hear(`join ${key}`));
    channel.on("presence", { event: "leave" }, ({ key }) => hear(`leave ${key}`));
  });

const shown = ({ channel }: Listener) =>
  Object.fromEntries(
    Object.entries(channel.presenceState()).map(([key, metas]) => [
      key,
      metas.map(({ presence_ref: _, ...meta }) => meta),
    ]),
  );
const shows = (listener: Listener, wanted: unknown) =>
  eventually(
    () => Promise.resolve(shown(listener)),
    (state) => JSON.stringify(state) === JSON.stringify(wanted),
  );

Deno.test("two people on a topic see each other and what each shows", async () => {
  const topic = room();
  await using ada = await attend(anonymous(), topic, "ada");
  await using grace = await attend(anonymous(), topic, "grace");
  await ada.channel.track({ file: "a.ts" });
  await grace.channel.track({ file: "b.ts" });
  const both = { ada: [{ file: "a.ts" }], grace: [{ file: "b.ts" }] };
  assertEquals([await shows(ada, both), await shows(grace, both)], [both, both]);
});

Deno.test("who comes later sees who is there already", async () => {
  const topic = room();
  await using ada = await attend(anonymous(), topic, "ada");
  await ada.channel.track({ file: "a.ts" });
  await using grace = await attend(anonymous(), topic, "grace");
  assertEquals(await shows(grace, { ada: [{ file: "a.ts" }] }), { ada: [{ file: "a.ts" }] });
});

Deno.test("showing something else replaces what was shown", async () => {
  const topic = room();
  await using ada = await attend(anonymous(), topic, "ada");
  await using grace = await attend(anonymous(), topic, "grace");
  for (const file of ["a.ts", "b.ts", "b.ts"]) await ada.channel.track({ file });
  assertEquals(await shows(grace, { ada: [{ file: "b.ts" }] }), { ada: [{ file: "b.ts" }] });
});

Deno.test("one key in two windows is shown twice, and once when a window closes", async () => {
  const topic = room();
  await using first = await attend(anonymous(), topic, "ada");
  const second = await attend(anonymous(), topic, "ada");
  await using grace = await attend(anonymous(), topic, "grace");
  await first.channel.track({ window: 1 });
  await second.channel.track({ window: 2 });
  const two = { ada: [{ window: 1 }, { window: 2 }] };
  assertEquals(await shows(grace, two), two);
  await second[Symbol.asyncDispose]();
  assertEquals(await shows(grace, { ada: [{ window: 1 }] }), { ada: [{ window: 1 }] });
});

for (const key of ["constructor", "__proto__", "toString"]) {
  Deno.test(`under the key ${key} somebody is shown like under any other, and who joins later hears`, async () => {
    const topic = room();
    await using odd = await attend(anonymous(), topic, key);
    await odd.channel.track({ file: "a.ts" });
    await using later = await listen(
      anonymous(),
      topic,
      { presence: { key: "later", enabled: true } },
      (channel, hear) => channel.on("broadcast", { event: "*" }, hear),
    );
    await odd.channel.send({ type: "broadcast", event: "moved", payload: {} });
    assertEquals([(await later.hears(1)).length, later.states], [1, ["SUBSCRIBED"]]);
  });
}

Deno.test("what is shown is as small as a broadcast", async () => {
  await using ada = await attend(anonymous(), room(), "ada");
  assertEquals(await ada.channel.track({ text: "x".repeat(3_000_000) }), "error");
});

for (
  const [how, leave] of [
    ["untracks", (listener: Listener) => listener.channel.untrack()],
    ["leaves", (listener: Listener) => listener.channel.unsubscribe()],
    ["loses the connection", (listener: Listener) => listener[Symbol.asyncDispose]()],
  ] as const
) {
  Deno.test(`whoever ${how} is gone for the others`, async () => {
    const topic = room();
    const ada = await attend(anonymous(), topic, "ada");
    await using grace = await attend(anonymous(), topic, "grace");
    await ada.channel.track({ file: "a.ts" });
    await shows(grace, { ada: [{ file: "a.ts" }] });
    await leave(ada);
    assertEquals(await shows(grace, {}), {});
    assertEquals(grace.heard, ["join ada", "leave ada"]);
    await ada[Symbol.asyncDispose]();
  });
}

Deno.test("presence on a private topic is for members", async () => {
  const [owner, viewer] = [await signUp(), await signUp()];
  const projectId = await createProject(owner);
  await addMember(owner, projectId, viewer, "viewer");
  await using first = await attend(owner.client, `project:${projectId}`, "owner", true);
  await using second = await attend(viewer.client, `project:${projectId}`, "viewer", true);
  await second.channel.track({ looks: true });
  assertEquals(await shows(first, { viewer: [{ looks: true }] }), { viewer: [{ looks: true }] });
});
