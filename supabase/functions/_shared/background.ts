// Work that goes on after the answer: the platform keeps the function alive for it, any other host just lets it run.
import { type Fields, log } from "./log.ts";

declare const EdgeRuntime: { waitUntil(promise: Promise<unknown>): void } | undefined;

/** Auth has a code for what it refuses; its sentences name the address, which is nobody's business on a log. */
function reasonOf({ code, message }: Error & { code?: unknown }): string {
  return typeof code === "string" ? code : message;
}

/** Lets a promise finish by itself; a failure is logged as that event, with these fields. */
export function inBackground(event: string, work: Promise<unknown>, fields: Fields): void {
  const settled = work.catch((error: Error) =>
    log("error", event, { ...fields, reason: reasonOf(error.cause instanceof Error ? error.cause : error) })
  );
  if (typeof EdgeRuntime !== "undefined") EdgeRuntime.waitUntil(settled);
}
