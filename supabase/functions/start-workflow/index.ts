// The function start-workflow: executions of workflows.
import { createApp } from "../_shared/app.ts";
import { start } from "./start_workflow.ts";

export default { fetch: createApp("start-workflow", [start]).fetch };
