// POST /: streams a file into the bucket. A row is reserved first and made ready last, so a file is seen with both its
// row and its object or not at all; whichever step fails takes the ones before it back.
import { lazy } from "../../../shared/contract/operation.ts";
import * as z from "zod";
import { FORM_BYTES, MAX_FILE_BYTES, mediaType, uploadFile } from "../../../shared/contract/upload-file.ts";
import { type AppContext, callerClient, callerId, requireUnexpired } from "../_shared/auth.ts";
import { parseInput } from "../_shared/body.ts";
import { callDoor, callDoorAsService } from "../_shared/database.ts";
import { OperationError } from "../_shared/errors.ts";
import { streamedRoute } from "../_shared/route.ts";
import type { FileStream } from "./file_stream.ts";
import { linkFor, readFile, type StoredFile } from "./links.ts";
import { trueType } from "./media_type.ts";
import { type IncomingFile, receiveFile } from "./multipart.ts";
import { storageRefusal } from "./storage_refusal.ts";
import { takeBack } from "./take_back.ts";
import { inUploadTurn } from "./upload_turns.ts";

/** What the part itself says of the file. */
const partShape = lazy(() =>
  z.object({ file_name: z.string().min(1).max(1024), mime_type: mediaType().or(z.literal("")) })
);

export const upload = streamedRoute(uploadFile, async (context) => {
  const limits = {
    maxFileBytes: MAX_FILE_BYTES,
    maxBodyBytes: MAX_FILE_BYTES + FORM_BYTES,
    isHurried: inUploadTurn.isCrowded,
  };
  const file = await inUploadTurn(
    callerId(context) ?? undefined,
    () => receiveFile(context.req.raw, limits, (fields, incoming) => store(context, fields, incoming)),
  );
  return { body: { file, ...await linkFor(context, file) } };
});

async function store(context: AppContext, fields: Record<string, string>, incoming: IncomingFile): Promise<StoredFile> {
  requireUnexpired(context);
  const { project_id, path } = parseInput(uploadFile.input, fields);
  const { file_name, mime_type } = parseInput(partShape(), { file_name: incoming.name, mime_type: incoming.mimeType });
  const reserved = readFile(await callDoor(context, "register_upload", { project_id, file_name, path, mime_type }));
  try {
    const type = await typeOf(mime_type, await incoming.bytes.sample);
    await putObject(context, reserved, incoming.bytes, type);
    const { size, sha256 } = incoming.bytes.measure();
    const finished = { file_id: reserved.id, file_size: size, sha256, mime_type: type };
    return readFile(await callDoorAsService("finish_upload", finished, reserved.uploaded_by));
  } catch (error) {
    await takeBack(context.env.requestId, reserved);
    throw error;
  }
}

/** Of a part that names no type, the standard of forms has it be text: that it is, where its bytes are no other thing. */
async function typeOf(declared: string, sample: Uint8Array): Promise<string> {
  if (declared !== "") return await trueType(declared, sample);
  return await trueType("text/plain", sample).catch(() => trueType("", sample));
}

async function putObject(context: AppContext, reserved: StoredFile, bytes: FileStream, type: string): Promise<void> {
  const bucket = callerClient(context).storage.from(reserved.bucket_name);
  const { error } = await bucket.upload(reserved.file_path, bytes.readable(), { contentType: type, duplex: "half" });
  if (bytes.failure instanceof OperationError) throw bytes.failure;
  if (error) throw await storageRefusal(context, reserved, error, "Storage did not take the file.");
}
