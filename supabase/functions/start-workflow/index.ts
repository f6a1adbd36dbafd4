// The function start-workflow: executions of workflows.
import { createApp } from "../_shared/app.ts";

export default createApp("start-workflow", () => import("./operations.ts"));
