// POST /revert-execution: undoes what an execution wrote, and says what was kept and why.
import { revertExecution } from "../../../shared/contract/save-artifact.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

export const revert = route(
  revertExecution,
  async (input, context) => ({ body: await callDoor(context, "revert_execution", input) }),
);
