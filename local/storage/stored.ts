// Finds an object together with its bytes, although an upsert may replace both at any moment.
import type { ObjectMetadata, ObjectRow, Scope } from "./database.ts";
import { objectNotFound } from "./errors.ts";
import type { Services } from "./request.ts";

/** A row whose upload is complete. */
export interface StoredObject extends ObjectRow {
  version: string;
  metadata: ObjectMetadata;
}

/**
 * Runs `use` with the object as the scope's caller sees it; throws NoSuchKey when there is none. An upsert may remove
 * the bytes between the look at the row and their use (which then throws Deno.errors.NotFound): by then the row names
 * another version, and `use` runs again. When it still names the same one, the bytes are really gone.
 */
export async function withStoredObject<T>(
  { database }: Services,
  scope: Scope,
  bucket: string,
  name: string,
  use: (object: StoredObject) => Promise<T>,
): Promise<T> {
  for (let missing: string | undefined;;) {
    const row = await database.find(scope, bucket, name);
    if (!row?.version || !row.metadata || row.version === missing) throw objectNotFound();
    try {
      return await use({ ...row, version: row.version, metadata: row.metadata });
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
      missing = row.version;
    }
  }
}
