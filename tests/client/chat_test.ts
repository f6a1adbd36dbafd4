// chat(id): messages are written once, and a watch shows those of everybody who takes part.
import { assert, assertEquals } from "@std/assert";
import { GenesisError } from "../../shared/client/mod.ts";
import { sharedClients } from "./team.ts";

async function openChat() {
  const clients = await sharedClients();
  const session = await clients.owner.project(clients.project.id).openChat({ title: "Plans", shared: true });
  return { ...clients, id: session.id };
}

Deno.test("a watch begins with what was written and goes on with what is", async () => {
  const { id, owner, viewer } = await openChat();
  await owner.chat(id).send({ content: "first" });
  await using watch = viewer.chat(id).watch();
  const before = (await watch.next()).value;
  assertEquals([before?.session.title, before?.messages.map(({ content }) => content)], ["Plans", ["first"]]);
  await owner.chat(id).send({ content: "second" });
  await viewer.chat(id).send({ content: "third" });
  const contents: string[] = [];
  while (contents.length < 2) contents.push(...(await watch.next()).value?.added.map(({ content }) => content) ?? []);
  assertEquals(contents, ["second", "third"]);
});

Deno.test("a watch holds the newest messages, at most as many as it was told", async () => {
  const { id, owner } = await openChat();
  for (const content of ["1", "2", "3", "4"]) await owner.chat(id).send({ content });
  const view = await owner.chat(id).read({ limit: 2 });
  assertEquals(view.messages.map(({ content }) => content), ["3", "4"]);
});

Deno.test("a changed title is a step of the watch", async () => {
  const { id, owner, viewer } = await openChat();
  await using watch = viewer.chat(id).watch();
  await watch.next();
  await owner.chat(id).update({ title: "Better plans" });
  const view = (await watch.next()).value;
  assertEquals([view?.session.title, view?.added], ["Better plans", []]);
});

Deno.test("a chat that is not shared with someone does not exist for them", async () => {
  const { id, stranger } = await openChat();
  for (
    const run of [
      () => stranger.chat(id).watch().next(),
      () => stranger.chat(id).update({ title: "Mine" }),
      () => stranger.chat(id).send({ content: "Hello?" }),
    ]
  ) {
    const thrown = await run().catch((error) => error);
    assert(thrown instanceof GenesisError, String(thrown));
    assert(["session_not_found", "forbidden"].includes(thrown.code), thrown.code);
  }
});

Deno.test("of more messages than a step can hold none is left out, and none told twice", async () => {
  const { id, project, viewer } = await openChat();
  await using watch = viewer.chat(id).watch({ limit: 5 });
  await watch.next();
  const contents = Array.from({ length: 450 }, (_, index) => String(index));
  const rows = contents.map((content) => ({ session_id: id, role: "user", content }));
  const { error } = await project.owner.client.from("chat_messages").insert(rows);
  assertEquals(error, null);
  await viewer.chat(id).send({ content: "last" });
  const added: string[] = [];
  for await (const view of watch) {
    added.push(...view.added.map(({ content }) => content));
    if (added.includes("last")) break;
  }
  assertEquals(added.sort(), [...contents, "last"].sort());
});

Deno.test("what the first step had no room for is not told as new", async () => {
  const { id, owner } = await openChat();
  for (const content of ["1", "2", "3", "4"]) await owner.chat(id).send({ content });
  await using watch = owner.chat(id).watch({ limit: 2 });
  await watch.next();
  await owner.chat(id).send({ content: "5" });
  const view = (await watch.next()).value;
  assertEquals(view?.added.map(({ content }) => content), ["5"]);
  assertEquals(view?.messages.map(({ content }) => content), ["4", "5"]);
});

Deno.test("who wants to see no messages is told those that are new, and no others", async () => {
  const { id, owner } = await openChat();
  for (const content of ["1", "2"]) await owner.chat(id).send({ content });
  await using watch = owner.chat(id).watch({ limit: 0 });
  const views = [(await watch.next()).value];
  for (const content of ["3", "4"]) {
    await owner.chat(id).send({ content });
    views.push((await watch.next()).value);
  }
  const seen = views.map((view) => [view?.messages, view?.added].map((rows) => rows?.map(({ content }) => content)));
  assertEquals(seen, [[[], []], [[], ["3"]], [[], ["4"]]]);
});
