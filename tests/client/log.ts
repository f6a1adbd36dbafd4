// The log of an execution, and whether a watch has followed it.
import { assert, assertEquals } from "@std/assert";
import type { ExecutionEvent, ExecutionView, Genesis } from "../../shared/client/mod.ts";

/** All events of an execution, in the order of their cursor. */
export async function readLog(genesis: Genesis, execution_id: string): Promise<ExecutionEvent[]> {
  const log: ExecutionEvent[] = [];
  for (let after = "0-0";;) {
    const { events, cursor, has_more } = await genesis.listEvents({ execution_id, after, limit: 1000 });
    log.push(...events);
    if (!has_more) return log;
    after = cursor;
  }
}

/**
 * Checks that the steps brought the end of the log, each event once and in order, and all that came after the first
 * `known`. A first step may be followed by events that it already holds, when somebody else's transaction was still open.
 */
export function assertFollowed(views: ExecutionView[], log: ExecutionEvent[], known: number): void {
  const seen = views.flatMap(({ events }) => events.map(({ id }) => id));
  assertEquals(seen, log.slice(log.length - seen.length).map(({ id }) => id));
  assert(seen.length >= log.length - known, `${log.length - known} events are new, and only ${seen.length} arrived`);
}
