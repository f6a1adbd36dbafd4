// The operations of complete-task, loaded by the first request that needs one.
import { claim } from "./claim_tasks.ts";
import { complete } from "./complete_task.ts";
import { completeBatch } from "./complete_tasks.ts";
import { decide } from "./decide_task.ts";
import { heartbeat } from "./heartbeat_task.ts";
import { release } from "./release_task.ts";

export const routes = [claim, heartbeat, release, complete, completeBatch, decide];
