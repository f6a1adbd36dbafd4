// chat(id).send: a message is written once, whatever becomes of the answer.
import { createClient } from "@supabase/supabase-js";
import { assert, assertEquals } from "@std/assert";
import { createGenesis, type Database, GenesisError } from "../../shared/client/mod.ts";
import { stack } from "../support/stack.ts";
import { startCuttingProxy } from "./cutting_proxy.ts";
import { sharedClients } from "./team.ts";

async function openChat() {
  const clients = await sharedClients();
  const session = await clients.owner.project(clients.project.id).openChat({ title: "Plans", shared: true });
  const contents = async () => (await clients.owner.chat(session.id).read()).messages.map(({ content }) => content);
  return { ...clients, id: session.id, contents };
}

/** The viewer over a way that loses answers. */
async function overLossyWay() {
  const chat = await openChat();
  const proxy = startCuttingProxy(stack.url);
  const supabase = createClient<Database>(proxy.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(chat.project.viewer.token),
  });
  return { ...chat, proxy, viewer: createGenesis(supabase) };
}

const codeOf = (thrown: unknown) => thrown instanceof GenesisError ? thrown.code : String(thrown);

Deno.test("a message whose answer is lost is sent again and written once", async () => {
  const { id, viewer, proxy, contents } = await overLossyWay();
  using _ = proxy;
  proxy.loseAnswers(2);
  const message = await viewer.chat(id).send({ content: "Is this on?" });
  assertEquals([message.content, await contents()], ["Is this on?", ["Is this on?"]]);
});

Deno.test("a message that was written before its session was archived is answered, not refused", async () => {
  const { id, owner, viewer, proxy } = await overLossyWay();
  using _ = proxy;
  proxy.loseAnswers(1000);
  const sent = viewer.chat(id).send({ content: "Just in time" });
  await using watch = owner.chat(id).watch();
  for await (const { messages } of watch) if (messages.length > 0) break;
  await owner.chat(id).update({ status: "archived" });
  proxy.loseAnswers(0);
  assertEquals((await sent).content, "Just in time");
});

Deno.test("what one person wrote is not sent again as somebody else's", async () => {
  const { id, owner, project, contents } = await openChat();
  using proxy = startCuttingProxy(stack.url);
  let { token } = project.viewer;
  const client = createClient<Database>(proxy.url, stack.publishableKey, { accessToken: () => Promise.resolve(token) });
  proxy.loseAnswers(1000);
  const sent = createGenesis(client).chat(id).send({ content: "Mine" }).catch((error) => error);
  await using watch = owner.chat(id).watch();
  for await (const { messages } of watch) if (messages.length > 0) break;
  token = project.editor.token;
  proxy.loseAnswers(0);
  assertEquals([codeOf(await sent), await contents()], ["unauthorized", ["Mine"]]);
});

Deno.test("the same key sent again answers the stored row", async () => {
  const { id, owner, contents } = await openChat();
  const message = { content: "Once", idempotency_key: crypto.randomUUID() };
  const first = await owner.chat(id).send(message);
  assertEquals([await owner.chat(id).send(message), await contents()], [first, ["Once"]]);
});

Deno.test("the same key sent several times at once is one message", async () => {
  const { id, owner, contents } = await openChat();
  const message = { content: "Once", idempotency_key: crypto.randomUUID() };
  const rows = await Promise.all(Array.from({ length: 5 }, () => owner.chat(id).send(message)));
  assertEquals([new Set(rows.map((row) => row.id)).size, await contents()], [1, ["Once"]]);
});

Deno.test("a key that names a message of other words is refused", async () => {
  const { id, owner, contents } = await openChat();
  const idempotency_key = crypto.randomUUID();
  await owner.chat(id).send({ content: "One thing", idempotency_key });
  const thrown = await owner.chat(id).send({ content: "Another", idempotency_key }).catch((error) => error);
  assertEquals([codeOf(thrown), await contents()], ["idempotency_conflict", ["One thing"]]);
});

Deno.test("somebody else's key names another message of one's own", async () => {
  const { id, owner, viewer, contents } = await openChat();
  const idempotency_key = crypto.randomUUID();
  const theirs = await owner.chat(id).send({ content: "Mine", idempotency_key });
  const own = await viewer.chat(id).send({ content: "Mine too", idempotency_key });
  assert(own.id !== theirs.id);
  assertEquals(await contents(), ["Mine", "Mine too"]);
});

Deno.test("the same key in another session names another message", async () => {
  const { id, owner, project, contents } = await openChat();
  const other = await owner.project(project.id).openChat({ title: "Elsewhere" });
  const message = { content: "Hello", idempotency_key: crypto.randomUUID() };
  await owner.chat(other.id).send(message);
  await owner.chat(id).send(message);
  assertEquals(await contents(), ["Hello"]);
});

Deno.test("a stranger who knows a key learns no more from it than from another one", async () => {
  const { id, owner, stranger } = await openChat();
  const idempotency_key = crypto.randomUUID();
  await owner.chat(id).send({ content: "Secret", idempotency_key });
  const tries = [idempotency_key, crypto.randomUUID()].map((key) =>
    stranger.chat(id).send({ content: "Secret", idempotency_key: key }).catch((error) => error)
  );
  const [known, unknown] = await Promise.all(tries);
  assertEquals([codeOf(known), known.message], ["forbidden", unknown.message]);
});

Deno.test("a message that its sender gave up is not sent again", async () => {
  const { id, viewer, proxy } = await overLossyWay();
  using _ = proxy;
  proxy.loseAnswers(1000);
  const giveUp = new AbortController();
  const reason = new Error("Never mind");
  setTimeout(() => giveUp.abort(reason), 300);
  assertEquals(
    await viewer.chat(id).send({ content: "?" }, { signal: giveUp.signal }).catch((thrown) => thrown),
    reason,
  );
});
