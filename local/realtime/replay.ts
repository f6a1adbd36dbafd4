// Replay: the newest messages of a private topic that the database still has, for a channel that joins late.
import type postgres from "postgres";
import type { Replay } from "./join.ts";

export interface Replayed {
  id: string;
  event: string;
  payload: unknown;
}

/** Oldest first. */
export async function readPast(sql: postgres.Sql, topic: string, { since, limit }: Replay): Promise<Replayed[]> {
  const rows = await sql<Replayed[]>`
    select id, event, payload from realtime.messages
    where topic = ${topic} and private and extension = 'broadcast' and event is not null and payload is not null
      and inserted_at >= to_timestamp(${since} / 1000.0) at time zone 'UTC'
    order by inserted_at desc limit ${limit}`;
  return [...rows].reverse();
}
