// GET /snapshot: the files of a project at a moment, as a page of JSON or all of them as a zip.
import { artifactSnapshot } from "../../../shared/contract/save-artifact.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

export const snapshot = route(artifactSnapshot, async ({ format, ...page }, context) => {
  if (format !== "zip") return { body: await callDoor(context, "artifact_snapshot", page) };
  // Loaded when needed: the other operations start without it.
  const { zipSnapshot } = await import("./zip.ts");
  return await zipSnapshot(context, page);
});
