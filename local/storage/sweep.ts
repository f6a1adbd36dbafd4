// Removes files that a killed process left behind: uploads that never ended and versions that no row points at.
import type postgres from "postgres";
import { type FileStore, removeQuietly } from "./files.ts";

/** Younger files may belong to an upload that is still running or about to commit. */
const MIN_AGE_MS = 10 * 60 * 1000;
const BATCH = 500;

/**
 * Sweeps the store against the rows of the database. The store remembers which database it belongs to; when it is
 * opened with another one, nothing is removed, since every file would look orphaned. Returns how many files went.
 */
export async function sweep(sql: postgres.Sql, files: FileStore, minAgeMs = MIN_AGE_MS): Promise<number> {
  await files.prepare();
  if (!await belongsTogether(sql, files)) return 0;
  let removed = 0;
  for (const path of await oldFiles(files.uploads, minAgeMs)) {
    await removeQuietly(path);
    removed++;
  }
  for await (const shard of Deno.readDir(files.versions)) {
    if (!shard.isDirectory) continue;
    const paths = await oldFiles(`${files.versions}/${shard.name}`, minAgeMs);
    for (let i = 0; i < paths.length; i += BATCH) {
      const versions = new Map(paths.slice(i, i + BATCH).map((path) => [path.slice(path.lastIndexOf("/") + 1), path]));
      const known = await sql<{ version: string }[]>`
        select version from storage.objects where version = any(${[...versions.keys()]})`;
      for (const { version } of known) versions.delete(version);
      for (const path of versions.values()) await removeQuietly(path);
      removed += versions.size;
    }
  }
  return removed;
}

async function belongsTogether(sql: postgres.Sql, files: FileStore): Promise<boolean> {
  const [row] = await sql<{ identity: string }[]>`
    select system_identifier || '/' || current_database() as identity from pg_control_system()`;
  const marker = `${files.versions}/.database`;
  try {
    return await Deno.readTextFile(marker) === row?.identity;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound) || !row) throw cause;
    await Deno.writeTextFile(marker, row.identity);
    return true;
  }
}

async function oldFiles(directory: string, minAgeMs: number): Promise<string[]> {
  const paths: string[] = [];
  for await (const entry of Deno.readDir(directory)) {
    if (!entry.isFile) continue;
    const path = `${directory}/${entry.name}`;
    try {
      const { mtime, ctime } = await Deno.stat(path);
      // A hard link made by a copy keeps the old mtime; only ctime says that it is new.
      const changed = Math.max(mtime?.getTime() ?? 0, ctime?.getTime() ?? 0);
      if (Date.now() - changed >= minAgeMs) paths.push(path);
    } catch { /* removed meanwhile */ }
  }
  return paths;
}
