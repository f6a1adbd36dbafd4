// POST /restore: an old version becomes the next one again; 200 where the file already is as it was then.
import { lazy } from "../../../shared/contract/operation.ts";
import * as z from "zod";
import { restoreArtifact } from "../../../shared/contract/save-artifact.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

const answerShape = lazy(() => z.object({ artifact: z.unknown(), unchanged: z.boolean() }));

export const restore = route(restoreArtifact, async (input, context) => {
  const { artifact, unchanged } = answerShape().parse(await callDoor(context, "restore_artifact", input));
  return { body: { artifact }, status: unchanged ? 200 : 201 };
});
