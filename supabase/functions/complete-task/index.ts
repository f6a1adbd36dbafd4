// The function complete-task: how a worker gets work, keeps it and reports it.
import { createApp } from "../_shared/app.ts";
import { claim } from "./claim_tasks.ts";
import { complete } from "./complete_task.ts";
import { heartbeat } from "./heartbeat_task.ts";

export default {
  fetch: createApp("complete-task", [claim, heartbeat, complete]).fetch,
};
