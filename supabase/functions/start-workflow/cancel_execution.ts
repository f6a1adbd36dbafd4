// POST /cancel: ends an execution and its open tasks.
import { cancelExecution } from "../../../shared/contract/start-workflow.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

export const cancel = route(cancelExecution, async (input, context) => ({
  body: await callDoor(context, "cancel_execution", input),
}));
