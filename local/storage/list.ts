// Lists a bucket as the caller sees it: version 1 by offset with folders as entries, version 2 by cursor.
import { z } from "zod";
import { invalidRequest, notAvailable } from "./errors.ts";
import { type Operation, readJson } from "./request.ts";

const versionFilter = z.enum(["exclude", "include", "only"]).optional();
const order = z.enum(["asc", "desc"]).optional();

const listSchema = z.object({
  prefix: z.string(),
  limit: z.number().int().min(1).optional(),
  offset: z.number().int().min(0).optional(),
  search: z.string().optional(),
  sortBy: z.object({
    column: z.enum(["name", "updated_at", "created_at", "last_accessed_at"]).optional(),
    order,
  }).optional(),
  noncurrentVersions: versionFilter,
  deleteMarkers: versionFilter,
});

/** POST /object/list/:bucket */
export const listObjects: Operation = async (call, services) => {
  const { prefix, limit, offset, search, sortBy, ...versions } = await readJson(call, listSchema);
  refuseVersions(versions);
  const folder = prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`;
  const rows = await services.database.run(call.scope, (tx) =>
    tx`
    select name, id, updated_at, created_at, last_accessed_at, metadata
    from storage.search(${folder}, ${call.bucket}, ${limit ?? 100}, 1, ${offset ?? 0}, ${search ?? ""},
      ${sortBy?.column ?? "name"}, ${sortBy?.order ?? "asc"})`);
  return Response.json(rows);
};

const listV2Schema = z.object({
  prefix: z.string().optional(),
  limit: z.number().int().min(1).max(1000).optional(),
  cursor: z.string().optional(),
  with_delimiter: z.boolean().optional(),
  sortBy: z.object({ column: z.enum(["name", "updated_at", "created_at"]), order }).optional(),
  noncurrentVersions: versionFilter,
  deleteMarkers: versionFilter,
  exactMatch: z.boolean().optional(),
});

/** Where a page ended: the sort column's value of its last entry (null when sorted by name) and its name. */
const cursorSchema = z.tuple([z.string().nullable(), z.string()]);

interface Entry {
  name: string;
  id: string | null;
  updated_at: Date;
  created_at: Date;
  last_accessed_at: Date;
  metadata: unknown;
  position: string;
}

/** POST /object/list-v2/:bucket */
export const listObjectsV2: Operation = async (call, services) => {
  const body = await readJson(call, listV2Schema);
  refuseVersions(body);
  const prefix = body.prefix ?? "";
  const limit = body.limit ?? 1000;
  const column = body.sortBy?.column ?? "name";
  const descending = body.sortBy?.order === "desc";
  const [after, afterName] = body.cursor === undefined ? [null, null] : decodeCursor(body.cursor);
  const entries = await services.database.run(call.scope, (tx) => {
    const key = column === "name" ? tx`'epoch'::timestamptz` : tx`${tx(column)}`;
    const direction = descending ? tx`desc` : tx`asc`;
    return tx<Entry[]>`
      with matching as (
        select *, case when ${
      body.with_delimiter ?? false
    } then storage.get_common_prefix(name, ${prefix}, '/') end as folder
        from storage.objects
        where bucket_id = ${call.bucket} and archived_at is null and not is_delete_marker
          and case when ${body.exactMatch ?? false} then name = ${prefix} else name collate "C" ^@ ${prefix} end
      ), entries as (
        select folder as name, null::uuid as id, min(updated_at) as updated_at, min(created_at) as created_at,
          min(last_accessed_at) as last_accessed_at, null::jsonb as metadata
        from matching where folder is not null group by folder
        union all
        select name, id, updated_at, created_at, last_accessed_at, metadata from matching where folder is null
      )
      select *, ${key}::text as position from entries
      where ${afterName}::text is null or case when ${descending}
        then (${key}, name collate "C") < (coalesce(${after}::text::timestamptz, 'epoch'), ${afterName}::text collate "C")
        else (${key}, name collate "C") > (coalesce(${after}::text::timestamptz, 'epoch'), ${afterName}::text collate "C") end
      order by ${key} ${direction}, name collate "C" ${direction}
      limit ${limit + 1}`;
  });
  const page = entries.slice(0, limit);
  const last = page.at(-1);
  return Response.json({
    hasNext: entries.length > limit,
    ...(last && entries.length > limit
      ? { nextCursor: encodeCursor(column === "name" ? null : last.position, last.name) }
      : {}),
    folders: page.filter(({ id }) => id === null).map(({ name }) => ({ key: name, name })),
    objects: page.filter(({ id }) => id !== null).map(({ position: _, ...object }) => ({
      key: object.name,
      ...object,
    })),
  });
};

function refuseVersions(asked: { noncurrentVersions?: string; deleteMarkers?: string }): void {
  for (const filter of [asked.noncurrentVersions, asked.deleteMarkers]) {
    if (filter && filter !== "exclude") throw notAvailable("Object versioning");
  }
}

function encodeCursor(position: string | null, name: string): string {
  return new TextEncoder().encode(JSON.stringify([position, name])).toBase64();
}

function decodeCursor(cursor: string): z.infer<typeof cursorSchema> {
  try {
    return cursorSchema.parse(JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(cursor))));
  } catch {
    throw invalidRequest("body/cursor is not one that a previous page gave");
  }
}
