// Reads objects: whole or a part, for those who may, for everybody from public buckets, and by signed URL.
import { asService, type ObjectRow } from "./database.ts";
import { bucketNotFound, invalidRequest, objectNotFound, rangeNotSatisfiable } from "./errors.ts";
import type { ByteRange } from "./files.ts";
import type { Call, Operation, Services } from "./request.ts";
import { type StoredObject, withStoredObject } from "./stored.ts";

/** GET /object/:bucket/* and /object/authenticated/:bucket/*: SELECT as the caller, unless the bucket is public. */
export const getObject: Operation = async (call, services) => {
  const isPublic = await bucketIsPublic(call, services);
  if (isPublic === undefined) throw bucketNotFound();
  return await send(isPublic ? { ...call, scope: asService(call.scope) } : call, services);
};

/** GET /object/public/:bucket/*: no policy is asked, but the bucket must be public. */
export const getPublicObject: Operation = async (call, services) => {
  if (!await bucketIsPublic(call, services)) throw bucketNotFound();
  return await send({ ...call, scope: asService(call.scope) }, services);
};

/** GET /object/sign/:bucket/*?token=: the token is the right. */
export const getSignedObject: Operation = async (call, services) => {
  const token = call.url.searchParams.get("token");
  if (!token) throw invalidRequest("querystring must have required property 'token'");
  const { exp } = await services.tokens.verify(token, "download", `${call.bucket}/${call.object}`);
  return await send({ ...call, scope: asService(call.scope) }, services, new Date(exp * 1000));
};

/** GET /object/info/:bucket/* */
export const getInfo: Operation = async (call, services) => {
  const row = await services.database.find(call.scope, call.bucket, call.object);
  if (!row) throw objectNotFound();
  return Response.json(describe(row));
};

/** GET /object/info/public/:bucket/* */
export const getPublicInfo: Operation = async (call, services) => {
  if (!await bucketIsPublic(call, services)) throw bucketNotFound();
  return await getInfo({ ...call, scope: asService(call.scope) }, services);
};

/** Undefined where there is no such bucket. */
export async function bucketIsPublic(call: Call, { database }: Services): Promise<boolean | undefined> {
  const [bucket] = await database.run(asService(call.scope), (tx) =>
    tx<{ public: boolean }[]>`
    select coalesce(public, false) as public from storage.buckets where id = ${call.bucket}`);
  return bucket?.public;
}

function describe({ metadata, ...row }: ObjectRow) {
  return {
    id: row.id,
    name: row.name,
    version: row.version,
    bucket_id: row.bucket_id,
    size: metadata?.size,
    content_type: metadata?.mimetype,
    cache_control: metadata?.cacheControl,
    content_encoding: metadata?.contentEncoding ?? null,
    etag: metadata?.eTag,
    metadata: row.user_metadata ?? {},
    last_modified: metadata?.lastModified ?? row.updated_at,
    created_at: row.created_at,
    updated_at: row.updated_at,
  };
}

function send(call: Call, services: Services, expires?: Date): Promise<Response> {
  return withStoredObject(services, call.scope, call.bucket, call.object, async (object) => {
    const headers = objectHeaders(object, call.url, expires);
    if (isUnchanged(call.request, object)) return new Response(null, { status: 304, headers });
    const { size } = object.metadata;
    const range = requestedRange(call.request, object);
    headers.set("content-length", String(range ? range.end - range.start + 1 : size));
    if (range) headers.set("content-range", `bytes ${range.start}-${range.end}/${size}`);
    const status = range ? 206 : 200;
    if (call.request.method === "HEAD") return new Response(null, { status, headers });
    return new Response(await services.files.open(object.version, range), { status, headers });
  });
}

export function objectHeaders({ metadata }: StoredObject, url: URL, expires?: Date): Headers {
  const headers = new Headers({
    "accept-ranges": "bytes",
    // Pages are never served from the project's own origin, as on the platform.
    "content-type": metadata.mimetype.includes("text/html") ? "text/plain" : metadata.mimetype,
    "etag": metadata.eTag,
    "last-modified": new Date(metadata.lastModified).toUTCString(),
    "x-robots-tag": "none",
  });
  if (metadata.contentEncoding) headers.set("content-encoding", metadata.contentEncoding);
  if (expires) headers.set("expires", expires.toUTCString());
  else headers.set("cache-control", metadata.cacheControl);
  const download = url.searchParams.get("download");
  if (download !== null) {
    const name = encodeURIComponent(download);
    headers.set("content-disposition", `attachment;${name && ` filename=${name}; filename*=UTF-8''${name};`}`);
  }
  return headers;
}

function isUnchanged({ headers }: Request, { metadata }: StoredObject): boolean {
  const tags = headers.get("if-none-match");
  if (tags !== null) return tags === "*" || splitTags(tags).includes(metadata.eTag);
  const since = headers.get("if-modified-since");
  return since !== null && Math.floor(Date.parse(metadata.lastModified) / 1000) * 1000 <= Date.parse(since);
}

const splitTags = (tags: string): string[] => tags.split(",").map((tag) => tag.trim().replace(/^W\//, ""));

/** One satisfiable range, or undefined for the whole object: several ranges in one request are not supported. */
function requestedRange({ headers }: Request, { metadata: { eTag, size } }: StoredObject): ByteRange | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(headers.get("range") ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const condition = headers.get("if-range");
  if (condition !== null && condition !== eTag) return undefined;
  const [, from = "", to = ""] = match;
  if (from !== "" && to !== "" && Number(to) < Number(from)) return undefined; // No range at all, as HTTP says.
  const start = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
  if (start >= size) throw rangeNotSatisfiable(size);
  return { start, end };
}
