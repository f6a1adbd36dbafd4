// What an answer says where Storage did not do what the database had allowed a moment before.
import { type AppContext, callerClient } from "../_shared/auth.ts";
import { callDoor, queryFailure } from "../_shared/database.ts";
import { OperationError } from "../_shared/errors.ts";
import type { StoredFile } from "./links.ts";

/** Is it a matter of rights? Storage's HTTP status is 400 for most refusals. */
export function isRefused(error: Error): boolean {
  const { status, statusCode } = error as { status?: number; statusCode?: string };
  return status === 403 || statusCode === "403";
}

/**
 * Where it refused, the caller lost the right in the middle: the database, asked again, says in which way. Everything
 * else is Storage's own fault, and `unavailable`.
 */
export async function storageRefusal(
  context: AppContext,
  file: Pick<StoredFile, "id" | "project_id">,
  error: Error,
  message: string,
): Promise<OperationError> {
  const unavailable = new OperationError("unavailable", message, {}, { cause: error });
  if (!isRefused(error)) return unavailable;
  try {
    await callDoor(context, "check_upload", { file_id: file.id });
  } catch (refusal) {
    if (!(refusal instanceof OperationError)) throw refusal;
    if (refusal.code !== "file_not_found") return refusal;
    return await isReadable(context, file.project_id)
      ? new OperationError("upload_expired", "The upload took too long and was given up.")
      : new OperationError("project_not_found", "There is no such project, or you are no longer a member of it.");
  }
  return unavailable;
}

/** Whose upload is gone may have lost their membership, or the upload alone. */
async function isReadable(context: AppContext, projectId: string): Promise<boolean> {
  const { data, error, status } = await callerClient(context).from("projects").select("id").eq("id", projectId);
  if (error) throw queryFailure(status, error);
  return data.length > 0;
}
