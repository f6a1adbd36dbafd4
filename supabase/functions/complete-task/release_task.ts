// POST /release: gives a lease back unused.
import { releaseTask } from "../../../shared/contract/complete-task.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

export const release = route(releaseTask, async (input, context) => ({
  body: await callDoor(context, "release_task", input),
}));
