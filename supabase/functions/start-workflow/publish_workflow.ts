// POST /publish: freezes the draft as the next version, or names every fault of it.
import { publishWorkflow } from "../../../shared/contract/start-workflow.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

export const publish = route(publishWorkflow, async (input, context) => ({
  body: await callDoor(context, "publish_workflow", input),
}));
