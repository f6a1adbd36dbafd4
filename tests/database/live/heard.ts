// What was broadcast: the messages that Realtime would deliver, in the order in which they were written.
import type { TestDatabase } from "../../support/database.ts";

export interface Heard {
  topic: string;
  event: string;
  // deno-lint-ignore no-explicit-any
  payload: any;
  private: boolean;
}

/** Runs something and gives back the messages that it sent. */
export async function heardDuring(db: TestDatabase, run: () => Promise<unknown>): Promise<Heard[]> {
  await db.sql`delete from realtime.messages`;
  await run();
  const rows = await db.sql<Heard[]>`
    select topic, event, payload - 'id' as payload, private from realtime.messages order by tableoid, ctid`;
  return [...rows];
}

/** Topic and event of each message: what most claims are about. */
export const labels = (messages: Heard[]): string[] => messages.map(({ topic, event }) => `${topic} ${event}`);
