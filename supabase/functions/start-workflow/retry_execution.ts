// POST /retry: tries the failed tasks of a failed execution again.
import { retryExecution } from "../../../shared/contract/start-workflow.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

export const retry = route(retryExecution, async (input, context) => ({
  body: await callDoor(context, "retry_execution", input),
}));
