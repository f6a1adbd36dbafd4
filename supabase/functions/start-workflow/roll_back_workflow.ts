// POST /roll-back: makes an older version current again, as a new one.
import { rollBackWorkflow } from "../../../shared/contract/start-workflow.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

export const rollBack = route(rollBackWorkflow, async (input, context) => ({
  body: await callDoor(context, "roll_back_workflow", input),
}));
