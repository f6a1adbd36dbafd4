// Removes, moves and copies objects. Rows change in one transaction; bytes go only after it has committed.
import { z } from "zod";
import { findObject, ownerOf } from "./database.ts";
import { notAvailable, objectNotFound } from "./errors.ts";
import { checkBucketName, checkObjectName } from "./names.ts";
import { type Call, isUpsert, type Operation, readJson, type Services } from "./request.ts";
import { withStoredObject } from "./stored.ts";
import { checkMayWrite, commit, ownership } from "./upload.ts";

const removeSchema = z.object({
  prefixes: z.array(z.union([z.string(), z.object({ path: z.string(), versionId: z.string() })])).min(1).max(1000),
});

/** DELETE /object/:bucket: what the caller may not see or not delete is left alone and not in the answer. */
export const removeObjects: Operation = async (call, services) => {
  const { prefixes } = await readJson(call, removeSchema);
  const names = prefixes.filter((entry) => typeof entry === "string");
  if (names.length < prefixes.length) throw notAvailable("Object versioning");
  return Response.json(await remove(call, services, names));
};

/** DELETE /object/:bucket/* */
export const removeObject: Operation = async (call, services) => {
  const removed = await remove(call, services, [call.object]);
  if (removed.length === 0) throw objectNotFound();
  return Response.json({ message: "Successfully deleted" });
};

async function remove(call: Call, services: Services, names: string[]) {
  const rows = await services.database.run(call.scope, (tx) =>
    tx<{ version: string | null }[]>`
    delete from storage.objects
    where bucket_id = ${call.bucket} and name = any(${names})
    returning id, bucket_id, name, owner, owner_id, version, metadata, user_metadata, created_at, updated_at,
      last_accessed_at`);
  await services.files.remove(rows.map(({ version }) => version));
  return rows;
}

const transferSchema = z.object({
  bucketId: z.string().min(1),
  sourceKey: z.string().min(1),
  destinationKey: z.string().min(1),
  destinationBucket: z.string().min(1).optional(),
  sourceVersionId: z.string().optional(),
});

/** POST /object/move: SELECT and UPDATE as the caller. The bytes stay where they are, since no name is in their path. */
export const moveObject: Operation = async (call, services) => {
  const { source, target } = await readTransfer(call, transferSchema);
  const id = await services.database.run(call.scope, async (tx) => {
    const [origin] = await findObject(tx, source.bucket, source.name);
    if (!origin) throw objectNotFound();
    const change = { bucket_id: target.bucket, name: target.name, ...ownership(ownerOf(call.scope.caller)) };
    // By its name too: who waited for another's move finds nothing under it any more.
    const [moved] = await tx<{ id: string }[]>`
      update storage.objects set ${tx(change)}
      where id = ${origin.id} and bucket_id = ${source.bucket} and name = ${source.name} returning id`;
    if (!moved) throw objectNotFound();
    return moved.id;
  });
  return Response.json({ message: "Successfully moved", Id: id, Key: `${target.bucket}/${target.name}` });
};

const copySchema = transferSchema.extend({
  copyMetadata: z.boolean().optional(),
  metadata: z.object({
    cacheControl: z.string().optional(),
    contentEncoding: z.string().optional(),
    mimetype: z.string().optional(),
  }).optional(),
});

/** POST /object/copy: SELECT on the source, and on the destination what an upload needs. */
export const copyObject: Operation = async (call, services) => {
  const { source, target, copyMetadata = true, metadata } = await readTransfer(call, copySchema);
  const upsert = isUpsert(call);
  const { name, bucket } = target;
  const copy = await withStoredObject(services, call.scope, source.bucket, source.name, async (origin) => {
    await checkMayWrite(call.scope, services, bucket, name, upsert);
    return { origin, version: await services.files.duplicate(origin.version) };
  });
  const id = await commit(call.scope, services, bucket, name, {
    version: copy.version,
    metadata: {
      ...copy.origin.metadata,
      ...(copyMetadata ? {} : metadata),
      lastModified: new Date().toISOString(),
    },
    userMetadata: copyMetadata ? copy.origin.user_metadata ?? {} : {},
    owner: ownerOf(call.scope.caller),
    upsert,
  });
  return Response.json({ Id: id, Key: `${bucket}/${name}`, name, bucket_id: bucket });
};

async function readTransfer<T extends z.infer<typeof transferSchema>>(call: Call, schema: z.ZodType<T>) {
  const body = await readJson(call, schema);
  if (body.sourceVersionId !== undefined) throw notAvailable("Object versioning");
  const source = { bucket: checkBucketName(body.bucketId), name: checkObjectName(body.sourceKey) };
  const bucket = checkBucketName(body.destinationBucket ?? body.bucketId);
  return { ...body, source, target: { bucket, name: checkObjectName(body.destinationKey) } };
}
