// What every connection and channel is served by.
import type postgres from "postgres";
import type { Changes } from "./changes.ts";
import type { Hub } from "./hub.ts";
import type { Presence } from "./presence.ts";
import type { Replication } from "./replication.ts";
import type { Token } from "./tokens.ts";

export interface Services {
  sql: postgres.Sql;
  hub: Hub;
  presence: Presence;
  changes: Changes;
  replication: Replication;
  readToken(text: string): Promise<Token>;
  log(line: string): void;
}
