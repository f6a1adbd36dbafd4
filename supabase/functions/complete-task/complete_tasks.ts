// POST /batch: reports up to a hundred tasks in one commit, each for itself.
import { completeTasks } from "../../../shared/contract/complete-task.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

export const completeBatch = route(completeTasks, async (input, context) => ({
  body: await callDoor(context, "complete_tasks", input),
}));
