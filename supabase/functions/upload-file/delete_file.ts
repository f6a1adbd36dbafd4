// DELETE /:file_id: object and row go in one transaction of Storage's, with the caller's own rights.
import { deleteFile } from "../../../shared/contract/upload-file.ts";
import { callerClient } from "../_shared/auth.ts";
import { callDoor } from "../_shared/database.ts";
import { OperationError } from "../_shared/errors.ts";
import { route } from "../_shared/route.ts";
import { readFile } from "./links.ts";
import { isRefused } from "./storage_refusal.ts";

export const remove = route(deleteFile, async (input, context) => {
  const answer = await callDoor(context, "delete_file", input) as { is_gone: boolean };
  if (answer.is_gone) return {};
  const { bucket_name, file_path } = readFile(answer);
  const { data, error } = await callerClient(context).storage.from(bucket_name).remove([file_path]);
  // Someone was faster, or took the right away in this moment: the database, asked again, says which.
  if (error ? isRefused(error) : data.length === 0) await callDoor(context, "delete_file", input);
  if (error) {
    throw new OperationError("unavailable", "Storage did not remove the file; try again.", {}, { cause: error });
  }
  if (data.length === 0) throw new OperationError("file_not_found", "There is no such file any more.");
  return {};
});
