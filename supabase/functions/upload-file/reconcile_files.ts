// POST /reconcile: mends what faults left between rows and objects. The door decides what to do, and does what needs
// only the database; removing and reading objects is done here, with the service's rights.
import { lazy } from "../../../shared/contract/operation.ts";
import * as z from "zod";
import { reconcileFiles } from "../../../shared/contract/upload-file.ts";
import { callerId } from "../_shared/auth.ts";
import { callDoor, callDoorAsService } from "../_shared/database.ts";
import { OperationError } from "../_shared/errors.ts";
import { log } from "../_shared/log.ts";
import { route } from "../_shared/route.ts";
import { serviceClient } from "../_shared/service.ts";
import { BytesGone, inspectObject } from "./inspect.ts";
import { readFile, type StoredFile } from "./links.ts";
import { trueType } from "./media_type.ts";
import { inInspectionTurn } from "./upload_turns.ts";

const BUCKET = "genesis-files";
/** How much is read in one call; the rest is for the next. */
const MAX_READ_BYTES = 209_715_200;

type Loose = z.output<ReturnType<typeof loose>>;

const removal = lazy(() => z.object({ file_path: z.string(), reason: z.string() }));
const loose = lazy(() =>
  z.object({
    file_path: z.string(),
    version: z.string(),
    mime_type: z.string().nullable(),
    file_size: z.int(),
  })
);
const plan = lazy(() =>
  z.object({
    removed: z.array(removal()),
    to_remove: z.array(removal()),
    to_adopt: z.array(loose()),
    more: z.boolean(),
  })
);

export const reconcile = route(reconcileFiles, async (input, context) => {
  const { removed, to_remove, to_adopt, more } = plan().parse(await callDoor(context, "reconcile_files", input));
  if (to_remove.length > 0) await remove(to_remove.map(({ file_path }) => file_path));
  const gone = [...removed, ...to_remove].map(({ file_path, reason }) => ({ file_path, reason }));
  const adopted: StoredFile[] = [];
  const unreadable: { file_path: string }[] = [];
  let read = 0;
  for (const object of to_adopt) {
    const { file_path, file_size } = object;
    // At least one, however large.
    if (read > 0 && read + file_size > MAX_READ_BYTES) break;
    read += file_size;
    // One that cannot be read must not keep the others from becoming files.
    try {
      const file = await inInspectionTurn(callerId(context) ?? undefined, () => adopt(object));
      if (file) adopted.push(file);
    } catch (error) {
      if (!await passOver(object)) continue;
      const cause = error instanceof Error ? error.message : String(error);
      log("error", "object_not_read", { request_id: context.env.requestId, file_path, cause });
      if (error instanceof BytesGone) {
        await remove([file_path]);
        gone.push({ file_path, reason: "bytes_missing" });
      } else unreadable.push({ file_path });
    }
  }
  const isAllRead = to_adopt.reduce((sum, { file_size }) => sum + file_size, 0) <= read;
  return { body: { removed: gone, adopted, unreadable, more: more || !isAllRead } };
});

async function remove(paths: string[]): Promise<void> {
  const { error } = await serviceClient().storage.from(BUCKET).remove(paths);
  if (!error) return;
  throw new OperationError("unavailable", "Storage did not remove what is left over.", {}, { cause: error });
}

/** Nobody asked for a refusal here: where name and bytes differ, the bytes are believed. Null where the object is gone. */
async function adopt({ file_path, file_size, mime_type, version }: Loose): Promise<StoredFile | null> {
  const { size, sha256, sample } = await inspectObject({ bucket_name: BUCKET, file_path });
  // Decoded or cut on the way: no file, and not to be read again with every call.
  if (size !== file_size) {
    throw new OperationError("unavailable", `Storage gave ${size} bytes of an object that has ${file_size}.`);
  }
  const type = await trueType(mime_type ?? "", sample).catch(() => trueType("", sample));
  const measured = { file_path, file_size: size, sha256, mime_type: type, version };
  const answer = await callDoorAsService("adopt_file", measured);
  return (answer as { file: unknown }).file ? readFile(answer) : null;
}

/** Nobody comes to it for an hour. False where it was removed or replaced meanwhile: what was not read is no more. */
async function passOver({ file_path, version }: Loose): Promise<boolean> {
  const answer = await callDoorAsService("pass_over_object", { file_path, version }) as { passed_over: boolean };
  return answer.passed_over;
}
