// POST /: saves the next version of a file; one call, and one more read only when the file has moved on.
import { lazy } from "../../../shared/contract/operation.ts";
import * as z from "zod";
import { saveArtifact } from "../../../shared/contract/save-artifact.ts";
import type { AppContext } from "../_shared/auth.ts";
import { callDoor } from "../_shared/database.ts";
import { OperationError } from "../_shared/errors.ts";
import { type Answer, route } from "../_shared/route.ts";
import { conflictOf } from "./conflict.ts";
import { inLine } from "./in_line.ts";

type Save = Omit<z.output<typeof saveArtifact.input>, "on_conflict">;

/** Merging races with savers elsewhere: each time somebody else is first it starts again from the head that won. */
const MAX_MERGES = 30;

/** The artifact is looked at when it is answered. */
const answerShape = lazy(() => z.object({ artifact: z.unknown(), unchanged: z.boolean() }));

async function saveOnce(context: AppContext, input: Save, merged: boolean): Promise<Answer> {
  const { artifact, unchanged } = answerShape().parse(await callDoor(context, "save_artifact", input));
  return { body: { artifact, merged }, status: unchanged ? 200 : 201 };
}

const isConflict = (error: unknown): error is OperationError =>
  error instanceof OperationError && error.code === "artifact_conflict";

async function mergeAndSave(context: AppContext, input: Save, conflict: OperationError): Promise<Answer> {
  for (let merges = 1;; merges++) {
    const { headVersion, merged, unchanged, refusal } = await conflictOf(context, input, conflict);
    if (merged === null) throw refusal();
    const both = { ...input, content: merged, base_version: headVersion };
    for (const attribute of unchanged) delete both[attribute];
    try {
      return await saveOnce(context, both, true);
    } catch (error) {
      if (!isConflict(error)) throw error;
      if (merges === MAX_MERGES) throw refusal();
      conflict = error;
    }
  }
}

export const save = route(saveArtifact, async ({ on_conflict, ...input }, context) => {
  try {
    return await saveOnce(context, input, false);
  } catch (error) {
    if (!isConflict(error)) throw error;
    if (on_conflict !== "merge") throw (await conflictOf(context, input, error)).refusal();
    // Two hundred merges of one file at once would each be late two hundred times.
    return await inLine(`${input.project_id} ${input.file_path}`, () => mergeAndSave(context, input, error));
  }
});
