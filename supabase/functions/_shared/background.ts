// Work that goes on after the answer: the platform keeps the function alive for it, any other host just lets it run.
import { log } from "./log.ts";

declare const EdgeRuntime: { waitUntil(promise: Promise<unknown>): void } | undefined;

/** Lets a promise finish by itself; a failure is logged as that event. */
export function inBackground(event: string, work: Promise<unknown>): void {
  const settled = work.catch((error: Error) =>
    log("error", event, { reason: String(error.cause instanceof Error ? error.cause.message : error.message) })
  );
  if (typeof EdgeRuntime !== "undefined") EdgeRuntime.waitUntil(settled);
}
