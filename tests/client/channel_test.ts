// listen(): messages and presence between members, on one channel per topic.
import { assertEquals } from "@std/assert";
import { createClient } from "@supabase/supabase-js";
import {
  createGenesis,
  type Database,
  type Genesis,
  GenesisError,
  listen,
  listenToChanges,
  type Message,
  type Present,
} from "../../shared/client/mod.ts";
import { anonymous, type Person } from "../support/actors.ts";
import { eventually } from "../support/eventually.ts";
import { stack } from "../support/stack.ts";
import { createClients, sharedClients } from "./team.ts";

/** Listens, and resolves once joined; `next` waits for the first of what fits. */
async function join({ supabase }: Genesis, topic: string) {
  const [joined, messages, presences] = [Promise.withResolvers<void>(), [] as Message[], [] as Present[]];
  let changed = Promise.withResolvers<void>();
  const tell = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const subscription = listen(supabase, topic, {
    joined: (isJoined) => isJoined && joined.resolve(),
    wake(message) {
      if (message) messages.push(message);
      tell();
    },
    present(everybody) {
      presences.push(everybody);
      tell();
    },
  });
  await joined.promise;
  return {
    ...subscription,
    messages,
    presences,
    async until(condition: () => boolean) {
      while (!condition()) await changed.promise;
    },
    [Symbol.dispose]: subscription.close,
  };
}

Deno.test("a member's message reaches the other listeners of the topic", async () => {
  const { project, owner, viewer } = await sharedClients();
  using one = await join(owner, `project:${project.id}`);
  using other = await join(viewer, `project:${project.id}`);
  one.send("cursor", { line: 3 });
  await other.until(() => other.messages.length > 0);
  assertEquals(other.messages.map(({ event, payload }) => [event, payload.line]), [["cursor", 3]]);
});

Deno.test("who is there is known by the person's id, until they go", async () => {
  const { project, owner, viewer } = await sharedClients();
  using one = await join(owner, `project:${project.id}`);
  using other = await join(viewer, `project:${project.id}`);
  const key = project.viewer.id;
  other.track({ name: "Vera" });
  await one.until(() => one.presences.at(-1)?.[key]?.[0]?.name === "Vera");
  other.track(null);
  await one.until(() => one.presences.at(-1)?.[key] === undefined);
});

const signIn = async ({ supabase }: Genesis, { email }: Person) => {
  const { error } = await supabase.auth.signInWithPassword({ email, password: "correct-horse-battery-staple" });
  if (error) throw error;
};

Deno.test("who signs in as somebody else is there as that person, and no longer as the one before", async () => {
  const { project, owner } = await sharedClients();
  const page = createGenesis(anonymous());
  await signIn(page, project.viewer);
  using watcher = await join(owner, `project:${project.id}`);
  using tab = await join(page, `project:${project.id}`);
  const present = () => Object.keys(watcher.presences.at(-1) ?? {});
  tab.track({ name: "a tab" });
  await watcher.until(() => present().includes(project.viewer.id));
  await signIn(page, project.editor);
  await watcher.until(() => present().includes(project.editor.id));
  assertEquals(present(), [project.editor.id]);
});

const departures: [string, (page: Genesis) => Promise<unknown>][] = [
  ["signs out", (page) => page.supabase.auth.signOut()],
  ["signs in as a stranger", async (page) => await signIn(page, (await sharedClients()).project.stranger)],
];
for (const [how, leave] of departures) {
  Deno.test(`who ${how} is put out of what they listened to`, async () => {
    const { project } = await sharedClients();
    const page = createGenesis(anonymous());
    await signIn(page, project.viewer);
    const refused = Promise.withResolvers<GenesisError>();
    const subscription = listen(page.supabase, `project:${project.id}`, {
      joined: (isJoined, error) => isJoined ? void leave(page) : error && refused.resolve(error),
    });
    const { code } = await refused.promise;
    subscription.close();
    assertEquals(code, "forbidden");
  });
}

Deno.test("who comes while a channel joins for somebody else is not let in with it", async () => {
  const { project } = await sharedClients();
  const [asked, mayHear] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  class Late extends WebSocket {
    override set onmessage(listener: (event: MessageEvent) => void) {
      super.onmessage = (event) => void mayHear.promise.then(() => listener(event));
    }
    override send(data: string) {
      super.send(data);
      asked.resolve();
    }
  }
  let { token } = project.viewer;
  const supabase = createClient<Database>(stack.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(token),
    realtime: { transport: Late },
  });
  const told = Promise.withResolvers<boolean | GenesisError>();
  const subscription = listen(supabase, `project:${project.id}`, {
    joined: (isJoined, error) => isJoined ? told.resolve(true) : error && told.resolve(error),
  });
  await asked.promise;
  ({ token } = project.stranger);
  await supabase.realtime.setAuth();
  mayHear.resolve();
  const answer = await told.promise;
  subscription.close();
  assertEquals(answer instanceof GenesisError && answer.code, "forbidden");
});

