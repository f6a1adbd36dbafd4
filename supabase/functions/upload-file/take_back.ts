// Takes back an upload that did not come to its end: nobody can finish it any more, and its object and row go.
import { callDoorAsService } from "../_shared/database.ts";
import { log } from "../_shared/log.ts";
import { serviceClient } from "../_shared/service.ts";
import type { StoredFile } from "./links.ts";

/**
 * With the service's own rights: the caller may have lost theirs in the middle. A file that is ready all the same (the
 * answer of the last step was lost on the way) stays. Never throws: what could not be done, reconcile_files does.
 */
export async function takeBack(
  requestId: string,
  { id, bucket_name, file_path, uploaded_by }: StoredFile,
): Promise<void> {
  try {
    const answer = await callDoorAsService("abort_upload", { file_id: id }, uploaded_by) as { aborted: boolean };
    if (!answer.aborted) return;
    const { error } = await serviceClient().storage.from(bucket_name).remove([file_path]);
    if (error) throw error;
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    log("error", "upload_not_taken_back", { request_id: requestId, file_id: id, cause });
  }
}
