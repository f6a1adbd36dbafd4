// A Realtime channel, joined once however many parts of a program listen to it: a private topic with its broadcasts and
// presence, or the changes of a table. What it carries only wakes: the truth is always what a listener then reads, so a
// lost connection loses nothing.
import type { RealtimeChannel, RealtimePostgresChangesPayload } from "@supabase/supabase-js";
import type { Client } from "./call.ts";
import { GenesisError } from "./error.ts";
import { disconnect, disconnected, watchdogOf } from "./handshake.ts";
import { inTime } from "./in_time.ts";
import { onPersonChange, personNow, personOf } from "./person.ts";

/** A broadcast: what happened, in ids and states. */
export interface Message {
  event: string;
  payload: Record<string, unknown>;
}

/** Everyone who is there, by presence key (the person's id), with what each of their clients told. */
export type Present = Record<string, Record<string, unknown>[]>;

/** Which changes of a table to hear of, with Realtime's own filters (`id=eq.…`). */
export interface TableChanges {
  table: string;
  schema?: string;
  event?: "INSERT" | "UPDATE" | "DELETE" | "*";
  filter?: string;
}

export type Change = RealtimePostgresChangesPayload<Record<string, unknown>>;

export interface Listener {
  /** A message came; or, without one, the topic was joined anew and anything may have happened meanwhile. */
  wake?(message?: Message): void;
  /** While the channel is not joined, a listener has to look for itself. */
  joined?(isJoined: boolean, error?: GenesisError): void;
  present?(everyone: Present): void;
  changed?(change: Change): void;
}

export interface Subscription {
  /** Tells the others that this client is there; null takes it back. */
  track(state: Record<string, unknown> | null): void;
  /** Sends a message to the others on the topic: a cursor, somebody typing. Lost where the topic is not joined. */
  send(event: string, payload: Record<string, unknown>): void;
  close(): void;
}

/** How long a channel without listeners stays joined, in milliseconds: React's StrictMode and page changes come back. */
const LINGER_MS = 500;
const REJOIN_MS = [1000, 2000, 5000, 10_000];

/** What Realtime said when it let nobody in: words, and no code. */
function refusalOf({ message }: Pick<Error, "message">): GenesisError {
  if (/unauthori[sz]ed|permission/i.test(message)) return new GenesisError("forbidden", message);
  return new GenesisError(/filter|subscribe|params/i.test(message) ? "validation_failed" : "unavailable", message);
}

class SharedChannel {
  readonly #listeners = new Map<symbol, Listener>();
  readonly #tracked = new Map<symbol, Record<string, unknown>>();
  #channel: RealtimeChannel | undefined;
  #isJoined = false;
  /** Why not, for who comes later. */
  #refusal: GenesisError | undefined;
  #wasTracked = false;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Joins and leaves take turns: until a channel has left, supabase-js hands it out again. */
  #turn: Promise<void> = Promise.resolve();

  constructor(
    readonly supabase: Client,
    readonly name: string,
    readonly changes: TableChanges | undefined,
    readonly forget: () => void,
  ) {}

