// A private Realtime topic, joined once however many parts of a program listen to it. What it carries only wakes: the
// truth is always what a listener then reads, so a lost connection loses nothing.
import type { RealtimeChannel } from "@supabase/supabase-js";
import type { Client } from "./call.ts";

/** A broadcast: what happened, in ids and states. */
export interface Message {
  event: string;
  payload: Record<string, unknown>;
}

/** Everyone who is there, by presence key (the person's id), with what each of their clients told. */
export type Present = Record<string, Record<string, unknown>[]>;

export interface Listener {
  /** A message came; or, without one, the topic was joined anew and anything may have happened meanwhile. */
  wake?(message?: Message): void;
  /** While the topic is not joined, a listener has to look for itself. */
  joined?(isJoined: boolean): void;
  present?(everyone: Present): void;
}

export interface Subscription {
  /** Tells the others that this client is there; null takes it back. */
  track(state: Record<string, unknown> | null): void;
  close(): void;
}

/** How long a topic without listeners stays joined, in milliseconds: React's StrictMode and page changes come back. */
const LINGER_MS = 500;
const REJOIN_MS = [1000, 2000, 5000, 10_000];

class Topic {
  readonly #listeners = new Map<symbol, Listener>();
  readonly #tracked = new Map<symbol, Record<string, unknown>>();
  #channel: RealtimeChannel | undefined;
  #isJoined = false;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Joins and leaves take turns: until a channel has left, supabase-js hands it out again. */
  #turn: Promise<void> = Promise.resolve();

  constructor(readonly supabase: Client, readonly name: string, readonly forget: () => void) {}

  listen(listener: Listener): Subscription {
    const key = Symbol();
    this.#listeners.set(key, listener);
    clearTimeout(this.#timer);
    if (!this.#channel) this.#next(() => this.#join());
    else if (this.#isJoined) {
      listener.joined?.(true);
      listener.present?.(this.#channel.presenceState());
    }
    return {
      track: (state) => {
        if (state) this.#tracked.set(key, state);
        else this.#tracked.delete(key);
        this.#sendPresence();
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

  #next(step: () => Promise<void>): void {
    this.#turn = this.#turn.then(step).catch(() => this.#rejoinLater());
  }

  async #join(): Promise<void> {
    if (this.#channel || this.#listeners.size === 0) return;
    // Without this the first join goes out with the key alone, and is refused.
    await this.supabase.realtime.setAuth();
    const { data: { session } } = await this.supabase.auth.getSession();
    const channel = this.supabase.channel(this.name, {
      config: { private: true, presence: { key: session?.user.id ?? "", enabled: true } },
    });
    this.#channel = channel;
    channel.on("broadcast", { event: "*" }, ({ event, payload }) => {
      this.#each((listener) => listener.wake?.({ event, payload: payload ?? {} }));
    });
    channel.on("presence", { event: "sync" }, () => {
      this.#each((listener) => listener.present?.(channel.presenceState()));
    });
    channel.subscribe((status) => {
      if (channel !== this.#channel) return;
      this.#isJoined = status === "SUBSCRIBED";
      this.#each((listener) => listener.joined?.(this.#isJoined));
      if (this.#isJoined) {
        this.#failures = 0;
        this.#sendPresence();
        this.#each((listener) => listener.wake?.());
      }
      // Errors and timeouts are tried again by supabase-js; a channel that the server closed is not.
      if (status === "CLOSED") this.#next(() => this.#leave().then(() => this.#rejoinLater()));
    });
  }

  async #leave(): Promise<void> {
    const channel = this.#channel;
    this.#channel = undefined;
    this.#isJoined = false;
    if (channel) await this.supabase.removeChannel(channel);
  }

  async #leaveUnheard(): Promise<void> {
    if (this.#listeners.size > 0) return;
    await this.#leave();
    if (this.#listeners.size > 0) return this.#join();
    this.forget();
    // An idle socket would keep a program from ending.
    if (this.supabase.getChannels().length === 0) await this.supabase.realtime.disconnect();
  }

  #rejoinLater(): void {
    clearTimeout(this.#timer);
    if (this.#listeners.size === 0) return this.forget();
    const pause = REJOIN_MS[Math.min(this.#failures++, REJOIN_MS.length - 1)] ?? 0;
    this.#timer = setTimeout(() => this.#next(() => this.#join()), pause * (0.5 + Math.random()));
  }

  #sendPresence(): void {
    if (!this.#isJoined) return;
    const states = [...this.#tracked.values()];
    const sent = states.length > 0 ? this.#channel?.track(Object.assign({}, ...states)) : this.#channel?.untrack();
    // Lost with the connection: it is sent again after the next join.
    sent?.catch(() => {});
  }

  #each(tell: (listener: Listener) => void): void {
    for (const listener of [...this.#listeners.values()]) tell(listener);
  }
}

const topics = new WeakMap<Client, Map<string, Topic>>();

/** Listens to a topic through the one channel that this client has for it. */
export function listen(supabase: Client, name: string, listener: Listener): Subscription {
  const known = topics.get(supabase) ?? new Map<string, Topic>();
  topics.set(supabase, known);
  const topic = known.get(name) ?? new Topic(supabase, name, () => known.delete(name));
  known.set(name, topic);
  return topic.listen(listener);
}
