// POST /delete: the next version of a file says that it is gone; 200 where it already was.
import { lazy } from "../../../shared/contract/operation.ts";
import * as z from "zod";
import { deleteArtifact } from "../../../shared/contract/save-artifact.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

const answerShape = lazy(() => z.object({ artifact: z.unknown(), unchanged: z.boolean() }));

export const remove = route(deleteArtifact, async (input, context) => {
  const { artifact, unchanged } = answerShape().parse(await callDoor(context, "delete_artifact", input));
  return { body: { artifact }, status: unchanged ? 200 : 201 };
});
