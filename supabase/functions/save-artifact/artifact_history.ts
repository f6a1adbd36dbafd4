// GET /history: the versions of a file, newest first.
import { artifactHistory } from "../../../shared/contract/save-artifact.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

export const history = route(
  artifactHistory,
  async (input, context) => ({ body: await callDoor(context, "artifact_history", input) }),
);
