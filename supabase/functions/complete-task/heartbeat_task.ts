// POST /heartbeat: keeps a lease, and tells the worker when its task was cancelled.
import { heartbeatTask } from "../../../shared/contract/complete-task.ts";
import { route } from "../_shared/route.ts";
import { callDoor } from "../_shared/database.ts";

export const heartbeat = route(heartbeatTask, async (input, context) => ({
  body: await callDoor(context, "heartbeat_task", input),
}));
