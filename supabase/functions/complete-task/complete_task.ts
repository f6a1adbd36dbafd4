// POST /: reports a task. The database does it in one commit, and answers the same report twice alike.
import { completeTask } from "../../../shared/contract/complete-task.ts";
import { route } from "../_shared/route.ts";
import { callDoor } from "../_shared/database.ts";

export const complete = route(completeTask, async (input, context) => ({
  body: await callDoor(context, "complete_task", input),
}));
