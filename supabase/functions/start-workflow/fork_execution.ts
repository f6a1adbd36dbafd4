// POST /fork: a new execution that keeps what was finished before a node.
import { forkExecution } from "../../../shared/contract/start-workflow.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

export const fork = route(forkExecution, async (input, context) => ({
  body: await callDoor(context, "fork_execution", input),
}));
