// Channels as any client opens them, and what arrives on them.
import type { RealtimeChannel, RealtimeChannelOptions } from "@supabase/supabase-js";
import { connect } from "../../local/platform.ts";
import type { Client } from "../support/actors.ts";
import { stack } from "../support/stack.ts";
import { eventually } from "./fixture.ts";

/** What arrived; tests read it freely. */
// deno-lint-ignore no-explicit-any
export type Message = any;

export interface Listener extends AsyncDisposable {
  channel: RealtimeChannel;
  /** In the order in which it arrived. */
  heard: Message[];
  /** Every state that the channel went through, with its reason. */
  states: string[];
  /** Waits until that many messages are there, or a while has passed. */
  hears(count: number): Promise<Message[]>;
}

type Prepare = (channel: RealtimeChannel, hear: (message: Message) => void) => unknown;

/** Joins a topic and resolves with the first state that is reached. */
export async function listen(
  client: Client,
  topic: string,
  config: RealtimeChannelOptions["config"] = {},
  prepare: Prepare = (channel, hear) => channel.on("broadcast", { event: "*" }, hear),
): Promise<Listener> {
  await client.realtime.setAuth();
  const heard: Message[] = [];
  const states: string[] = [];
  const channel = client.channel(topic, { config });
  prepare(channel, (message) => heard.push(message));
  await new Promise<void>((resolve) =>
    channel.subscribe((state, error) => {
      states.push(error ? `${state} ${error.message}` : state);
      resolve();
    })
  );
  return {
    channel,
    heard,
    states,
    hears: (count) => eventually(() => Promise.resolve(heard), (all) => all.length >= count),
    async [Symbol.asyncDispose]() {
      await client.removeAllChannels();
      await client.realtime.disconnect();
    },
  };
}

/** Listens to changes of a table, and resolves when they will really arrive; `state` is then what the server said. */
export async function listenToChanges(
  client: Client,
  filter: { event?: string; schema?: string; table?: string; filter?: string; select?: string[] },
): Promise<Listener & { system: Message }> {
  const said = Promise.withResolvers<Message>();
  const listener = await listen(client, `changes-${crypto.randomUUID()}`, {}, (channel, hear) => {
    // deno-lint-ignore no-explicit-any
    channel.on("system" as any, {}, (message: Message) => said.resolve(message));
    channel.on(
      // deno-lint-ignore no-explicit-any
      "postgres_changes" as any,
      { event: "*", schema: "public", ...filter },
      hear,
    );
  });
  return Object.assign(listener, { system: await said.promise });
}

/** A moment in which what should not arrive would have arrived: a later message on the same road has. */
export async function settled(client: Client, projectId: string): Promise<void> {
  await using witness = await listenToChanges(client, { table: "projects", filter: `id=eq.${projectId}` });
  await client.from("projects").update({ description: crypto.randomUUID() }).eq("id", projectId);
  await witness.hears(1);
}

/** Statements as a superuser. */
export async function inDatabase<T>(run: (sql: ReturnType<typeof connect>) => Promise<T>): Promise<T> {
  const sql = connect(stack.adminDatabaseUrl);
  try {
    return await run(sql);
  } finally {
    await sql.end();
  }
}

export { eventually };
