// POST /: saves the next version of a file; one call, and two more reads only when the file has moved on.
import * as z from "zod";
import { saveArtifact } from "../../../shared/contract/save-artifact.ts";
import { route } from "../_shared/route.ts";
import { callDoor } from "../_shared/database.ts";
import { OperationError } from "../_shared/errors.ts";
import { conflictOf } from "./conflict.ts";

/** Merging races with other savers: each round somebody wins, and the others start again from the head that won. */
const MAX_MERGES = 30;

const answerShape = saveArtifact.output.extend({ unchanged: z.boolean() });

export const save = route(
  saveArtifact,
  async ({ on_conflict, ...input }, context) => {
    let content = input.content;
    let base = input.base_version;
    for (let merges = 0;; merges++) {
      try {
        const answer = await callDoor(context, "save_artifact", { ...input, content, base_version: base });
        const { artifact, unchanged } = answerShape.parse(answer);
        return {
          body: { artifact, merged: merges > 0 },
          status: unchanged ? 200 : 201,
        };
      } catch (error) {
        if (!(error instanceof OperationError && error.code === "artifact_conflict")) throw error;
        const conflict = await conflictOf(context, input, error);
        if (on_conflict !== "merge" || conflict.merged === null || merges === MAX_MERGES) throw conflict.refusal;
        content = conflict.merged;
        base = conflict.headVersion;
      }
    }
  },
);
