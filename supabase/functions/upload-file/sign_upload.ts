// POST /signed: reserves a file and says where to send its bytes, past this function.
import { signUpload } from "../../../shared/contract/upload-file.ts";
import { callerClient } from "../_shared/auth.ts";
import { callDoor } from "../_shared/database.ts";
import { env } from "../_shared/env.ts";
import { route } from "../_shared/route.ts";
import { readFile } from "./links.ts";
import { storageRefusal } from "./storage_refusal.ts";
import { takeBack } from "./take_back.ts";

/** How long Storage takes an upload by its token, in seconds. */
const TOKEN_SECONDS = 7200;
/** The only size of chunk that the platform's resumable upload takes. */
const CHUNK_BYTES = 6_291_456;

export const sign = route(signUpload, async (input, context) => {
  const file = readFile(await callDoor(context, "sign_upload", input));
  const { data, error } = await callerClient(context).storage.from(file.bucket_name).createSignedUploadUrl(
    file.file_path,
  );
  if (error) {
    const refusal = await storageRefusal(context, file, error, "Storage made no link to upload to.");
    await takeBack(context.env.requestId, file);
    throw refusal;
  }
  const resumable = {
    url: `${env.publicUrl}/storage/v1/upload/resumable/sign`,
    chunk_bytes: CHUNK_BYTES,
    headers: { "x-signature": data.token },
    metadata: { bucketName: file.bucket_name, objectName: file.file_path, contentType: input.mime_type },
  };
  const url =
    `${env.publicUrl}/storage/v1/object/upload/sign/${file.bucket_name}/${file.file_path}?token=${data.token}`;
  const upload = { url, token: data.token, bucket: file.bucket_name, path: file.file_path };
  const expires_at = new Date(Date.now() + TOKEN_SECONDS * 1000).toISOString();
  return { body: { file_id: file.id, upload: { ...upload, resumable }, expires_at } };
});