Deno.test("listeners to the same topic share one channel, which ends after the last of them", async () => {
  const { project, owner } = await sharedClients();
  const topic = `execution:${crypto.randomUUID()}`;
  const listeners = [1, 2, 3].map(() => listen(owner.supabase, `project:${project.id}`, {}));
  const other = listen(owner.supabase, topic, {});
  while (owner.supabase.getChannels().length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  assertEquals(owner.supabase.getChannels().length, 2);
  for (const subscription of [...listeners, other]) subscription.close();
  while (owner.supabase.getChannels().length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
});

Deno.test("a listener that throws keeps the others from nothing", async () => {
  const { project, owner, viewer } = await sharedClients();
  const fail = () => {
    throw new Error("This listener throws, whatever it is told.");
  };
  const failing = listen(viewer.supabase, `project:${project.id}`, { joined: fail, wake: fail, present: fail });
  using other = await join(viewer, `project:${project.id}`);
  using sender = await join(owner, `project:${project.id}`);
  sender.track({ name: "Olga" });
  sender.send("cursor", { line: 3 });
  await other.until(() => other.messages.length > 0 && other.presences.some((all) => project.owner.id in all));
  failing.close();
});

Deno.test("where the app has a channel of its own on the topic, whoever listens is told so, and joins when it has gone", async () => {
  const { project, viewer: { supabase } } = await createClients();
  const topic = `project:${project.id}`;
  const own = supabase.channel(topic, { config: { private: true } }).subscribe();
  const [refused, joined] = [Promise.withResolvers<GenesisError>(), Promise.withResolvers<void>()];
  const subscription = listen(supabase, topic, {
    joined: (isJoined, error) => isJoined ? joined.resolve() : error && refused.resolve(error),
  });
  const { code, isTransient } = await refused.promise;
  await supabase.removeChannel(own);
  await joined.promise;
  subscription.close();
  assertEquals([code, isTransient], ["unavailable", true]);
});

Deno.test("a stranger never joins", async () => {
  const { project, stranger } = await sharedClients();
  const refused = Promise.withResolvers<GenesisError | undefined>();
  const subscription = listen(stranger.supabase, `project:${project.id}`, {
    joined: (isJoined, error) => isJoined ? refused.reject(new Error("It was let in")) : refused.resolve(error),
  });
  try {
    const error = await refused.promise;
    assertEquals([error?.code, error?.isTransient], ["forbidden", false]);
  } finally {
    subscription.close();
  }
});

Deno.test("who subscribes to changes that there are not is told so", async () => {
  const { owner } = await sharedClients();
  for (const changes of [{ table: "no_such_table" }, { table: "projects", filter: "no_such_column=eq.1" }]) {
    const told = Promise.withResolvers<GenesisError>();
    const subscription = listenToChanges(owner.supabase, changes, {
      joined: (_, error) => error && !error.isTransient && told.resolve(error),
    });
    const { code } = await told.promise;
    subscription.close();
    assertEquals(code, "validation_failed", changes.table);
  }
});

Deno.test("who subscribes later to changes that there are not is told so, too", async () => {
  const { owner } = await sharedClients();
  const told = Promise.withResolvers<void>();
  const changes = { table: "no_such_table_either" };
  const first = listenToChanges(owner.supabase, changes, { joined: (_, error) => error && told.resolve() });
  await told.promise;
  const states: [boolean, string | undefined][] = [];
  const second = listenToChanges(owner.supabase, changes, {
    joined: (isJoined, error) => states.push([isJoined, error?.code]),
  });
  for (const subscription of [first, second]) subscription.close();
  assertEquals(states, [[false, "validation_failed"]]);
});

Deno.test("who stops listening when they are removed leaves no socket open", async () => {
  const { viewer, worker, project: team } = await createClients();
  const { supabase } = viewer;
  const left = Promise.withResolvers<void>();
  const subscription = listen(supabase, `project:${team.id}`, {
    joined: (isJoined) => isJoined && void remove(),
    wake(message) {
      if (message?.event !== "collaborators") return;
      subscription.close();
      left.resolve();
    },
  });
  const remove = () => worker.supabase.from("project_collaborators").delete().eq("user_id", team.viewer.id).then();
  await left.promise;
  const state = () => Promise.resolve(supabase.realtime.connectionState());
  assertEquals(await eventually(state, (is) => is === "closed"), "closed");
});

/** A WebSocket that takes its time to close, as over a long way. */
class Slow extends WebSocket {
  static readonly closing = Promise.withResolvers<void>();
  static readonly mayClose = Promise.withResolvers<void>();
  #isClosing = false;
  override get readyState() {
    return this.#isClosing ? Math.max(super.readyState, WebSocket.CLOSING) : super.readyState;
  }
  override close(...reason: Parameters<WebSocket["close"]>) {
    this.#isClosing = true;
    Slow.closing.resolve();
    void Slow.mayClose.promise.then(() => super.close(...reason));
  }
}

Deno.test("a channel that is opened while the socket of the last listener closes joins on the next one", async () => {
  const { project } = await sharedClients();
  const supabase = createClient<Database>(stack.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(project.viewer.token),
    realtime: { transport: Slow },
  });
  const last = await join(createGenesis(supabase), `project:${project.id}`);
  last.close();
  await Slow.closing.promise;
  const states: string[] = [];
  const channel = supabase.channel("the app's own").subscribe((state) => states.push(state));
  Slow.mayClose.resolve();
  await eventually(() => Promise.resolve(states), (all) => all.includes("SUBSCRIBED"));
  await supabase.removeChannel(channel);
  await supabase.realtime.disconnect();
  assertEquals(states.at(states.indexOf("SUBSCRIBED")), "SUBSCRIBED");
});
