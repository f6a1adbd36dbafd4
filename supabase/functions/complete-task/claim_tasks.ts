// POST /claim: takes tasks for a worker, each with a lease token.
import { claimTasks } from "../../../shared/contract/complete-task.ts";
import { route } from "../_shared/route.ts";
import { callDoor } from "../_shared/database.ts";

export const claim = route(claimTasks, async (input, context) => ({
  body: await callDoor(context, "claim_tasks", input),
}));
