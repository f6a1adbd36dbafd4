// POST /reconcile: mends what faults left between rows and objects. The door decides what to do, and does what needs
// only the database; removing and reading objects is done here, with the service's rights.
import { lazy } from "../../../shared/contract/operation.ts";
import * as z from "zod";
import { reconcileFiles } from "../../../shared/contract/upload-file.ts";
import { callDoor, callDoorAsService } from "../_shared/database.ts";
import { OperationError } from "../_shared/errors.ts";
import { route } from "../_shared/route.ts";
import { serviceClient } from "../_shared/service.ts";
import { inspectObject } from "./inspect.ts";
import { readFile, type StoredFile } from "./links.ts";
import { trueType } from "./media_type.ts";

const BUCKET = "genesis-files";
/** How much is read in one call; the rest is for the next. */
const MAX_READ_BYTES = 209_715_200;

const removal = lazy(() => z.object({ file_path: z.string(), reason: z.string() }));
const plan = lazy(() =>
  z.object({
    removed: z.array(removal()),
    to_remove: z.array(removal()),
    to_adopt: z.array(z.object({ file_path: z.string(), mime_type: z.string().nullable(), file_size: z.int() })),
    more: z.boolean(),
  })
);

export const reconcile = route(reconcileFiles, async (input, context) => {
  const { removed, to_remove, to_adopt, more } = plan().parse(await callDoor(context, "reconcile_files", input));
  if (to_remove.length > 0) {
    const { error } = await serviceClient().storage.from(BUCKET).remove(to_remove.map(({ file_path }) => file_path));
    if (error) {
      throw new OperationError("unavailable", "Storage did not remove what is left over.", {}, { cause: error });
    }
  }
  const adopted: StoredFile[] = [];
  let read = 0;
  for (const object of to_adopt) {
    // At least one, however large.
    if (read > 0 && read + object.file_size > MAX_READ_BYTES) break;
    read += object.file_size;
    const file = await adopt(object);
    if (file) adopted.push(file);
  }
  const isAllRead = to_adopt.reduce((sum, { file_size }) => sum + file_size, 0) <= read;
  return { body: { removed: [...removed, ...to_remove].map(shown), adopted, more: more || !isAllRead } };
});

const shown = ({ file_path, reason }: z.output<ReturnType<typeof removal>>) => ({ file_path, reason });

/** Nobody asked for a refusal here: where name and bytes differ, the bytes are believed. Null where the object is gone. */
async function adopt({ file_path, mime_type }: { file_path: string; mime_type: string | null }) {
  const { size, sha256, sample } = await inspectObject({ bucket_name: BUCKET, file_path });
  const type = await trueType(mime_type ?? "", sample).catch(() => trueType("", sample));
  const answer = await callDoorAsService("adopt_file", { file_path, file_size: size, sha256, mime_type: type });
  return (answer as { file: unknown }).file ? readFile(answer) : null;
}
