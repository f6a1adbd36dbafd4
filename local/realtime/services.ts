// What every connection and channel is served by.
import type postgres from "postgres";
import type { Changes } from "./changes.ts";
import type { Hub } from "./hub.ts";
import type { Presence } from "./presence.ts";
import type { Replication } from "./replication.ts";
import type { Token } from "./tokens.ts";
import type { Turns } from "./turns.ts";

export interface Services {
  sql: postgres.Sql;
  hub: Hub;
  presence: Presence;
  changes: Changes;
  replication: Replication;
  /** For questions to the policies: who has many of them does not hold up the others. */
  turns: Turns;
  readToken(text: string): Promise<Token>;
  log(line: string): void;
}
