// Resumable uploads by the TUS protocol, with the server that the platform's Storage is built on. What has arrived of an
// upload is a file in the directory, so it goes on where it stopped, also after the stack was killed.
//
// As on the platform every request is checked anew: the caller's rights, or under /sign the token in `x-signature`.
import type { Upload } from "@tus/server";
import { parseUserMetadata } from "./body.ts";
import { ownerOf } from "./database.ts";
import { invalidRequest, objectNotFound, StorageError } from "./errors.ts";
import { checkBucketName, checkObjectName } from "./names.ts";
import { type Call, isUpsert, type Operation, type Services } from "./request.ts";
import { bucketLimits, checkMayWrite, checkMimeType, commit, keep, type Owned } from "./upload.ts";

const PATH = "/storage/v1/upload/resumable";
/** How long an upload may take, as on the platform. */
const EXPIRES_MS = 24 * 60 * 60 * 1000;

/** POST, HEAD, PATCH, DELETE and OPTIONS of /upload/resumable and /upload/resumable/sign. */
export const resumeUpload: Operation = async (call, services) => {
  if (call.request.method === "GET") throw objectNotFound(); // What has not arrived whole is nobody's to read.
  // Loaded by the first upload that needs it: the stack starts without.
  const { answer } = await (servers.get(services) ?? start(services));
  return await answer(call);
};

/** A question about the protocol, for no upload in particular. */
const isGeneral = (request: Request) => request.method === "OPTIONS";

interface Resumable {
  answer(call: Call): Promise<Response>;
}

const servers = new WeakMap<Services, Promise<Resumable>>();

function start(services: Services): Promise<Resumable> {
  const started = startServer(services);
  servers.set(services, started);
  return started;
}

async function startServer(services: Services): Promise<Resumable> {
  const [{ Metadata, Server }, { UploadStore }] = await Promise.all([
    import("@tus/server"),
    import("./upload_store.ts"),
  ]);
  const directory = `${services.files.directory}/resumable`;
  await Deno.mkdir(directory, { recursive: true });
  const uploads = new UploadStore({ directory, expirationPeriodInMilliseconds: EXPIRES_MS });
  const calls = new WeakMap<Request, Call>();
  /** By upload: its becoming an object, under way. */
  const finishing = new Map<string, Promise<void>>();

  /** The call with the bucket and the object that the upload is for. */
  async function callOf(request: Request, id?: string | null): Promise<Call> {
    const call = calls.get(request);
    if (!call) throw new Error("Cannot tell whose request this is");
    const sent = request.headers.get("upload-metadata");
    const metadata = request.method === "POST" && sent
      ? Metadata.parse(sent)
      : id && (await uploads.getUpload(id)).metadata;
    if (!metadata) throw invalidRequest("Upload-Metadata must have bucketName and objectName");
    return {
      ...call,
      bucket: checkBucketName(metadata.bucketName ?? ""),
      object: checkObjectName(metadata.objectName ?? ""),
    };
  }

  /** Throws StorageError where the caller may not write there. */
  async function mayWrite(call: Call): Promise<Owned> {
    if (new URL(call.request.url).pathname.startsWith(`${PATH}/sign`)) {
      const token = call.request.headers.get("x-signature");
      if (!token) throw invalidRequest("headers must have required property 'x-signature'");
      const { owner, upsert } = await services.tokens.verify(token, "upload", `${call.bucket}/${call.object}`);
      return { owner: owner ?? null, upsert: upsert ?? false };
    }
    const upsert = isUpsert(call);
    await checkMayWrite(call.scope, services, call.bucket, call.object, upsert);
    return { owner: ownerOf(call.scope.caller), upsert };
  }

  /** Makes an object of what has arrived, once: a piece of nothing sent after the last one ends here, too. */
  function finish(call: Call, upload: Upload): Promise<void> {
    const end = finishing.get(upload.id) ?? finishOnce(call, upload).finally(() => finishing.delete(upload.id));
    finishing.set(upload.id, end);
    return end;
  }

  async function finishOnce(call: Call, upload: Upload): Promise<void> {
    if (await uploads.isStored(upload.id)) return;
    try {
      await storeUpload(services, call, upload, await mayWrite(call));
    } catch (cause) {
      await uploads.remove(upload.id); // What was refused begins again.
      throw cause;
    }
    await uploads.settle(upload.id);
  }

  const server = new Server({
    path: PATH,
    datastore: uploads,
    namingFunction: () => crypto.randomUUID(),
    generateUrl: ({ url }, { id }) => `${url}/${id}`,
    maxSize: async (request, id) =>
      isGeneral(request)
        ? services.fileSizeLimitBytes
        : (await bucketLimits(await callOf(request, id), services)).bytes,
    onIncomingRequest: async (request, id) => {
      if (isGeneral(request)) return;
      await mayWrite(await callOf(request, id));
      // The library holds its lock only until all bytes are there: who asks is told what became of them.
      await finishing.get(id)?.catch(() => {});
    },
    onUploadCreate: async (request, { metadata }) => {
      const { mimeTypes } = await bucketLimits(await callOf(request), services);
      checkMimeType(typeOf(metadata), mimeTypes);
      void server.cleanUpExpiredUploads().catch(() => {});
      return {};
    },
    onUploadFinish: async (request, upload) => {
      await finish(await callOf(request, upload.id), upload);
      return {};
    },
    onResponseError: (_request, error) =>
      error instanceof StorageError ? { status_code: error.statusCode, body: error.message } : undefined,
  });
  return {
    answer(call) {
      calls.set(call.request, call);
      return server.handleWeb(call.request);
    },
  };
}

const typeOf = (metadata: Upload["metadata"]) => metadata?.contentType || "application/octet-stream";

async function storeUpload(services: Services, call: Call, { id, metadata }: Upload, owned: Owned): Promise<void> {
  const limits = await bucketLimits(call, services);
  const file = await Deno.open(`${services.files.directory}/resumable/${id}`);
  const object = await keep(
    services,
    {
      mimeType: typeOf(metadata),
      cacheControl: metadata?.cacheControl ? `max-age=${metadata.cacheControl}` : "no-cache",
      userMetadata: metadata?.metadata ? parseUserMetadata(metadata.metadata) : {},
      chunks: file.readable,
    },
    limits.bytes,
    owned,
  );
  await commit(call.scope, services, call.bucket, call.object, object);
}
