// GET /executions/:execution_id/events: what happened after a cursor.
import { listEvents } from "../../../shared/contract/start-workflow.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

export const events = route(listEvents, async (input, context) => ({
  body: await callDoor(context, "list_events", input),
}));
