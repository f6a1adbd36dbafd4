// Reads an object that is in the bucket already, to find out what it is; no more of it is held than a chunk.
import { createHash } from "node:crypto";
import { MAX_FILE_BYTES } from "../../../shared/contract/upload-file.ts";
import { env } from "../_shared/env.ts";
import { OperationError } from "../_shared/errors.ts";
import { serviceClient } from "../_shared/service.ts";
import { openBody } from "./chunks.ts";
import { SAMPLE_BYTES } from "./file_stream.ts";
import { signLink, type StoredFile } from "./links.ts";

export interface Inspected {
  size: number;
  sha256: string;
  /** Its first bytes. */
  sample: Uint8Array;
}

/** Storage has the object's row, and not its bytes. */
export class BytesGone extends OperationError {}

/** As it was stored: one whose upload named a content encoding would be decoded on the way, into however much that is. */
const AS_STORED = { "accept-encoding": "identity" };

/** Throws `unavailable` where Storage does not give the object, or not all of it; as `BytesGone` where it has none. */
export async function inspectObject(object: Pick<StoredFile, "bucket_name" | "file_path">): Promise<Inspected> {
  const unavailable = (cause: unknown, Kind = OperationError) =>
    new Kind("unavailable", "Storage did not give the object back; try again.", {}, { cause });
  const link = await signLink(serviceClient(), object, { origin: env.supabaseUrl });
  const response = await fetch(link, { headers: AS_STORED }).catch((cause) => {
    throw unavailable(cause);
  });
  if (!response.ok) {
    const answer = await response.text();
    throw unavailable(answer, isNotFound(response.status, answer) ? BytesGone : OperationError);
  }
  const hash = createHash("sha256");
  const sample = new Uint8Array(SAMPLE_BYTES);
  let size = 0;
  const body = openBody(response.body ?? new Blob([]).stream());
  const next = () => body.next().catch((cause) => Promise.reject(unavailable(cause)));
  for (let chunk = await next(); chunk; chunk = await next()) {
    if (size < SAMPLE_BYTES) sample.set(chunk.subarray(0, SAMPLE_BYTES - size), size);
    size += chunk.byteLength;
    hash.update(chunk);
    if (size <= MAX_FILE_BYTES) continue;
    await body.cancel();
    throw unavailable(`It gave more than the ${MAX_FILE_BYTES} bytes that it takes.`);
  }
  return { size, sha256: hash.digest("hex"), sample: sample.subarray(0, size) };
}

/** Storage's HTTP status is 400 for most refusals; which one it was stands in the body. */
function isNotFound(status: number, answer: string): boolean {
  return status === 404 || status === 400 && /"(statusCode":\s*"?404"?|code":\s*"NoSuchKey")/.test(answer);
}
