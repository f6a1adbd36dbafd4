// Following something live as an async iterable: look, hand over what is new, wait until woken, look again. Nothing is
// fetched while the caller is busy with what it has, so a slow caller makes for larger steps and not for a longer queue.
import type { Client } from "./call.ts";
import { GenesisError, toGenesisError } from "./error.ts";
import { inTime } from "./in_time.ts";
import { jittered, pause } from "./pause.ts";
import { listen } from "./channel.ts";
import { asSomebody, asThePerson } from "./person.ts";
import { Wakeup } from "./wakeup.ts";

export interface WatchOptions {
  /** Ends the iteration quietly, as `break` does. */
  signal?: AbortSignal;
  /** Told whether changes arrive live; while they do not, the reader polls. */
  onConnection?: (isLive: boolean) => void;
}

/** An iterable that ends at `break`, at `return()` even while a step is awaited, and at the signal. */
export interface Watch<Step> extends AsyncIterableIterator<Step>, AsyncDisposable {
  next(): Promise<IteratorResult<Step, undefined>>;
  return(): Promise<IteratorResult<Step, undefined>>;
}

export interface Reader<Step> {
  topic: string;
  /**
   * Looks once, at everything (null) or at what these events are about, which may be nothing: members send messages of
   * their own. `more` asks to be called again at once, `behind` says that something is there that cannot be read yet. A
   * look whose signal has fired is left behind: it may change nothing that the next one goes by.
   */
  look(about: ReadonlySet<string> | null, signal: AbortSignal): Promise<Look<Step>>;
}

export interface Look<Step> {
  step?: Step;
  more?: boolean;
  behind?: boolean;
}

/**
 * Least time from one look to the next, in milliseconds: what comes in between is one step. A reader also rests for as long
 * as a look takes, so that many of them leave a busy backend room to work.
 */
const LEAST_MS = 50;
const LONGEST_REST_MS = 2000;
const LONGEST_BACKOFF_MS = 10_000;

async function* steps<Step>(
  supabase: Client,
  reader: Reader<Step>,
  stopping: AbortController,
  { signal: given, onConnection }: WatchOptions,
): AsyncGenerator<Step, undefined> {
  const { signal } = stopping;
  const wakeup = new Wakeup();
  const stop = () => stopping.abort();
  if (given?.aborted) stop();
  given?.addEventListener("abort", stop);
  signal.addEventListener("abort", () => wakeup.wake());
  const subscription = listen(supabase, reader.topic, {
    wake: (message) => wakeup.wake(message),
    joined: (isJoined) => {
      if (wakeup.isJoined === isJoined) return;
      wakeup.isJoined = isJoined;
      onConnection?.(isJoined);
      if (!isJoined) wakeup.wake();
    },
  });
  let failures = 0;
  try {
    while (!signal.aborted) {
      const about = wakeup.begin();
      const began = Date.now();
      const mayPass = asThePerson(supabase);
      let took = 0;
      try {
        const { step, more, behind } = await inTime((signal) => reader.look(about, signal), signal);
        took = Date.now() - began;
        failures = 0;
        if (signal.aborted) return;
        if (step !== undefined) yield step;
        if (more) {
          wakeup.wake();
          continue;
        }
        // A look at nothing has nothing to say about it.
        if (behind !== undefined) wakeup.lookAgain(behind);
      } catch (thrown) {
        if (signal.aborted) return;
        const error = await toGenesisError(thrown);
        const isFinal = !await mayPass(error, signal);
        if (signal.aborted) return;
        if (isFinal) throw error;
        wakeup.wake();
        await pause(jittered(Math.min(LONGEST_BACKOFF_MS, 250 * 2 ** failures++)), signal);
        continue;
      }
      await wakeup.wait();
      await pause(began + Math.max(LEAST_MS, Math.min(2 * took, took + LONGEST_REST_MS)) - Date.now(), signal);
    }
  } finally {
    given?.removeEventListener("abort", stop);
    subscription.close();
  }
}

/** The first step of a watch and nothing more: no channel is joined for it. */
export async function readOnce<Step>(supabase: Client, reader: Reader<Step>, signal?: AbortSignal): Promise<Step> {
  const look = () => inTime((signal) => reader.look(null, signal), signal);
  const { step } = await asSomebody(supabase, look, signal);
  // The first look of every reader has one.
  if (step === undefined) throw new GenesisError("internal", "There was nothing to read.");
  return step;
}

/** Makes a Watch of a reader. Every failure that may pass is waited out; any other is thrown as a GenesisError. */
export function follow<Step>(
  supabase: Client,
  makeReader: () => Reader<Step>,
  options: WatchOptions = {},
): Watch<Step> {
  const stopping = new AbortController();
  const generator = steps(supabase, makeReader(), stopping, options);
  const end = async (): Promise<IteratorResult<Step, undefined>> => {
    stopping.abort();
    await generator.return(undefined);
    return { done: true, value: undefined };
  };
  return {
    next: () => generator.next(),
    return: end,
    [Symbol.asyncIterator]() {
      return this;
    },
    [Symbol.asyncDispose]: async () => void await end(),
  };
}
