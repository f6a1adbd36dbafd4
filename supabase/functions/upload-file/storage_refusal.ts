// What an answer says where Storage did not do what the database had allowed a moment before.
import type { AppContext } from "../_shared/auth.ts";
import { callDoor } from "../_shared/database.ts";
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
  file: Pick<StoredFile, "id">,
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
    return new OperationError("project_not_found", "There is no such project, or you are no longer a member of it.");
  }
  return unavailable;
}
