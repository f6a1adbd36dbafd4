// A WebSocket whose handshake nobody answers: supabase-js waits for it for ever, and whatever is to be joined over it waits
// too. One watchdog per client gives such a connection up and makes another.
import type { Client } from "./call.ts";

/** How long a handshake may take, in milliseconds; twice as long after each one given up: a way may be slow and no more. */
const PATIENCE_MS = 20_000;
const LONGEST_MS = 300_000;
/** Between two looks, in milliseconds: shorter than the pause after a connection that failed, which begins it anew. */
const LOOK_MS = 500;

/** Looks only while something waits to be joined: an app's own channels count, and a client without channels costs nothing. */
export class Watchdog {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #since: number | undefined;
  #patienceMs: number;

  constructor(readonly supabase: Client, readonly firstMs: number) {
    this.#patienceMs = firstMs;
  }

  /** To be called when a channel is not joined. */
  watch(): void {
    this.#timer ??= setTimeout(async () => {
      await this.#look().catch(() => {});
      this.#timer = undefined;
      if (this.supabase.getChannels().some(({ state }) => state === "joining" || state === "errored")) this.watch();
      else [this.#since, this.#patienceMs] = [undefined, this.firstMs];
    }, LOOK_MS);
  }

  async #look(): Promise<void> {
    const { realtime } = this.supabase;
    if (!realtime.isConnecting()) this.#since = undefined;
    else this.#since ??= performance.now();
    if (this.#since === undefined || performance.now() - this.#since < this.#patienceMs) return;
    this.#since = undefined;
    this.#patienceMs = Math.min(LONGEST_MS, this.#patienceMs * 2);
    await disconnect(this.supabase);
  }
}

const watchdogs = new WeakMap<Client, Watchdog>();

/** The watchdog of this client; who asks first says how patient it is. */
export function watchdogOf(supabase: Client, firstMs = PATIENCE_MS): Watchdog {
  const watchdog = watchdogs.get(supabase) ?? new Watchdog(supabase, firstMs);
  watchdogs.set(supabase, watchdog);
  return watchdog;
}

/** Sockets on their way out. */
const closing = new WeakMap<Client, Promise<unknown>>();

/** A socket that is being closed takes the channel along that joins on it. */
export const disconnected = async (supabase: Client): Promise<void> => void await closing.get(supabase);

/** Closes the socket. Whoever has a channel all the same joins on another one. */
export async function disconnect(supabase: Client): Promise<void> {
  const closed = supabase.realtime.disconnect();
  closing.set(supabase, closed);
  await closed;
  if (supabase.getChannels().length > 0) supabase.realtime.connect();
}
