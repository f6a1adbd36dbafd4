// POST /: streams a file into the bucket. A row is reserved first and made ready last, so a file is seen with both its
// row and its object or not at all; whichever step fails takes the ones before it back.
import * as z from "zod";
import { FORM_BYTES, MAX_FILE_BYTES, uploadFile } from "../../../shared/contract/upload-file.ts";
import { streamedRoute } from "../_shared/route.ts";
import { type AppContext, callerClient } from "../_shared/auth.ts";
import { parseInput } from "../_shared/body.ts";
import { callDoor } from "../_shared/database.ts";
import { OperationError } from "../_shared/errors.ts";
import { log } from "../_shared/log.ts";
import { type IncomingFile, receiveFile } from "./multipart.ts";

const SIGNED_URL_SECONDS = 3600;

/** What the part itself says of the file. */
const partShape = z.object({ file_name: z.string().trim().min(1).max(255), mime_type: z.string().max(255) });

type StoredFile = ReturnType<typeof readFile>;
const readFile = (answer: unknown) => uploadFile.output.pick({ file: true }).parse(answer).file;

export const upload = streamedRoute(uploadFile, async (context) => {
  const limits = { maxFileBytes: MAX_FILE_BYTES, maxBodyBytes: MAX_FILE_BYTES + FORM_BYTES };
  const file = await receiveFile(context.req.raw, limits, (fields, incoming) => store(context, fields, incoming));
  const bucket = callerClient(context).storage.from(file.bucket_name);
  const { data, error } = await bucket.createSignedUrl(file.file_path, SIGNED_URL_SECONDS);
  if (error) {
    throw new OperationError("unavailable", "The file is stored, but no link could be made.", {}, { cause: error });
  }
  const expiresAt = new Date(Date.now() + SIGNED_URL_SECONDS * 1000).toISOString();
  return { body: { file, signed_url: data.signedUrl, expires_at: expiresAt } };
});

async function store(context: AppContext, fields: Record<string, string>, incoming: IncomingFile): Promise<StoredFile> {
  const { project_id, path } = parseInput(uploadFile.input, fields);
  const { file_name, mime_type } = parseInput(partShape, { file_name: incoming.name, mime_type: incoming.mimeType });
  const reserved = readFile(await callDoor(context, "register_upload", { project_id, file_name, path, mime_type }));
  try {
    await putObject(context, reserved, incoming);
    await incoming.whole;
    const { size, sha256 } = incoming.measure();
    return readFile(
      await callDoor(context, "finish_upload", { file_id: reserved.id, file_size: size, sha256, mime_type }),
    );
  } catch (error) {
    await takeBack(context, reserved);
    throw error;
  }
}

async function putObject(context: AppContext, reserved: StoredFile, incoming: IncomingFile): Promise<void> {
  const bucket = callerClient(context).storage.from(reserved.bucket_name);
  const options = { contentType: incoming.mimeType, duplex: "half" };
  const { error } = await bucket.upload(reserved.file_path, incoming.stream, options);
  const failure = incoming.failure();
  if (failure instanceof OperationError) throw failure;
  if (failure) {
    throw new OperationError("validation_failed", "The file part ends too early.", {}, { cause: failure });
  }
  if (error) {
    throw new OperationError("unavailable", "Storage did not take the file.", {}, { cause: error });
  }
}

// With the service's own rights: the caller may have lost theirs in the middle. What is removed is what this request
// reserved. The row goes last, so that an object that Storage would not remove can still be found by it.
async function takeBack(context: AppContext, reserved: StoredFile): Promise<void> {
  const { supabaseAdmin } = context.var.supabaseContext;
  // When the answer of the last step was lost on the way, the file may be ready all the same: then it stays.
  const row = await supabaseAdmin.from("file_storage").select("status").eq("id", reserved.id).maybeSingle();
  if (row.data?.status === "ready") return;
  const removed = await supabaseAdmin.storage.from(reserved.bucket_name).remove([reserved.file_path]);
  const { error } = removed.error ? removed : await supabaseAdmin.rpc("abort_upload", { file_id: reserved.id });
  if (error) {
    log("error", "upload_not_taken_back", {
      request_id: context.env.requestId,
      file_id: reserved.id,
      cause: error.message,
    });
  }
}
