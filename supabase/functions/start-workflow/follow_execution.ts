// GET /executions/:execution_id/changes: what happened after a cursor, and what it happened to.
import { followExecution } from "../../../shared/contract/start-workflow.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

export const changes = route(followExecution, async (input, context) => ({
  body: await callDoor(context, "follow_execution", input),
}));
