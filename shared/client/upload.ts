// Three ways for a file's bytes: small ones through the function, large ones straight to Storage, and with a TUS client
// in pieces, which a lost connection only delays. Whichever it was, the function reads what arrived before it is a file.
import { call, type CallOptions, type Client } from "./call.ts";
import { codeOfStatus, GenesisError, storedOf } from "./error.ts";
import { inTime } from "./in_time.ts";
import { OPERATIONS, type OutputOf } from "./operations.ts";

/** Up to here one request is the better way, as the platform advises. */
const SMALL_BYTES = 6 * 1024 * 1024;
/** As long as Storage takes the token of an upload, in milliseconds. */
const TOKEN_MS = 7_200_000;
/** Of Storage: too slow, or locked by another request. */
const PASSING = [408, 409, 423];
const RETRY_DELAYS = [0, 1000, 3000, 5000, 10_000];

export interface UploadOptions extends CallOptions {
  /** Where the file belongs in the project, for people. */
  path?: string;
  /** `Upload` of the package tus-js-client: files above 6 MiB go in pieces then. */
  tus?: TusUpload;
  /** How much has been sent of a file that goes in pieces. */
  onProgress?: (sentBytes: number, totalBytes: number) => void;
}

/** What is used of the class, so that this client needs no package of its own. */
export type TusUpload = new (
  file: Blob,
  options: TusOptions,
) => { start(): void; abort(terminate: boolean): Promise<void> };

interface TusOptions {
  endpoint: string;
  headers: Record<string, string>;
  metadata: Record<string, string>;
  chunkSize: number;
  retryDelays: number[];
  storeFingerprintForResuming: boolean;
  fileReader: { openFile(file: Blob): Promise<BlobSource> };
  onProgress: ((sent: number, total: number) => void) | null;
  onSuccess: () => void;
  onError: (error: TusError) => void;
}

/** Without an answer where the connection was lost. */
interface TusError extends Error {
  originalResponse?: { getStatus(): number } | null;
}

/** Uploads as the client's person. Throws GenesisError, or the signal's reason. */
export async function uploadTo(supabase: Client, projectId: string, file: Blob, options: UploadOptions) {
  const { path, tus, onProgress, ...callOptions } = options;
  if (file.size <= SMALL_BYTES) {
    const input = { project_id: projectId, file, path };
    return await call(supabase, OPERATIONS.uploadFile, input, callOptions) as OutputOf<"uploadFile">;
  }
  const mime_type = file.type || "application/octet-stream";
  const file_name = file instanceof File ? file.name : "file";
  const declared = { project_id: projectId, file_name, file_size: file.size, mime_type, path };
  const { file_id, upload } = await call(supabase, OPERATIONS.signUpload, declared, callOptions) as OutputOf<
    "signUpload"
  >;
  if (tus) await sendInPieces(tus, upload.resumable, file, callOptions.signal, onProgress);
  else {
    const bucket = supabase.storage.from(upload.bucket);
    // It takes no signal: what was begun is left behind, and nobody finishes it.
    const send = () => bucket.uploadToSignedUrl(upload.path, upload.token, file, { contentType: mime_type });
    storedOf(await inTime(send, callOptions.signal, callOptions.timeoutMs ?? TOKEN_MS));
  }
  return await call(supabase, OPERATIONS.finishUpload, { file_id }, callOptions) as OutputOf<"finishUpload">;
}

function sendInPieces(
  Upload: TusUpload,
  { url, chunk_bytes, headers, metadata }: OutputOf<"signUpload">["upload"]["resumable"],
  file: Blob,
  signal: AbortSignal | undefined,
  onProgress: UploadOptions["onProgress"],
): Promise<void> {
  let stop = () => {};
  return new Promise<void>((resolve, reject) => {
    const upload = new Upload(file, {
      endpoint: url,
      headers,
      metadata,
      chunkSize: chunk_bytes,
      retryDelays: RETRY_DELAYS,
      storeFingerprintForResuming: false,
      fileReader: { openFile: (blob) => Promise.resolve(new BlobSource(blob)) },
      onProgress: onProgress ?? null,
      onSuccess: resolve,
      onError: (cause) => {
        const status = cause.originalResponse?.getStatus();
        const code = status === undefined || PASSING.includes(status) ? "unavailable" : codeOfStatus(status);
        reject(new GenesisError(code, "The upload broke off.", {}, null, { cause }));
      },
    });
    stop = () => {
      upload.abort(true).catch(() => {});
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", stop);
    upload.start();
  }).finally(() => signal?.removeEventListener("abort", stop));
}

/** Reads a file piece by piece, in browsers and elsewhere alike. */
class BlobSource {
  readonly size: number;
  constructor(readonly blob: Blob) {
    this.size = blob.size;
  }
  async slice(start: number, end: number) {
    const value = new Uint8Array(await this.blob.slice(start, end).arrayBuffer());
    // The one property by which tus-js-client measures.
    return { value: Object.assign(value, { size: value.length }), done: end >= this.size };
  }
  close(): void {}
}
