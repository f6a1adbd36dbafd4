// POST /finish: reads what arrived by a direct upload, and makes the file ready where it is what was declared. Sent again,
// it answers the file that is ready.
import { lazy } from "../../../shared/contract/operation.ts";
import * as z from "zod";
import { file, finishUpload } from "../../../shared/contract/upload-file.ts";
import { type AppContext, callerId } from "../_shared/auth.ts";
import { callDoor, callDoorAsService } from "../_shared/database.ts";
import { OperationError } from "../_shared/errors.ts";
import { type Answer, route } from "../_shared/route.ts";
import { type Inspected, inspectObject } from "./inspect.ts";
import { linkFor, readFile, type StoredFile } from "./links.ts";
import { servesAs, trueType } from "./media_type.ts";
import { takeBack } from "./take_back.ts";
import { inInspectionTurn } from "./upload_turns.ts";

const checked = lazy(() => z.object({ file: file(), stored_mime_type: z.string().nullable() }));

export const finish = route(
  finishUpload,
  // From the first look on: of one upload that is sent many times at once, those that waited find it ready.
  (input, context) => inInspectionTurn(callerId(context) ?? undefined, () => finishOnce(input, context)),
);

async function finishOnce(input: { file_id: string }, context: AppContext): Promise<Answer> {
  const { file, stored_mime_type } = checked().parse(await callDoor(context, "check_upload", input));
  if (file.status === "ready") return { body: { file, ...await linkFor(context, file) } };
  const found = await inspectObject(file).catch(async (error) => {
    // What was given up or deleted in the middle is gone, and no fault of Storage's: the database, asked again, says so.
    await callDoor(context, "check_upload", input);
    throw error;
  });
  try {
    const mime_type = await typeOf(file, stored_mime_type ?? "", found);
    const finished = { file_id: file.id, file_size: found.size, sha256: found.sha256, mime_type };
    const ready = readFile(await callDoorAsService("finish_upload", finished, file.uploaded_by));
    return { body: { file: ready, ...await linkFor(context, ready) } };
  } catch (error) {
    // What cannot become true by waiting: the upload has to begin again.
    if (error instanceof OperationError && error.code === "validation_failed") {
      await takeBack(context.env.requestId, file);
    }
    throw error;
  }
}

/** Storage serves the object as what its upload called it, so that has to be what is kept. */
async function typeOf(declared: StoredFile, stored: string, { size, sample }: Inspected): Promise<string> {
  const refused = (path: string, message: string) =>
    new OperationError("validation_failed", `The file ${message}.`, { fields: [{ path, message }] });
  if (size !== declared.file_size) {
    throw refused("file_size", `was declared with ${declared.file_size} bytes, but ${size} arrived`);
  }
  const kept = await trueType(declared.mime_type ?? "", sample);
  if (!servesAs(stored, kept)) throw refused("mime_type", `is ${kept}, but was sent to Storage as ${stored}`);
  return kept;
}
