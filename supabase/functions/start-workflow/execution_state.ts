// GET /executions/:execution_id: an execution as it stands.
import { executionState } from "../../../shared/contract/start-workflow.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

export const state = route(executionState, async (input, context) => ({
  body: await callDoor(context, "execution_state", input),
}));
