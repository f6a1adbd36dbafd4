// Uploads: permission first, then the bytes, then the row. Nothing is visible before the row is committed.
import { asService, type ObjectMetadata, ownerOf, type Scope, type Transaction } from "./database.ts";
import { type IncomingFile, readUpload } from "./body.ts";
import { bucketNotFound, invalidRequest, mimeTypeNotAllowed, StorageError } from "./errors.ts";
import type { ReceivedFile } from "./files.ts";
import { isFolderPlaceholder } from "./names.ts";
import { type Call, isUpsert, type Operation, type Services } from "./request.ts";

/** How long a signed upload URL lives, as on the platform. */
const SIGNED_UPLOAD_SECONDS = 2 * 60 * 60;
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** What a new row says, apart from where it is. */
export interface NewObject extends Owned {
  version: string;
  metadata: ObjectMetadata;
  userMetadata: Record<string, unknown>;
}

/** With whose rights an object is written. */
export interface Owned {
  /** The user it belongs to; null leaves the owner of a replaced object as it is. */
  owner: string | null;
  upsert: boolean;
}

/** POST /object/:bucket/* */
export const createObject: Operation = async (call, services) => {
  const upsert = isUpsert(call);
  const limits = await bucketLimits(call, services);
  await checkMayWrite(call.scope, services, call.bucket, call.object, upsert);
  return Response.json(await receive(call, services, limits, ownerOf(call.scope.caller), upsert));
};

/** PUT /object/:bucket/*: as on the platform an upsert, so it also creates what is not there. */
export const updateObject: Operation = async (call, services) => {
  const limits = await bucketLimits(call, services);
  await checkMayWrite(call.scope, services, call.bucket, call.object, true);
  return Response.json(await receive(call, services, limits, ownerOf(call.scope.caller), true));
};

/** POST /object/upload/sign/:bucket/*: the rights of whoever signs are what counts, so they are checked here. */
export const signUpload: Operation = async (call, services) => {
  const upsert = isUpsert(call);
  await bucketLimits(call, services);
  await checkMayWrite(call.scope, services, call.bucket, call.object, upsert);
  const url = `${call.bucket}/${call.object}`;
  const owner = ownerOf(call.scope.caller) ?? undefined;
  const token = await services.tokens.sign({ scope: "upload", url, owner, upsert }, SIGNED_UPLOAD_SECONDS);
  return Response.json({ url: `/object/upload/sign/${url}?token=${token}`, token });
};

/** PUT /object/upload/sign/:bucket/*?token= */
export const uploadSigned: Operation = async (call, services) => {
  const token = call.url.searchParams.get("token");
  if (!token) throw invalidRequest("querystring must have required property 'token'");
  const { owner, upsert } = await services.tokens.verify(token, "upload", `${call.bucket}/${call.object}`);
  const limits = await bucketLimits(call, services);
  const { Key } = await receive(call, services, limits, owner ?? null, upsert ?? false);
  return Response.json({ Key });
};

export interface BucketLimits {
  bytes: number;
  mimeTypes: string[] | null;
}

/** Throws NoSuchBucket. */
export async function bucketLimits(call: Call, { database, fileSizeLimitBytes }: Services): Promise<BucketLimits> {
  const [bucket] = await database.run(
    asService(call.scope),
    (tx) =>
      tx<{ file_size_limit: string | null; allowed_mime_types: string[] | null }[]>`
    select file_size_limit, allowed_mime_types from storage.buckets where id = ${call.bucket}`,
  );
  if (!bucket) throw bucketNotFound();
  const own = bucket.file_size_limit === null ? Infinity : Number(bucket.file_size_limit);
  return { bytes: Math.min(own, fileSizeLimitBytes), mimeTypes: bucket.allowed_mime_types };
}

/** Tries the write as the caller and rolls it back: INSERT, and for an upsert also SELECT and UPDATE. */
export function checkMayWrite(scope: Scope, { database }: Services, bucket: string, name: string, upsert: boolean) {
  const changed = { version: "1", ...ownership(ownerOf(scope.caller)) };
  const row = { bucket_id: bucket, name, ...changed };
  return database.test(scope, (tx) =>
    upsert
      ? tx`
        insert into storage.objects ${tx(row)}
        on conflict (bucket_id, name collate "C") where archived_at is null
        do update set ${tx(changed)}
        returning *`
      : tx`insert into storage.objects ${tx(row)}`);
}

/** The owner's columns; `owner` is the deprecated one, which only holds UUIDs. */
export function ownership(owner: string | null): { owner?: string; owner_id?: string } {
  if (owner === null) return {};
  return UUID.test(owner) ? { owner, owner_id: owner } : { owner_id: owner };
}

