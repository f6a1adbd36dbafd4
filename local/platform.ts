// Makes a database look like a hosted project before its first migration. Safe at each boot and on each cloned database.
import postgres from "postgres";
import { authSchemaSql } from "./auth_data.ts";
import { databaseOf } from "./database_name.ts";
import { onDatabaseSocket } from "./database_socket.ts";

const FOLDER = new URL("./platform/", import.meta.url);

/** The files in order; the auth tables come from @supabase/lite, right before the file that dresses them. */
async function statements(): Promise<string[]> {
  const names = [];
  for await (const entry of Deno.readDir(FOLDER)) if (entry.name.endsWith(".sql")) names.push(entry.name);
  const texts = [];
  for (const name of names.sort()) {
    if (name === "30_auth.sql") texts.push(authSchemaSql());
    texts.push(await Deno.readTextFile(new URL(name, FOLDER)));
  }
  return texts;
}

/** A connection that keeps PostgreSQL's notices ("already exists, skipping") to itself. */
export function connect(
  url: string,
  { connection, ...options }: postgres.Options<Record<string, never>> & {
    connection?: Record<string, string | number>;
  } = {},
): postgres.Sql {
  const given = { max: 1, database: databaseOf(url), onnotice: () => {}, ...options };
  return postgres(url, { ...given, ...onDatabaseSocket(connection) });
}

/**
 * Creates the platform's roles, schemas, tables and functions where they are missing.
 *
 * @param databaseUrl a superuser's connection to any database of the cluster
 */
export async function applyPlatform(databaseUrl: string): Promise<void> {
  const sql = connect(databaseUrl);
  try {
    for (const text of await statements()) await sql.unsafe(text);
  } finally {
    await sql.end();
  }
}

/** Makes the partitions that realtime.messages needs these days. */
export async function refreshPartitions(sql: postgres.Sql): Promise<void> {
  await sql.unsafe(await Deno.readTextFile(new URL("60_realtime_partitions.sql", FOLDER)));
}
