// POST /decide: a person approves or rejects.
import { decideTask } from "../../../shared/contract/complete-task.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

export const decide = route(decideTask, async (input, context) => ({
  body: await callDoor(context, "decide_task", input),
}));