async function receive(call: Call, services: Services, limits: BucketLimits, owner: string | null, upsert: boolean) {
  const { bucket, object } = call;
  const placeholder = isFolderPlaceholder(object);
  let stored: NewObject | undefined;
  try {
    const incoming = await readUpload(call.request, async (file) => {
      if (!placeholder) checkMimeType(file.mimeType, limits.mimeTypes);
      return stored = await keep(services, file, placeholder ? 0 : limits.bytes, { owner, upsert });
    });
    stored = undefined; // From here on `commit` answers for the bytes.
    const id = await commit(call.scope, services, bucket, object, incoming);
    return { Id: id, Key: `${bucket}/${object}` };
  } finally {
    if (stored) await services.files.remove([stored.version]);
  }
}

/** Writes the bytes to a version that only `commit` makes an object. Throws EntityTooLarge beyond the limit. */
export async function keep(services: Services, file: IncomingFile, limit: number, owned: Owned): Promise<NewObject> {
  const stored = await services.files.receive(file.chunks, limit);
  return { version: stored.version, metadata: describe(stored, file), userMetadata: file.userMetadata, ...owned };
}

function describe(stored: ReceivedFile, file: IncomingFile): ObjectMetadata {
  return {
    eTag: stored.etag,
    size: stored.size,
    mimetype: file.mimeType,
    cacheControl: file.cacheControl,
    ...(file.contentEncoding ? { contentEncoding: file.contentEncoding } : {}),
    lastModified: new Date().toISOString(),
    contentLength: stored.size,
    httpStatusCode: 200,
  };
}

/** Throws InvalidMimeType for one that the bucket does not take. */
export function checkMimeType(mimeType: string, allowed: string[] | null): void {
  if (!allowed || allowed.length === 0) return;
  const [essence = ""] = mimeType.toLowerCase().split(";");
  const [type, subtype] = essence.trim().split("/");
  const fits = allowed.some((pattern) => {
    const [allowedType, allowedSubtype] = pattern.toLowerCase().split("/");
    return allowedType === type && (allowedSubtype === "*" || allowedSubtype === subtype) || pattern === "*/*";
  });
  if (!fits || !subtype) throw mimeTypeNotAllowed(mimeType);
}

/**
 * Makes stored bytes an object, in one transaction with the service's rights, and returns the object's id. The version
 * it replaces loses its bytes after the commit; when the database refuses, the new version does.
 */
export async function commit(scope: Scope, services: Services, bucket: string, name: string, object: NewObject) {
  try {
    checkHeaders(object.metadata);
    const { id, replaced } = await services.database.run(asService(scope), (tx) => write(tx, bucket, name, object));
    await services.files.remove([replaced]);
    return id;
  } catch (cause) {
    // Any other failure (the connection broke) leaves it open whether the row is there: the sweep will tell.
    if (cause instanceof StorageError) await services.files.remove([object.version]);
    throw cause;
  }
}

/** Throws InvalidRequest for what no download could say in its headers: nobody would ever get the object. */
function checkHeaders({ mimetype, cacheControl, contentEncoding = "" }: ObjectMetadata): void {
  try {
    new Headers({ mimetype, cacheControl, contentEncoding });
  } catch {
    throw invalidRequest("The content type, cache control or content encoding is no value of a header");
  }
}

async function write(tx: Transaction, bucket: string, name: string, object: NewObject) {
  // One writer per name at a time, or two first uploads would not see each other's version.
  // The engine's locks are in the same space of numbers: whoever chooses a name must not choose one of theirs.
  await tx`
    select pg_advisory_xact_lock(
      ('x' || encode(substr(sha256(convert_to(${`${bucket}/${name}`}, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint
    )`;
  const [current] = await tx<{ id: string; version: string | null }[]>`
    select id, version from storage.objects
    where bucket_id = ${bucket} and name = ${name} and archived_at is null for update`;
  const { metadata, userMetadata, owner, version } = object;
  const values = {
    version,
    metadata: tx.json({ ...metadata }),
    user_metadata: tx.json(JSON.parse(JSON.stringify(userMetadata))),
    ...ownership(owner),
  };
  const [row] = current && object.upsert
    ? await tx<{ id: string }[]>`update storage.objects set ${tx(values)} where id = ${current.id} returning id`
    : await tx<{ id: string }[]>`
      insert into storage.objects ${tx({ bucket_id: bucket, name, ...values })} returning id`;
  if (!row) throw new Error("Cannot write an object: the database returned no row");
  return { id: row.id, replaced: current && object.upsert ? current.version : null };
}