  listen(listener: Listener): Subscription {
    const key = Symbol();
    this.#listeners.set(key, listener);
    clearTimeout(this.#timer);
    if (!this.#channel) this.#next(() => this.#join());
    else if (this.#isJoined) {
      const present = this.#channel.presenceState();
      this.#one(listener, () => listener.joined?.(true));
      this.#one(listener, () => listener.present?.(present));
    } else if (this.#refusal) this.#one(listener, () => listener.joined?.(false, this.#refusal));
    return {
      track: (state) => {
        if (state) this.#tracked.set(key, state);
        else this.#tracked.delete(key);
        this.#sendPresence();
      },
      send: (event, payload) => {
        if (this.#isJoined) this.#channel?.send({ type: "broadcast", event, payload }).catch(() => {});
      },
      close: () => {
        if (!this.#listeners.delete(key)) return;
        if (this.#tracked.delete(key)) this.#sendPresence();
        if (this.#listeners.size > 0) return;
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#next(() => this.#leaveUnheard()), LINGER_MS);
      },
    };
  }

  /** Whoever speaks through the client now joins by their own right and under their own name. */
  joinAnew(): void {
    this.#next(async () => {
      await this.#leave();
      this.#each((listener) => listener.joined?.(false));
      await this.#join();
    });
  }

  #next(step: () => Promise<void>): void {
    this.#turn = this.#turn.then(step).catch(async (thrown) => {
      await this.#leave().catch(() => {});
      if (thrown instanceof GenesisError) this.#tell(false, thrown);
      this.#rejoinLater();
    });
  }

  async #join(): Promise<void> {
    if (this.#channel || this.#listeners.size === 0) return;
    await disconnected(this.supabase);
    // This asks for the token: without it the first join goes out with the key alone, and is refused. One that does not
    // come is asked for again.
    const person = await inTime(() => personOf(this.supabase), undefined);
    // supabase-js would hand out the app's own, which is not ours to join and to leave.
    if (this.supabase.getChannels().some(({ topic }) => topic === `realtime:${this.name}`)) {
      throw new GenesisError("unavailable", "The app has a channel of its own on this topic; listen() shares one.");
    }
    const channel = this.changes ? this.#openChanges(this.changes) : this.#openTopic(person);
    this.#channel = channel;
    channel.subscribe((status, error) => {
      if (channel !== this.#channel) return;
      // A token that comes while a channel joins does not reach it: somebody else would be told what this person may see.
      if (status === "SUBSCRIBED" && personNow(this.supabase) !== person) return this.joinAnew();
      this.#tell(status === "SUBSCRIBED", error && refusalOf(error));
      if (this.#isJoined) {
        this.#failures = 0;
        this.#sendPresence();
        this.#each((listener) => listener.wake?.());
      }
      // Errors and timeouts are tried again by supabase-js; a channel that the server closed is not.
      if (status === "CLOSED") this.#next(() => this.#leave().then(() => this.#rejoinLater()));
    });
    watchdogOf(this.supabase).watch();
  }

  #openTopic(person: string | null): RealtimeChannel {
    // Two windows of one person are one entry; a worker is given a key by the server.
    const key = person ?? "";
    const channel = this.supabase.channel(this.name, { config: { private: true, presence: { key, enabled: true } } });
    return channel
      .on("broadcast", { event: "*" }, ({ event, payload }) => {
        this.#each((listener) => listener.wake?.({ event, payload: payload ?? {} }));
      })
      .on("presence", { event: "sync" }, () => {
        this.#each((listener) => listener.present?.(channel.presenceState()));
      });
  }

  #openChanges({ table, schema = "public", event = "*", filter }: TableChanges): RealtimeChannel {
    const of = { schema, table, ...(filter !== undefined && { filter }) };
    return this.supabase.channel(this.name)
      // The types know each event by itself only.
      .on("postgres_changes", { event: event as "*", ...of }, (change) => {
        this.#each((listener) => listener.changed?.(change));
      })
      // Changes flow from here on, a moment after the join; or not, where there is no such table or column.
      .on("system", {}, ({ status, message }) => {
        if (status === "ok") this.#each((listener) => listener.wake?.());
        if (status !== "error") return;
        this.#tell(false, refusalOf({ message: String(message) }));
      });
  }

  #tell(isJoined: boolean, refusal?: GenesisError): void {
    this.#isJoined = isJoined;
    this.#refusal = refusal;
    if (!isJoined) watchdogOf(this.supabase).watch();
    this.#each((listener) => listener.joined?.(isJoined, refusal));
  }

  async #leave(): Promise<void> {
    const channel = this.#channel;
    this.#channel = this.#refusal = undefined;
    this.#isJoined = false;
    if (channel) await this.supabase.removeChannel(channel);
  }

  async #leaveUnheard(): Promise<void> {
    if (this.#listeners.size > 0) return;
    await this.#leave();
    if (this.#listeners.size > 0) return this.#join();
    this.forget();
    // An idle socket would keep a program from ending.
    if (this.supabase.getChannels().length > 0) return;
    // Who opened a channel meanwhile, here or in the app, was taken along: they join when there is a socket again.
    await disconnect(this.supabase);
  }

  #rejoinLater(): void {
    if (this.#listeners.size === 0) return;
    clearTimeout(this.#timer);
    const pause = REJOIN_MS[Math.min(this.#failures++, REJOIN_MS.length - 1)] ?? 0;
    this.#timer = setTimeout(() => this.#next(() => this.#join()), pause * (0.5 + Math.random()));
  }

  #sendPresence(): void {
    if (!this.#isJoined || this.changes) return;
    const states = [...this.#tracked.values()];
    if (states.length === 0 && !this.#wasTracked) return;
    this.#wasTracked = states.length > 0;
    const sent = states.length > 0 ? this.#channel?.track(Object.assign({}, ...states)) : this.#channel?.untrack();
    // Lost with the connection: it is sent again after the next join.
    sent?.catch(() => {});
  }

  #each(tell: (listener: Listener) => void): void {
    for (const listener of [...this.#listeners.values()]) this.#one(listener, tell);
  }

  /** What a listener throws is said, and costs neither the others nor the channel anything. */
  #one(listener: Listener, tell: (listener: Listener) => void): void {
    try {
      tell(listener);
    } catch (thrown) {
      console.error(`A listener to ${this.name} failed:`, thrown);
    }
  }
}

const channels = new WeakMap<Client, Map<string, SharedChannel>>();

function share(supabase: Client, name: string, listener: Listener, changes?: TableChanges): Subscription {
  const known = channels.get(supabase) ?? new Map<string, SharedChannel>();
  if (!channels.has(supabase)) {
    channels.set(supabase, known);
    onPersonChange(supabase, (_person, isOther) => {
      if (isOther) known.forEach((channel) => channel.joinAnew());
    });
  }
  let channel = known.get(name);
  if (!channel) {
    channel = new SharedChannel(supabase, name, changes, () => known.delete(name));
    known.set(name, channel);
  }
  return channel.listen(listener);
}

/** Listens to a private topic through the one channel that this client has for it. */
export const listen = (supabase: Client, topic: string, listener: Listener): Subscription =>
  share(supabase, topic, listener);

/** Listens to the changes of a table through the one channel that this client has for them. */
export function listenToChanges(supabase: Client, changes: TableChanges, listener: Listener): Subscription {
  const { schema = "public", table, event = "*", filter = "" } = changes;
  return share(supabase, `changes:${schema}:${table}:${event}:${filter}`, listener, changes);
}
