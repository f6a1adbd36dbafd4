// Buckets: list, read, create, change, empty and delete, under the policies on storage.buckets as the caller.
import { z } from "zod";
import { asService, ownerOf, type Transaction } from "./database.ts";
import { bucketNotEmpty, bucketNotFound, invalidRequest, notAvailable, tooLarge } from "./errors.ts";
import { checkBucketName } from "./names.ts";
import { type Call, type Operation, readJson, type Services } from "./request.ts";
import { ownership } from "./upload.ts";

const UNITS: Record<string, number> = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9 };

const settings = {
  public: z.boolean().optional(),
  file_size_limit: z.union([z.number().int().min(0), z.string()]).nullish(),
  allowed_mime_types: z.array(z.string().regex(/^([\w\-+.]+|\*)\/([\w\-+.]+|\*)$/, "is not a MIME type")).nullish(),
  versioning_status: z.string().optional(),
};
const updateSchema = z.object(settings);
const createSchema = z.object({
  ...settings,
  id: z.string().optional(),
  name: z.string().min(1),
  type: z.string().optional(),
});

const selectBuckets = (tx: Transaction) =>
  tx`
  select id, name, owner_id as owner, public, type, file_size_limit::float8 as file_size_limit, allowed_mime_types,
    versioning_status, created_at, updated_at
  from storage.buckets`;

/** GET /bucket?limit&offset&sortColumn&sortOrder&search */
export const listBuckets: Operation = async (call, { database }) => {
  const query = call.url.searchParams;
  const column = z.enum(["id", "name", "created_at", "updated_at"]).safeParse(query.get("sortColumn") ?? "id");
  const page = z.object({ limit: z.coerce.number().int().min(1), offset: z.coerce.number().int().min(0) })
    .safeParse({ limit: query.get("limit") ?? 1e6, offset: query.get("offset") ?? 0 });
  if (!column.success || !page.success) throw invalidRequest("querystring has an invalid limit, offset or sortColumn");
  const rows = await database.run(call.scope, (tx) =>
    tx`
    ${selectBuckets(tx)}
    where position(lower(${query.get("search") ?? ""}) in lower(name)) > 0
    order by ${tx(column.data)} ${query.get("sortOrder") === "desc" ? tx`desc` : tx`asc`}
    limit ${page.data.limit} offset ${page.data.offset}`);
  return Response.json(rows);
};

/** GET /bucket/:id */
export const getBucket: Operation = async (call, { database }) => {
  const [bucket] = await database.run(call.scope, (tx) => tx`${selectBuckets(tx)} where id = ${call.bucket}`);
  if (!bucket) throw bucketNotFound();
  return Response.json(bucket);
};

/** POST /bucket */
export const createBucket: Operation = async (call, services) => {
  const { id, name, type, ...body } = await readJson(call, createSchema);
  if (type !== undefined && type !== "STANDARD") throw notAvailable(`A bucket of type ${type}`);
  const bucket = { id: checkBucketName(id ?? name), name: checkBucketName(name), ...readSettings(body, services) };
  await services.database.run(call.scope, (tx) =>
    tx`
    insert into storage.buckets ${tx({ ...bucket, ...ownership(ownerOf(call.scope.caller)) })}`);
  return Response.json({ name });
};

/** PUT /bucket/:id */
export const updateBucket: Operation = async (call, services) => {
  const change = readSettings(await readJson(call, updateSchema), services);
  const rows = await services.database.run(call.scope, (tx) =>
    tx`
    update storage.buckets set ${tx({ ...change, updated_at: new Date() })} where id = ${call.bucket} returning id`);
  if (rows.length === 0) throw bucketNotFound();
  return Response.json({ message: "Successfully updated" });
};

/** POST /bucket/:id/empty: removes what the caller may delete, all of it or nothing. */
export const emptyBucket: Operation = async (call, services) => {
  const removed = await services.database.run(call.scope, async (tx) => {
    await mustSeeBucket(tx, call.bucket);
    const rows = await tx<{ version: string | null }[]>`
      delete from storage.objects where bucket_id = ${call.bucket} returning version`;
    const [left] = await tx<{ name: string }[]>`
      select name from storage.objects where bucket_id = ${call.bucket} limit 1`;
    if (left) {
      throw invalidRequest(`Cannot delete: ${left.name}, you may have SELECT but not DELETE permissions`);
    }
    return rows;
  });
  await services.files.remove(removed.map(({ version }) => version));
  return Response.json({ message: "Successfully emptied" });
};

/** DELETE /bucket/:id: only when it holds nothing, seen by the caller or not. */
export const deleteBucket: Operation = async (call, services) => {
  await services.database.run(call.scope, (tx) => mustSeeBucket(tx, call.bucket));
  const [held] = await services.database.run(asService(call.scope), (tx) =>
    tx`
    select 1 from storage.objects where bucket_id = ${call.bucket} limit 1`);
  if (held) throw bucketNotEmpty();
  const rows = await services.database.run(call.scope, (tx) =>
    tx`
    delete from storage.buckets where id = ${call.bucket} returning id`);
  if (rows.length === 0) throw bucketNotFound();
  return Response.json({ message: "Successfully deleted" });
};

async function mustSeeBucket(tx: Transaction, id: string): Promise<void> {
  const [bucket] = await tx`select id from storage.buckets where id = ${id}`;
  if (!bucket) throw bucketNotFound();
}

function readSettings(body: z.infer<typeof updateSchema>, { fileSizeLimitBytes }: Services) {
  if (body.versioning_status !== undefined && body.versioning_status !== "DISABLED") {
    throw notAvailable("Object versioning");
  }
  const limit = readSize(body.file_size_limit);
  if (limit && limit > fileSizeLimitBytes) throw tooLarge();
  return {
    ...(body.public === undefined ? {} : { public: body.public }),
    ...(limit === undefined ? {} : { file_size_limit: limit }),
    ...(body.allowed_mime_types === undefined ? {} : { allowed_mime_types: body.allowed_mime_types }),
  };
}

/** A size in bytes: a number, or one with a decimal unit such as "20MB". */
function readSize(size: number | string | null | undefined): number | null | undefined {
  if (typeof size !== "string") return size;
  const match = /^(\d+(?:\.\d+)?)(gb|mb|kb|b)?$/i.exec(size);
  if (!match) throw invalidRequest("Invalid file size format, hint: use 20GB / 20MB / 30KB / 3B");
  return Math.floor(Number(match[1]) * (UNITS[(match[2] ?? "b").toLowerCase()] ?? 1));
}

/** DELETE /cdn/...: there is no CDN here, so whoever may purge one has done so. */
export const purgeCache: Operation = (call: Call) => {
  if (call.scope.caller.role !== "service_role") throw notAvailable("Purging the cache without a secret key");
  return Promise.resolve(Response.json({ message: "success" }));
};
